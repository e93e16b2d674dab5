// Taking apart what was joined gives the same packets, whatever they were.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/wireguard/offload/coalescer.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

using test::PacketSpec;

std::size_t number(std::size_t below) {
    return *rc::gen::inRange<std::size_t>(0, below);
}
bool one_in(std::size_t count) {
    return number(count) == 0;
}

/// A few flows whose packets mostly follow each other, with every now and then something else in between.
class Traffic {
public:
    Traffic() : flows_(1 + number(4)) {
        for (auto& flow : flows_) {
            flow.ipv6 = one_in(2);
            flow.udp = one_in(2);
            flow.df = one_in(2);
            flow.host = static_cast<std::uint8_t>(number(2));
            flow.port = static_cast<std::uint16_t>(number(2));
            flow.payload = 1 + number(1400);
            flow.sequence = *rc::gen::arbitrary<std::uint32_t>();
            flow.id = *rc::gen::arbitrary<std::uint16_t>();
            flow.fill = *rc::gen::arbitrary<std::uint8_t>();
            if (one_in(2)) flow.tcp_options = Bytes(12, 1);
            same_id_.push_back(one_in(3));
        }
    }

    Bytes next() {
        const auto index = number(flows_.size());
        auto& flow = flows_[index];
        auto spec = flow;
        change(spec);
        flow.sequence += static_cast<std::uint32_t>(spec.payload);
        if (!same_id_[index]) ++flow.id;
        auto packet = test::make_packet(spec);
        if (one_in(40)) packet[number(packet.size())] ^= 1;
        if (one_in(60)) packet.resize(number(packet.size()));
        return packet;
    }

private:
    static void change(PacketSpec& spec) {
        if (one_in(10)) spec.payload = number(1400);
        if (one_in(20)) spec.flags |= static_cast<std::uint8_t>(1 << number(8));
        if (one_in(30)) ++spec.acknowledgement;
        if (one_in(30)) spec.wrong_checksum = true;
        if (one_in(30)) spec.no_udp_checksum = true;
        if (one_in(30)) spec.ttl = 63;
        if (one_in(30)) spec.fragment = 0x2000;
        if (one_in(30)) spec.ip_options = 4;
        if (one_in(30)) spec.sequence -= 1;
    }

    std::vector<PacketSpec> flows_;
    std::vector<bool> same_id_;
};

TEST(OffloadProperty, SplittingWhatWasJoinedGivesTheSamePackets) {
    std::size_t joined = 0;
    rc::check("split after coalesce is identity", [&joined] {
        Traffic traffic;
        std::vector<Bytes> packets;
        for (auto left = number(120); left > 0; --left) packets.push_back(traffic.next());
        Coalescer coalescer(packets.size());
        for (const auto& packet : packets) RC_ASSERT(coalescer.push(packet));
        const auto writes = coalescer.finish();
        joined += packets.size() - writes.size();
        RC_ASSERT(test::stands_for(writes, packets));
    });
    EXPECT_GT(joined, 0U);
}

TEST(OffloadProperty, JoiningWhatWasSplitGivesTheSameSuperPacket) {
    rc::check("coalesce after split is identity", [] {
        PacketSpec spec;
        spec.ipv6 = one_in(2);
        spec.udp = one_in(2);
        const auto gso_size = 1 + number(1400);
        const auto packets = 2 + number(std::min<std::size_t>(62, 65'000 / gso_size - 1));
        spec.payload = gso_size;
        spec.sequence = *rc::gen::arbitrary<std::uint32_t>();
        spec.id = *rc::gen::arbitrary<std::uint16_t>();
        std::vector<Bytes> sent;
        for (std::size_t i = 0; i < packets; ++i) {
            if (i + 1 == packets) spec.payload = 1 + number(gso_size);
            if (i + 1 == packets && one_in(2)) spec.flags |= 0x08;
            sent.push_back(test::make_packet(spec));
            spec.sequence += static_cast<std::uint32_t>(gso_size);
            ++spec.id;
        }
        Coalescer coalescer(packets);
        for (const auto& packet : sent) RC_ASSERT(coalescer.push(packet));
        const auto writes = coalescer.finish();
        RC_ASSERT(writes.size() == 1U);
        const auto super = test::joined(writes[0]);
        RC_ASSERT(test::segments_of(SuperPacket::parse(super).value()) == sent);
    });
}

}  // namespace
}  // namespace myst::wireguard
