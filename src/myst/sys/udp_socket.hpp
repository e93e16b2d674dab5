// A UDP socket that sends and takes many datagrams with one system call: messages of several equal segments
// (UDP_SEGMENT, UDP_GRO; Linux: udp(7)), several messages at a time (sendmmsg, recvmmsg).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "myst/base/error.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/send_policy.hpp"
#include "myst/sys/socket_address.hpp"

namespace myst::sys {

/// Datagrams to or from one address that lie behind each other, all of `segment` bytes but the last, which may be
/// shorter.
struct UdpMessage {
    SocketAddress peer;
    std::span<std::uint8_t> bytes;
    std::uint16_t segment = 0;  ///< 0: one datagram
    /// Received: where it came to. To send: where it is to leave from; unknown: the kernel's choice.
    DatagramSource source{};

    [[nodiscard]] bool has_several() const { return segment != 0 && bytes.size() > segment; }
};

struct UdpOptions {
    bool segment_out = true;  ///< send messages of several segments
    bool segment_in = true;   ///< take them
    /// Send messages whose segments are all equal as they are. Else a datagram of one byte ends them, for kernels that
    /// spoil the last segment unless it is shorter; the receiver must ignore it.
    bool equal_tail = true;
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
    [[nodiscard]] Result<> set_mark(std::uint32_t mark);

    /// Hands over messages, at most `kMaxMessages` of them; cuts them up itself where the kernel or a device on the way
    /// does not (SendPolicy). One whose source is no address of ours any more leaves from another. What finds no room
    /// or no route is lost, as on any link. Returns how many bytes of payload were handed over.
    [[nodiscard]] Result<std::size_t> send(std::span<const UdpMessage> messages);
    /// Sources that were found to be no addresses of ours any more since the last call; few, each at least once.
    [[nodiscard]] std::vector<DatagramSource> take_lost_sources() { return std::exchange(lost_sources_, {}); }

    /// Fills the buffers of `into`, one message each, and shortens them; peer, segment and source are set. Returns how
    /// many; 0: there is none now. Each buffer should have 64 KiB.
    [[nodiscard]] Result<std::size_t> receive(std::span<UdpMessage> into);

private:
    struct Calls;
    UdpSocket(Fd fd, std::uint16_t port, const UdpOptions& options, bool segments_out);
    [[nodiscard]] bool goes_apart(const UdpMessage& message);
    [[nodiscard]] int send_one(const UdpMessage& message);
    [[nodiscard]] Result<std::size_t> send_after(int error, const UdpMessage& message);
    [[nodiscard]] Result<std::size_t> send_apart(const UdpMessage& message);
    void lose(const DatagramSource& source);

    Fd fd_;
    std::uint16_t port_ = 0;
    bool equal_tail_ = true;
    SendPolicy policy_;
    std::vector<DatagramSource> lost_sources_;
    std::shared_ptr<Calls> calls_;  ///< memory of the system calls' arguments
};

}  // namespace myst::sys
