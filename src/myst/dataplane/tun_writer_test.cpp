// Kernels that refuse joined packets, and what is written then.
#include "myst/dataplane/tun_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <gmock/gmock.h>

#include "myst/sys/netns.hpp"
#include "myst/sys/os_error.hpp"
#include "myst/sys/tun_device.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::dataplane {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::Field;
using wireguard::VnetHeader;
using wireguard::test::make_packet;
using wireguard::test::PacketSpec;

/// A TUN device that looks at the header as Linux does, and refuses some types of it.
class Kernel {
public:
    explicit Kernel(std::vector<std::uint8_t> refused = {}) : refused_(std::move(refused)) {}
    TunWriteFunction function() {
        return [this](std::span<const iovec> parts) { return write(parts); };
    }
    struct Write {
        VnetHeader header;
        Bytes packet;
    };
    std::vector<Write> taken;
    std::size_t refusals = 0;

private:
    Result<bool> write(std::span<const iovec> parts) {
        Bytes all;
        for (const auto& part : parts) {
            const auto* const bytes = static_cast<const std::uint8_t*>(part.iov_base);
            all.insert(all.end(), bytes, bytes + part.iov_len);
        }
        const auto header = VnetHeader::decode(std::span<const std::uint8_t>(all).first<VnetHeader::kSize>());
        if (std::find(refused_.begin(), refused_.end(), header.gso_type) != refused_.end()) {
            ++refusals;
            return sys::fail_errno("writing", EINVAL);
        }
        taken.push_back({header, Bytes(all.begin() + VnetHeader::kSize, all.end())});
        return true;
    }
    std::vector<std::uint8_t> refused_;
};

/// Three TCP segments of one flow and three UDP datagrams of another, one after the other in turn.
std::vector<Bytes> traffic(bool v6) {
    std::vector<Bytes> packets;
    for (std::uint16_t i = 0; i < 3; ++i) {
        for (const bool udp : {false, true}) {
            PacketSpec spec;
            spec.ipv6 = v6;
            spec.udp = udp;
            spec.id = static_cast<std::uint16_t>(10 + i);
            spec.sequence = 1'000U + i * 100U;
            packets.push_back(make_packet(spec));
        }
    }
    return packets;
}

void push_all(wireguard::Coalescer& coalescer, const std::vector<Bytes>& packets) {
    for (const auto& packet : packets) ASSERT_TRUE(coalescer.push(packet));
}

std::vector<Bytes> every_second(const std::vector<Bytes>& packets, std::size_t first) {
    std::vector<Bytes> some;
    for (auto i = first; i < packets.size(); i += 2) some.push_back(packets[i]);
    return some;
}

std::vector<Bytes> packets_of(const Kernel& kernel) {
    std::vector<Bytes> packets;
    for (const auto& write : kernel.taken) packets.push_back(write.packet);
    return packets;
}

class TunWriterTest : public ::testing::TestWithParam<bool> {
protected:
    [[nodiscard]] static std::uint8_t tcp_type() { return GetParam() ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4; }
    const std::vector<Bytes> packets = traffic(GetParam());
    const std::vector<Bytes> tcp = every_second(packets, 0);
    const std::vector<Bytes> udp = every_second(packets, 1);
    wireguard::Coalescer coalescer{16};
};

TEST_P(TunWriterTest, AKernelThatTakesJoinedPacketsGetsThem) {
    Kernel kernel;
    push_all(coalescer, packets);
    write_packets(coalescer, kernel.function());
    EXPECT_EQ(kernel.taken.size(), 2U);
    EXPECT_TRUE(coalescer.settings().tcp && coalescer.settings().udp);
}

TEST_P(TunWriterTest, RefusedPacketsAreWrittenApartAsTheyWereAndTheKindIsJoinedNoMore) {
    Kernel kernel({tcp_type()});
    push_all(coalescer, packets);
    write_packets(coalescer, kernel.function());
    coalescer.clear();
    ASSERT_EQ(kernel.taken.size(), 4U) << "three of TCP, one joined of UDP";
    EXPECT_THAT(std::vector(kernel.taken.begin(), kernel.taken.begin() + 3),
                Each(Field(&Kernel::Write::header, VnetHeader{VnetHeader::kDataValid, 0, 0, 0, 0, 0})));
    EXPECT_EQ(kernel.taken[3].header.gso_type, VnetHeader::kGsoUdp);
    kernel.taken.pop_back();
    EXPECT_THAT(packets_of(kernel), ElementsAreArray(tcp));
    EXPECT_FALSE(coalescer.settings().tcp);
    EXPECT_TRUE(coalescer.settings().udp);

    kernel.taken.clear();
    push_all(coalescer, packets);
    write_packets(coalescer, kernel.function());
    EXPECT_EQ(kernel.refusals, 1U) << "it is not asked again";
    EXPECT_EQ(kernel.taken.size(), 4U);
}

