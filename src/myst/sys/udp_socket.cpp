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

/// The errors of one message after which the next may well go out.
bool is_loss(int error) {
    switch (error) {
        case EAGAIN:
        case ENOBUFS:
        case ENOMEM:
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case ECONNREFUSED:
        case EPERM:  // the firewall said no
        case EACCES:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
        case EINVAL:
        case EMSGSIZE:
        case EIO:
        case EINTR: return true;
        default: return false;
    }
}

}  // namespace

SocketAddress::SocketAddress(BytesView address, std::uint16_t port) {
    if (address.size() == 16) {
        v6_ = {};
        v6_.sin6_family = AF_INET6;
        v6_.sin6_port = htons(port);
        std::copy_n(address.begin(), 16, v6_.sin6_addr.s6_addr);
    } else {
        v4_ = {};
        v4_.sin_family = AF_INET;
        v4_.sin_port = htons(port);
        std::memcpy(&v4_.sin_addr, address.data(), sizeof v4_.sin_addr);
    }
}

SocketAddress SocketAddress::from(const sockaddr_storage& address) {
    SocketAddress result;
    if (address.ss_family == AF_INET6) std::memcpy(&result.v6_, &address, sizeof result.v6_);
    if (address.ss_family == AF_INET) std::memcpy(&result.v4_, &address, sizeof result.v4_);
    return result;
}

BytesView SocketAddress::address() const {
    if (any_.sa_family == AF_INET6) return {v6_.sin6_addr.s6_addr, 16};
    return {reinterpret_cast<const std::uint8_t*>(&v4_.sin_addr), 4};
}

std::uint16_t SocketAddress::port() const {
    return ntohs(any_.sa_family == AF_INET6 ? v6_.sin6_port : v4_.sin_port);
}

struct UdpSocket::Calls {
    /// Room for one control message with a number.
    using Control = std::array<char, CMSG_SPACE(sizeof(int))>;
    std::array<mmsghdr, kMaxMessages> headers;
    std::array<iovec, kMaxMessages> pieces;
    std::array<sockaddr_storage, kMaxMessages> peers;
    alignas(cmsghdr) std::array<Control, kMaxMessages> controls;

    void set(std::size_t i, std::span<std::uint8_t> bytes) {
        pieces[i] = {bytes.data(), bytes.size()};
        headers[i] = {};
        headers[i].msg_hdr.msg_iov = &pieces[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    void set_peer(std::size_t i, const SocketAddress& peer) {
        headers[i].msg_hdr.msg_name = const_cast<sockaddr*>(peer.data());  // only read
        headers[i].msg_hdr.msg_namelen = peer.size();
    }
    void set_segment(std::size_t i, std::uint16_t segment) {
        auto& header = headers[i].msg_hdr;
        header.msg_control = controls[i].data();
        header.msg_controllen = CMSG_SPACE(sizeof segment);
        auto* control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof segment);
        std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    [[nodiscard]] std::uint16_t segment_of(std::size_t i) {
        auto& header = headers[i].msg_hdr;
        for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
            if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
            int segment = 0;
            std::memcpy(&segment, CMSG_DATA(control), sizeof segment);
            if (segment > 0 && segment <= UINT16_MAX) return static_cast<std::uint16_t>(segment);
        }
        return 0;
    }
};

UdpSocket::UdpSocket(Fd fd, std::uint16_t port, bool segments_out)
    : fd_(std::move(fd)), port_(port), segments_out_(segments_out), calls_(std::make_shared<Calls>()) {}

Result<UdpSocket> UdpSocket::open(IpFamily family, std::uint16_t port, const UdpOptions& options) {
    const bool v6 = family == IpFamily::v6;
    Fd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return fail_errno("opening a UDP socket", errno);
    if (v6) prefer(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_buffers(fd.get(), options.buffer_bytes);
    if (options.segment_in) prefer(fd.get(), SOL_UDP, UDP_GRO, 1);
    sockaddr_storage own{};
    socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    own.ss_family = v6 ? AF_INET6 : AF_INET;
    // The port lies at the same place in both.
    reinterpret_cast<sockaddr_in*>(&own)->sin_port = htons(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), size) != 0) {
        const int error = errno == EADDRINUSE ? EEXIST : errno;
        return fail_errno("listening on UDP port " + std::to_string(port), error, "choose another port");
    }
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return fail_errno("getsockname", errno);
    const int none = 0;
    const bool knows_segments = ::setsockopt(fd.get(), SOL_UDP, UDP_SEGMENT, &none, sizeof none) == 0;
    UdpSocket socket(std::move(fd), SocketAddress::from(own).port(), options.segment_out && knows_segments);
    if (options.mark != 0) {
        if (auto done = socket.set_mark(options.mark); !done) return forward_error(done);
    }
    return socket;
}

