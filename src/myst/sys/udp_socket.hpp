// A UDP socket that sends and takes many datagrams with one system call: messages of several equal segments
// (UDP_SEGMENT, UDP_GRO; Linux: udp(7)), several messages at a time (sendmmsg, recvmmsg).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/error.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/netlink.hpp"

namespace myst::sys {

/// An IP address and a port as the kernel has them.
class SocketAddress {
public:
    SocketAddress() = default;
    /// `address` has 4 or 16 bytes, in network order.
    SocketAddress(BytesView address, std::uint16_t port);
    [[nodiscard]] static SocketAddress from(const sockaddr_storage& address);

    /// False for a default-constructed one.
    [[nodiscard]] bool valid() const { return any_.sa_family != AF_UNSPEC; }
    [[nodiscard]] IpFamily family() const { return any_.sa_family == AF_INET6 ? IpFamily::v6 : IpFamily::v4; }
    /// 4 or 16 bytes in network order.
    [[nodiscard]] BytesView address() const;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const sockaddr* data() const { return &any_; }
    [[nodiscard]] socklen_t size() const { return any_.sa_family == AF_INET6 ? sizeof v6_ : sizeof v4_; }

private:
    union {
        sockaddr any_{};
        sockaddr_in v4_;
        sockaddr_in6 v6_;
    };
};

/// Datagrams to or from one address that lie behind each other, all of `segment` bytes but the last, which may be
/// shorter.
struct UdpMessage {
    SocketAddress peer;
    std::span<std::uint8_t> bytes;
    std::uint16_t segment = 0;  ///< 0: one datagram
};

struct UdpOptions {
    bool segment_out = true;     ///< send messages of several segments
    bool segment_in = true;      ///< take them
    std::uint32_t mark = 0;      ///< SO_MARK, for policy routing; 0: none
    int buffer_bytes = 7 << 20;  ///< of either direction, if this process may; less otherwise
};

/// Non-blocking, one thread at a time.
class UdpSocket {
public:
    static constexpr std::size_t kMaxMessages = 64;          ///< in one call
    static constexpr std::size_t kMaxMessageBytes = 65'507;  ///< of one message to IPv4; 20 less to IPv6

    /// Bound to every address of the family; port 0 picks one. An IPv6 socket takes no IPv4. already_exists if the port
    /// is taken, unavailable without the family.
    [[nodiscard]] static Result<UdpSocket> open(IpFamily family, std::uint16_t port, const UdpOptions& options = {});

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Whether messages of several segments go out as one; turned off for good when the kernel or a device refuses
    /// them.
    [[nodiscard]] bool segments_out() const { return segments_out_; }
    [[nodiscard]] Result<> set_mark(std::uint32_t mark);

    /// Hands over messages, at most `kMaxMessages` of them; cuts them up itself where `segments_out` is off. What finds
    /// no room or no route is lost, as on any link. Returns how many bytes of payload were handed over.
    [[nodiscard]] Result<std::size_t> send(std::span<const UdpMessage> messages);

    /// Fills the buffers of `into`, one message each, and shortens them; the peer and the segment are set. Returns how
    /// many; 0: there is none now. Each buffer should have 64 KiB.
    [[nodiscard]] Result<std::size_t> receive(std::span<UdpMessage> into);

private:
    struct Calls;
    UdpSocket(Fd fd, std::uint16_t port, bool segments_out);
    [[nodiscard]] std::size_t send_apart(const UdpMessage& message);

    Fd fd_;
    std::uint16_t port_ = 0;
    bool segments_out_ = true;
    std::shared_ptr<Calls> calls_;  ///< memory of the system calls' arguments
};

}  // namespace myst::sys
