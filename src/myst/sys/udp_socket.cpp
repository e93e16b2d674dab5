#include "myst/sys/udp_socket.hpp"

#include <arpa/inet.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "myst/sys/os_error.hpp"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace myst::sys {
namespace {

/// Sets an option whose failure only costs speed.
void prefer(int fd, int level, int option, int value) {
    std::ignore = ::setsockopt(fd, level, option, &value, sizeof value);
}

void set_buffers(int fd, int bytes) {
    prefer(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    prefer(fd, SOL_SOCKET, SO_SNDBUF, bytes);
    prefer(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);  // beyond the system's limit; needs CAP_NET_ADMIN
    prefer(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
}

/// For a message whose segments are all equal, where the last must be shorter.
constexpr std::uint8_t kShortTail = 0;
constexpr std::size_t kMaxSegments = 64;

void set_address(const SocketAddress& peer, msghdr& header) {
    header.msg_name = const_cast<sockaddr*>(peer.data());  // only read
    header.msg_namelen = peer.size();
}

/// Control messages of one send, one after the other in `room`.
class ControlWriter {
public:
    ControlWriter(msghdr& header, std::span<char> room) : header_(header), room_(room) {}
    template <class Value>
    void add(int level, int type, const Value& value) {
        header_.msg_control = room_.data();
        header_.msg_controllen = used_ + CMSG_SPACE(sizeof value);
        auto* control = reinterpret_cast<cmsghdr*>(room_.data() + used_);
        control->cmsg_level = level;
        control->cmsg_type = type;
        control->cmsg_len = CMSG_LEN(sizeof value);
        std::memcpy(CMSG_DATA(control), &value, sizeof value);
        used_ += CMSG_SPACE(sizeof value);
    }
    void add_source(const DatagramSource& source, IpFamily family) {
        if (!source.known()) return;
        if (family == IpFamily::v6) {
            in6_pktinfo info{};
            std::copy(source.address.begin(), source.address.end(), info.ipi6_addr.s6_addr);
            info.ipi6_ifindex = source.link;
            add(IPPROTO_IPV6, IPV6_PKTINFO, info);
        } else {
            in_pktinfo info{};
            std::memcpy(&info.ipi_spec_dst, source.address.data(), sizeof info.ipi_spec_dst);
            add(IPPROTO_IP, IP_PKTINFO, info);
        }
    }

private:
    msghdr& header_;
    std::span<char> room_;
    std::size_t used_ = 0;
};

template <class Value>
Value value_of(const cmsghdr* control) {
    Value value{};
    std::memcpy(&value, CMSG_DATA(control), sizeof value);
    return value;
}

DatagramSource source_of(const in_pktinfo& info) {
    DatagramSource source;
    std::memcpy(source.address.data(), &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
    return source;
}

DatagramSource source_of(const in6_pktinfo& info) {
    DatagramSource source;
    if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) return source;
    std::copy_n(info.ipi6_addr.s6_addr, source.address.size(), source.address.begin());
    // The interface elsewhere is what the routing says.
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) source.link = static_cast<std::uint32_t>(info.ipi6_ifindex);
    return source;
}

/// Segment and source of a message that was received.
void read_control(msghdr& header, UdpMessage& message) {
    message.segment = 0;
    message.source = {};
    for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            const auto segment = value_of<int>(control);
            if (segment > 0 && segment <= UINT16_MAX) message.segment = static_cast<std::uint16_t>(segment);
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            message.source = source_of(value_of<in_pktinfo>(control));
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            message.source = source_of(value_of<in6_pktinfo>(control));
        }
    }
}

}  // namespace

struct UdpSocket::Calls {
    /// Room for a number and an address.
    using Control = std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo))>;
    std::array<mmsghdr, kMaxMessages> headers;
    std::array<std::array<iovec, 2>, kMaxMessages> pieces;
    std::array<sockaddr_storage, kMaxMessages> peers;
    alignas(cmsghdr) std::array<Control, kMaxMessages> controls;

    void set(std::size_t i, std::span<std::uint8_t> bytes) {
        pieces[i][0] = {bytes.data(), bytes.size()};
        headers[i] = {};
        headers[i].msg_hdr.msg_iov = pieces[i].data();
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    void set_to_send(std::size_t i, const UdpMessage& message, bool equal_tail) {
        set(i, message.bytes);
        auto& header = headers[i].msg_hdr;
        set_address(message.peer, header);
        ControlWriter control(header, controls[i]);
        if (message.has_several()) {
            control.add(SOL_UDP, UDP_SEGMENT, message.segment);
            if (!equal_tail && message.bytes.size() % message.segment == 0) {
                pieces[i][1] = {const_cast<std::uint8_t*>(&kShortTail), sizeof kShortTail};  // only read
                header.msg_iovlen = 2;
            }
        }
        control.add_source(message.source, message.peer.family());
    }
    void set_to_receive(std::size_t i, std::span<std::uint8_t> bytes) {
        set(i, bytes);
        auto& header = headers[i].msg_hdr;
        header.msg_name = &peers[i];
        header.msg_namelen = sizeof peers[i];
        header.msg_control = controls[i].data();
        header.msg_controllen = controls[i].size();
    }
};

UdpSocket::UdpSocket(Fd fd, std::uint16_t port, const UdpOptions& options, bool segments_out)
    : fd_(std::move(fd)),
      port_(port),
      equal_tail_(options.equal_tail),
      policy_(segments_out),
      calls_(std::make_shared<Calls>()) {}