TEST_P(TunWriterTest, OneKindDoesNotCostTheOther) {
    Kernel kernel({VnetHeader::kGsoUdp});
    push_all(coalescer, packets);
    write_packets(coalescer, kernel.function());
    EXPECT_TRUE(coalescer.settings().tcp);
    EXPECT_FALSE(coalescer.settings().udp);
    ASSERT_EQ(kernel.taken.size(), 4U);
    kernel.taken.erase(kernel.taken.begin());
    EXPECT_THAT(packets_of(kernel), ElementsAreArray(udp));
}

TEST_P(TunWriterTest, TheProbeFindsWhatIsRefused) {
    Kernel kernel({tcp_type()});
    const auto found = probe_joining({}, kernel.function());
    EXPECT_FALSE(found.tcp);
    EXPECT_TRUE(found.udp);
    Kernel none({VnetHeader::kGsoTcp4, VnetHeader::kGsoTcp6, VnetHeader::kGsoUdp});
    const auto nothing = probe_joining({false, false}, none.function());
    EXPECT_FALSE(nothing.tcp || nothing.udp);
    EXPECT_EQ(none.refusals, 0U) << "what is not wanted is not tried";
}

INSTANTIATE_TEST_SUITE_P(Versions, TunWriterTest, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "v6" : "v4"; });

TEST(TunWriter, OtherFailuresTurnNothingOff) {
    wireguard::Coalescer coalescer(16);
    const auto joinable = traffic(false);
    push_all(coalescer, joinable);
    std::size_t writes = 0;
    write_packets(coalescer, [&writes](std::span<const iovec>) -> Result<bool> {
        ++writes;
        return sys::fail_errno("writing", EBADF);
    });
    EXPECT_EQ(writes, 2U);
    EXPECT_TRUE(coalescer.settings().tcp && coalescer.settings().udp);
}

TEST(TunWriter, ProbesAreWellFormedButForTheirChecksums) {
    Kernel kernel;
    const auto found = probe_joining({}, kernel.function());
    EXPECT_TRUE(found.tcp && found.udp);
    ASSERT_EQ(kernel.taken.size(), 4U);
    for (const auto& [header, packet] : kernel.taken) {
        Bytes read(VnetHeader::kSize);
        header.encode(std::span(read).first<VnetHeader::kSize>());
        read.insert(read.end(), packet.begin(), packet.end());
        const auto parsed = wireguard::SuperPacket::parse(read);
        ASSERT_TRUE(parsed) << parsed.error().describe();
        EXPECT_EQ(parsed->segments(), 2U);
        EXPECT_EQ(packet[wireguard::is_ipv4(packet) ? 8 : 7], 0) << "goes no further than this machine";
    }
}

/// The probe is of use only if a kernel looks at headers also while the interface is down.
TEST(TunWriter, TheKernelRefusesHeadersOfAnInterfaceThatIsDown) {
    const auto network = sys::NetworkNamespace::create();
    if (!network || ::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/net/tun";
    auto device = network->run([] { return sys::TunDevice::create("probe"); });
    ASSERT_TRUE(device) << device.error().describe();
    Kernel kernel;
    std::ignore = probe_joining({}, kernel.function());
    for (const bool damaged : {false, true}) {
        for (const auto& write : kernel.taken) {
            auto header = write.header;
            if (damaged) header.checksum_start = 2'000;
            Bytes bytes(VnetHeader::kSize);
            header.encode(std::span(bytes).first<VnetHeader::kSize>());
            bytes.insert(bytes.end(), write.packet.begin(), write.packet.end());
            const iovec part{bytes.data(), bytes.size()};
            const auto written = device->write({&part, 1});
            const bool refused = !written && written.error().code == ErrorCode::invalid_argument;
            EXPECT_EQ(refused, damaged);
        }
    }
}

/// Each write has a header of its own, whatever was at its place in the batch before (a fault of others).
TEST(TunWriter, NothingOfAnEarlierHeaderIsLeft) {
    Kernel kernel;
    wireguard::Coalescer coalescer(16);
    const auto joinable = traffic(false);
    push_all(coalescer, joinable);
    write_packets(coalescer, kernel.function());
    coalescer.clear();
    PacketSpec alone;
    alone.udp = true;
    PacketSpec broken = alone;
    broken.port = 77;
    broken.wrong_checksum = true;
    const std::vector<Bytes> packets{make_packet(broken), make_packet(alone)};
    push_all(coalescer, packets);
    kernel.taken.clear();
    write_packets(coalescer, kernel.function());
    ASSERT_EQ(kernel.taken.size(), 2U);
    EXPECT_EQ(kernel.taken[0].header, VnetHeader{});
    EXPECT_EQ(kernel.taken[1].header, (VnetHeader{VnetHeader::kDataValid, 0, 0, 0, 0, 0}));
    EXPECT_THAT(packets_of(kernel), ElementsAreArray(packets));
}

}  // namespace
}  // namespace myst::dataplane
