// What a TUN device was read to give: header and packet.
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/super_packet.hpp"
#include "myst/wireguard/offload/unreachable.hpp"

namespace myst::fuzz {
namespace {

using namespace wireguard;

/// A segment is an IP packet by itself, with good checksums.
void check_segment(BytesView segment) {
    CHECK(is_ip(segment));
    if (is_ipv4(segment)) CHECK(is_intact(sum_of(segment.first(ip_header_size(segment)))));
    const auto transport = find_transport(segment);
    CHECK(transport);
    const auto content = segment.subspan(transport->at);
    CHECK(is_intact(pseudo_header_sum(segment, transport->protocol, content.size()) + sum_of(content)));
}

/// If nobody takes it, its sender is told: once.
void check_answer(BytesView packet) {
    const auto answer = make_unreachable(packet);
    if (answer) CHECK(is_ip(*answer) && !make_unreachable(*answer));
}

void run(BytesView input) {
    const auto super = SuperPacket::parse(input);
    if (!super) return;
    check_answer(super->packet());
    CHECK(super->segments() >= 1 && super->segments() <= SuperPacket::kMaxSegments);
    const auto header = VnetHeader::decode(input.first<VnetHeader::kSize>());
    for (std::size_t i = 0; i < super->segments(); ++i) {
        Bytes segment(super->segment_size(i));  // of exactly this size, so that the sanitizer sees one byte more
        super->write_segment(i, segment);
        if (header.gso_type != VnetHeader::kGsoNone) check_segment(segment);
    }
    if (header.gso_type == VnetHeader::kGsoNone) CHECK(super->segments() == 1);
}

}  // namespace
}  // namespace myst::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    myst::fuzz::run({data, size});
    return 0;
}
