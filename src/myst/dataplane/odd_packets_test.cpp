// Packets on an interface that no ordinary program sends, and what the interface does after them. Needs root and
// /dev/net/tun.
#include <sys/uio.h>

#include "myst/dataplane/sealer.hpp"
#include "myst/dataplane/test_support/tunnel_ends.hpp"
#include "myst/sys/sysctl.hpp"
#include "myst/sys/tun_device.hpp"
#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/vnet_header.hpp"

namespace myst::dataplane {
namespace {

using wireguard::store_be16;

class OddPackets : public test::TunnelEnds {
protected:
    void send(std::size_t size) {
        const auto bytes = test::pattern(size, 1);
        const auto to = inner(2, 7'000);
        ASSERT_EQ(::sendto(sender_.get(), bytes.data(), size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
                  static_cast<ssize_t>(size));
    }
    void open_sockets() {
        sender_ = inner_socket(*left_, SOCK_DGRAM);
        receiver_ = inner_socket(*right_, SOCK_DGRAM);
        bind_to(receiver_, 2, 7'000);
    }
    /// The size of the next datagram at the other side.
    ssize_t received() {
        Bytes buffer(70'000);
        return ::recv(receiver_.get(), buffer.data(), buffer.size(), 0);
    }

    /// Of the left end.
    [[nodiscard]] std::uint64_t sent_bytes() const {
        const auto status = ends_.front()->status();
        const auto at = status.find("tx_bytes=");
        return at == std::string::npos ? 0 : std::stoull(status.substr(at + 9));
    }

private:
    sys::Fd sender_;
    sys::Fd receiver_;
};

/// What a guest of the left machine sends to fd09::2: one TCP super-packet with destination options of a thousand
/// bytes, which are in each of its segments, more than all that can be sealed at once.
Bytes super_packet_with_long_headers() {
    constexpr std::size_t kOptions = 1'000;
    constexpr std::size_t kPayload = 60'000;
    constexpr std::size_t kIp = 40;
    constexpr std::size_t kTcp = 20;
    constexpr std::size_t kFixed = wireguard::VnetHeader::kSize;
    static_assert(kPayload / 48 * (kIp + kOptions + kTcp + 48) > Sealer::kMemory);
    Bytes bytes(kFixed + kIp + kOptions + kTcp + kPayload);
    wireguard::VnetHeader header;
    header.flags = wireguard::VnetHeader::kNeedsChecksum;
    header.gso_type = wireguard::VnetHeader::kGsoTcp6;
    header.header_size = kIp + kOptions + kTcp;
    header.gso_size = 48;
    header.checksum_start = kIp + kOptions;
    header.checksum_offset = 16;
    header.encode(std::span(bytes).first<kFixed>());
    auto* ip = bytes.data() + kFixed;
    ip[0] = 0x60;
    store_be16(ip + 4, static_cast<std::uint16_t>(bytes.size() - kFixed - kIp));
    ip[6] = 60;  // destination options
    ip[7] = 64;
    ip[8] = 0xfd, ip[9] = 0x0a, ip[23] = 2;    // fd0a::2
    ip[24] = 0xfd, ip[25] = 0x09, ip[39] = 2;  // fd09::2
    auto* options = ip + kIp;
    options[0] = 6;  // TCP
    options[1] = kOptions / 8 - 1;
    for (std::size_t at = 2; at < kOptions;) {  // PadN
        const auto size = std::min<std::size_t>(kOptions - at, 257);
        options[at] = 1;
        options[at + 1] = static_cast<std::uint8_t>(size - 2);
        at += size;
    }
    auto* tcp = options + kOptions;
    store_be16(tcp, 1'000);
    store_be16(tcp + 2, 2'000);
    tcp[12] = 5 << 4;
    tcp[13] = 0x10;
    return bytes;
}

TEST_F(OddPackets, OneThatNoDatagramCanCarryIsDropped) {
    connect();
    open_sockets();
    ASSERT_TRUE(left_->run([]() -> Result<> {
        auto links = sys::Netlink::open();
        if (!links) return forward_error(links);
        auto found = links->link("left");
        if (!found) return forward_error(found);
        return links->set_mtu(found->index, 65'535);
    }));
    constexpr std::size_t kLargest = Sealer::kMaxPacket - 28;  // headers of IP and UDP
    for (const std::size_t size : {std::size_t{65'500}, kLargest + 1, kLargest, std::size_t{100}}) send(size);
    EXPECT_EQ(received(), static_cast<ssize_t>(kLargest));
    EXPECT_EQ(received(), 100);
}

TEST_F(OddPackets, OneWhoseSegmentsHaveNoRoomTogetherLeavesInParts) {
    connect();
    open_sockets();
    std::optional<sys::TunDevice> guest;
    ASSERT_TRUE(left_->run([&]() -> Result<> {
        auto tun = sys::TunDevice::create("guest", {true, true, true});
        if (!tun) return forward_error(tun);
        guest.emplace(std::move(*tun));
        for (const char* link : {"all", "guest", "left"}) {
            auto done = sys::write_sysctl(std::string("net/ipv6/conf/") + link + "/forwarding", "1");
            if (!done) return done;
        }
        return {};
    }));
    ASSERT_TRUE(set_up(*left_, "guest", "10.10.0.1", "fd0a::1"));
    send(1);  // makes the session
    EXPECT_EQ(received(), 1);
    const auto before = sent_bytes();
    auto packet = super_packet_with_long_headers();
    const iovec piece{packet.data(), packet.size()};
    const auto written = guest->write({&piece, 1});
    ASSERT_TRUE(written && *written);
    send(100);  // behind it in the queue
    EXPECT_EQ(received(), 100);
    EXPECT_GT(sent_bytes(), before + Sealer::kMemory);
}

}  // namespace
}  // namespace myst::dataplane