Result<UdpSocket> UdpSocket::open(IpFamily family, std::uint16_t port, const UdpOptions& options) {
    const bool v6 = family == IpFamily::v6;
    Fd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return fail_errno("opening a UDP socket", errno);
    if (v6) prefer(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_buffers(fd.get(), options.buffer_bytes);
    if (options.segment_in) prefer(fd.get(), SOL_UDP, UDP_GRO, 1);
    prefer(fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1);
    sockaddr_storage own{};
    socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    own.ss_family = v6 ? AF_INET6 : AF_INET;
    // The port lies at the same place in both.
    reinterpret_cast<sockaddr_in*>(&own)->sin_port = htons(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), size) != 0) {
        return fail_errno("listening on UDP port " + std::to_string(port), errno, "choose another port");
    }
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return fail_errno("getsockname", errno);
    const int none = 0;
    const bool knows_segments = ::setsockopt(fd.get(), SOL_UDP, UDP_SEGMENT, &none, sizeof none) == 0;
    UdpSocket socket(std::move(fd), SocketAddress::from(own).port(), options, options.segment_out && knows_segments);
    if (options.mark != 0) {
        if (auto done = socket.set_mark(options.mark); !done) return forward_error(done);
    }
    return socket;
}

Result<> UdpSocket::set_mark(std::uint32_t mark) {
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return {};
    return fail_errno("marking a UDP socket", errno, "run as root");
}

bool UdpSocket::goes_apart(const UdpMessage& message) {
    if (!message.has_several()) return false;
    if (!policy_.joins_always() && !policy_.joins(message.peer, std::chrono::steady_clock::now())) return true;
    // Where a tail is to be added, there must be room for it.
    const auto segments = message.bytes.size() / message.segment;
    const auto limit = kMaxMessageBytes - (message.peer.family() == IpFamily::v6 ? 20 : 0);
    return !equal_tail_ && message.bytes.size() % message.segment == 0 &&
           (segments == kMaxSegments || message.bytes.size() == limit);
}

int UdpSocket::send_one(const UdpMessage& message) {
    calls_->set_to_send(0, message, equal_tail_);
    return ::sendmsg(fd_.get(), &calls_->headers[0].msg_hdr, 0) < 0 ? errno : 0;
}

Result<std::size_t> UdpSocket::send_after(int error, const UdpMessage& message) {
    auto attempt = message;
    do {
        const auto now = std::chrono::steady_clock::now();
        switch (policy_.after(error, {attempt.peer, attempt.has_several(), attempt.source.known()}, now)) {
            case SendPolicy::Next::again: break;
            case SendPolicy::Next::without_source: attempt.source = {}; break;
            case SendPolicy::Next::apart: return send_apart(message);
            case SendPolicy::Next::lost: return std::size_t{0};
            case SendPolicy::Next::give_up: return fail_errno("sending datagrams", error);
        }
        error = send_one(attempt);
    } while (error != 0);
    if (attempt.source != message.source) lose(message.source);
    return message.bytes.size();
}

Result<std::size_t> UdpSocket::send_apart(const UdpMessage& message) {
    std::size_t sent = 0;
    for (std::size_t at = 0; at < message.bytes.size(); at += message.segment) {
        auto part = message;
        part.bytes = message.bytes.subspan(at, std::min<std::size_t>(message.segment, message.bytes.size() - at));
        part.segment = 0;
        const int error = send_one(part);
        auto size = error == 0 ? Result<std::size_t>(part.bytes.size()) : send_after(error, part);
        if (!size) return size;
        sent += *size;
    }
    return sent;
}

void UdpSocket::lose(const DatagramSource& source) {
    constexpr std::size_t kMaxLost = 16;
    const bool known = std::find(lost_sources_.begin(), lost_sources_.end(), source) != lost_sources_.end();
    if (!known && lost_sources_.size() < kMaxLost) lost_sources_.push_back(source);
}

Result<std::size_t> UdpSocket::send(std::span<const UdpMessage> messages) {
    messages = messages.first(std::min(messages.size(), kMaxMessages));
    std::size_t sent = 0;
    while (!messages.empty()) {
        std::size_t count = 0;
        for (; count < messages.size() && !goes_apart(messages[count]); ++count) {
            calls_->set_to_send(count, messages[count], equal_tail_);
        }
        const int done =
            count == 0 ? 0 : ::sendmmsg(fd_.get(), calls_->headers.data(), static_cast<unsigned>(count), 0);
        if (done > 0) {
            for (const auto& message : messages.first(static_cast<std::size_t>(done))) sent += message.bytes.size();
            messages = messages.subspan(static_cast<std::size_t>(done));
            continue;
        }
        auto size = count == 0 ? send_apart(messages.front()) : send_after(errno, messages.front());
        if (!size) return size;
        sent += *size;
        messages = messages.subspan(1);
    }
    return sent;
}

Result<std::size_t> UdpSocket::receive(std::span<UdpMessage> into) {
    into = into.first(std::min(into.size(), kMaxMessages));
    for (std::size_t i = 0; i < into.size(); ++i) calls_->set_to_receive(i, into[i].bytes);
    const int count = ::recvmmsg(fd_.get(), calls_->headers.data(), static_cast<unsigned>(into.size()), 0, nullptr);
    if (count < 0) {
        // Answers of ICMP to what was sent arrive as errors of the socket; they are forgeable, and change nothing.
        const int error = errno;
        if (policy_.after(error, {SocketAddress{}}, {}) != SendPolicy::Next::give_up) return std::size_t{0};
        return fail_errno("receiving datagrams", error);
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        into[i].bytes = into[i].bytes.first(std::min<std::size_t>(calls_->headers[i].msg_len, into[i].bytes.size()));
        into[i].peer = SocketAddress::from(calls_->peers[i]);
        read_control(calls_->headers[i].msg_hdr, into[i]);
    }
    return static_cast<std::size_t>(count);
}

}  // namespace myst::sys