Result<> UdpSocket::set_mark(std::uint32_t mark) {
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return {};
    return fail_errno("marking a UDP socket", errno, "run as root");
}

std::size_t UdpSocket::send_apart(const UdpMessage& message) {
    std::size_t sent = 0;
    const std::size_t step = message.segment == 0 ? message.bytes.size() : message.segment;
    for (std::size_t at = 0; at < message.bytes.size(); at += step) {
        const auto part = message.bytes.subspan(at, std::min(step, message.bytes.size() - at));
        const auto size = ::sendto(fd_.get(), part.data(), part.size(), 0, message.peer.data(), message.peer.size());
        if (size > 0) sent += static_cast<std::size_t>(size);
    }
    return sent;
}

Result<std::size_t> UdpSocket::send(std::span<const UdpMessage> messages) {
    messages = messages.first(std::min(messages.size(), kMaxMessages));
    std::size_t sent = 0;
    if (!segments_out_) {
        for (const auto& message : messages) sent += send_apart(message);
        return sent;
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        calls_->set(i, messages[i].bytes);
        calls_->set_peer(i, messages[i].peer);
        const bool several = messages[i].segment != 0 && messages[i].bytes.size() > messages[i].segment;
        if (several) calls_->set_segment(i, messages[i].segment);
    }
    for (std::size_t next = 0; next < messages.size();) {
        const int count =
            ::sendmmsg(fd_.get(), &calls_->headers[next], static_cast<unsigned>(messages.size() - next), 0);
        if (count > 0) {
            for (std::size_t i = next; i < next + static_cast<std::size_t>(count); ++i)
                sent += messages[i].bytes.size();
            next += static_cast<std::size_t>(count);
            continue;
        }
        const int error = errno;
        if (!is_loss(error)) return fail_errno("sending datagrams", error);
        // EIO: a device on the way cannot compute checksums of segments. EINVAL, EMSGSIZE: they do not fit its MTU.
        if (error == EIO) segments_out_ = false;
        if (error == EIO || error == EINVAL || error == EMSGSIZE) sent += send_apart(messages[next]);
        if (error != EINTR) ++next;
    }
    return sent;
}

Result<std::size_t> UdpSocket::receive(std::span<UdpMessage> into) {
    into = into.first(std::min(into.size(), kMaxMessages));
    for (std::size_t i = 0; i < into.size(); ++i) {
        calls_->set(i, into[i].bytes);
        auto& header = calls_->headers[i].msg_hdr;
        header.msg_name = &calls_->peers[i];
        header.msg_namelen = sizeof calls_->peers[i];
        header.msg_control = calls_->controls[i].data();
        header.msg_controllen = calls_->controls[i].size();
    }
    const int count = ::recvmmsg(fd_.get(), calls_->headers.data(), static_cast<unsigned>(into.size()), 0, nullptr);
    if (count < 0) {
        // Answers of ICMP to what was sent arrive as errors of the socket; they are forgeable, and change nothing.
        if (is_loss(errno)) return std::size_t{0};
        return fail_errno("receiving datagrams", errno);
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        into[i].bytes = into[i].bytes.first(std::min<std::size_t>(calls_->headers[i].msg_len, into[i].bytes.size()));
        into[i].peer = SocketAddress::from(calls_->peers[i]);
        into[i].segment = calls_->segment_of(i);
    }
    return static_cast<std::size_t>(count);
}

}  // namespace myst::sys
