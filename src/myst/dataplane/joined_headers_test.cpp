#include "myst/dataplane/joined_headers.hpp"

#include <gtest/gtest.h>

#include "myst/crypto/system_rng.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::dataplane {
namespace {

using wireguard::test::make_packet;
using wireguard::test::PacketSpec;

class JoinedHeadersTest : public ::testing::Test {
protected:
    JoinedHeadersTest() : device_(rng_) {
        const auto key = wireguard::public_key_of(wireguard::make_private_key(rng_));
        peer_ = device_.add_peer(key).value();
        for (const char* all : {"0.0.0.0/0", "::/0"}) {
            EXPECT_TRUE(device_.allowed_ips().insert(wireguard::IpPrefix::parse(all).value(), peer_));
        }
    }

    /// A meter whose garden is the source of this packet; null: it has none.
    void meter_with_garden(const Bytes* packet) {
        wireguard::MeterSettings settings;
        settings.gated = false;
        if (packet != nullptr) settings.garden = wireguard::parse_inner_packet(*packet)->source;
        meter_ = std::make_shared<wireguard::Meter>(settings);
        device_.set_meter(peer_, meter_);
    }

    /// Joins and "writes" the packets; by how much the writes are shorter.
    std::size_t write(const std::vector<Bytes>& packets) {
        wireguard::Coalescer coalescer(packets.size());
        std::size_t difference = 0;
        for (const auto& packet : packets) {
            EXPECT_TRUE(coalescer.push(packet));
            difference += packet.size();
        }
        for (const auto& write : coalescer.finish()) {
            for (const auto& part : write.parts) difference -= part.iov_len;
            difference += wireguard::VnetHeader::kSize;
            count_joined_headers(device_, write.parts);
        }
        return difference;
    }

    /// `count` packets of a flow, the last one shorter.
    static std::vector<Bytes> flow(PacketSpec spec, std::size_t count) {
        std::vector<Bytes> packets;
        for (std::size_t i = 0; i < count; ++i) {
            if (i + 1 == count) spec.payload /= 2;
            packets.push_back(make_packet(spec));
            spec.sequence += static_cast<std::uint32_t>(spec.payload);
            ++spec.id;
        }
        return packets;
    }

    crypto::SystemRng rng_;
    wireguard::Device device_;
    wireguard::PeerId peer_{};
    std::shared_ptr<wireguard::Meter> meter_;
};

TEST_F(JoinedHeadersTest, AreAsManyBytesAsTheWritesAreShorter) {
    for (const bool ipv6 : {false, true}) {
        for (const bool udp : {false, true}) {
            for (const std::size_t count : {1U, 2U, 3U, 64U, 100U}) {
                meter_with_garden(nullptr);
                PacketSpec spec;
                spec.ipv6 = ipv6;
                spec.udp = udp;
                if (!udp) spec.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
                const auto difference = write(flow(spec, count));
                EXPECT_EQ(meter_->read().joined_bytes, difference) << ipv6 << udp << count;
                EXPECT_EQ(difference > 0, count > 1);
            }
        }
    }
}

TEST_F(JoinedHeadersTest, OfPacketsFromTheGardenAreFree) {
    const auto packets = flow({}, 10);
    meter_with_garden(packets.data());
    EXPECT_GT(write(packets), 0U);
    EXPECT_EQ(meter_->read().joined_bytes, 0U);
    PacketSpec other;
    other.host = 9;
    const auto difference = write(flow(other, 10));
    EXPECT_EQ(meter_->read().joined_bytes, difference);
    EXPECT_GT(meter_->read().joined_bytes, 0U);
}

TEST_F(JoinedHeadersTest, APeerWithoutMeterHasNone) {
    EXPECT_GT(write(flow({}, 10)), 0U);
}

}  // namespace
}  // namespace myst::dataplane
