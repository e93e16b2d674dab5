#include "myst/dataplane/outgoing.hpp"

#include <algorithm>

#include "myst/base/log.hpp"

namespace myst::dataplane {
namespace {

constexpr std::size_t kMaxReads = 64;
constexpr std::size_t kMaxBytes = 256 * 1024;

}  // namespace

bool Outgoing::pump(sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out) {
    std::size_t bytes = 0;
    bool more = true;
    for (std::size_t reads = 0; reads < kMaxReads && bytes < kMaxBytes; ++reads) {
        const auto size = tun.read(buffer_);
        if (!size) log::warn("dataplane: {}", size.error().describe());
        if (!size || *size == 0) {
            more = false;
            break;
        }
        bytes += *size;
        take(buffer_.first(*size), tun, now, out);
    }
    flush(now, out);
    return more;
}

void Outgoing::refuse(BytesView packet, sys::TunDevice& tun, wireguard::Now now) {
    auto answer = refusals_.answer(packet, now.steady);
    if (!answer) return;
    std::array<std::uint8_t, wireguard::VnetHeader::kSize> header{};  // nothing is left to the kernel
    const std::array<iovec, 2> parts{iovec{header.data(), header.size()}, iovec{answer->data(), answer->size()}};
    std::ignore = tun.write(parts);
}

void Outgoing::take(BytesView read, sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out) {
    const auto packet = wireguard::SuperPacket::parse(read);
    if (!packet) return;
    const auto inner = wireguard::parse_inner_packet(packet->packet());
    if (!inner) return;
    const std::size_t segments = packet->segments();
    const std::size_t largest = packet->segment_size(0);
    if (largest > Sealer::kMaxPacket) return;
    const auto peer = device_.route(inner->destination);
    if (!peer) return refuse(packet->packet(), tun, now);
    if (!sealer_.has_room(segments, largest)) flush(now, out);
    auto* session = session_of(*peer, now);
    const auto first = session != nullptr ? session->keypair->take_counters(segments) : std::nullopt;
    if (!first) return keep(*peer, *packet, *inner, now, out);
    // Counters of segments that may not be sent are not used; nobody misses them.
    const auto admitted = session->metered.admit(*inner, segments, largest, packet->segment_size(segments - 1));
    for (std::size_t i = 0; i < admitted; ++i) {
        const std::size_t size = packet->segment_size(i);
        // Only if headers of hundreds of bytes are repeated in each of a thousand segments. All are reserved, and are
        // counted with the last.
        if (!sealer_.has_room(1, size)) sealer_.flush();
        packet->write_segment(i, sealer_.add(*session->keypair, *first + i, session->to, size));
        session->traffic.wire_bytes += wireguard::kKeepaliveSize + sealer_.padded_size(size);
        session->traffic.has_data = true;
    }
}

void Outgoing::keep(wireguard::PeerId peer, const wireguard::SuperPacket& packet, const wireguard::InnerPacket& inner,
                    wireguard::Now now, wireguard::Actions& out) {
    wireguard::SentBatch metered(device_.meter(peer));
    if (metered.may_wait(inner, packet.segments(), packet.segment_size(0))) {
        for (std::size_t i = 0; i < packet.segments(); ++i) {
            Bytes waiting(packet.segment_size(i));
            packet.write_segment(i, waiting);
            device_.stage(peer, std::move(waiting), now, out);
        }
    }
    metered.settle();
}

Outgoing::Session* Outgoing::session_of(wireguard::PeerId peer, wireguard::Now now) {
    const auto known = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                    [peer](const Session& session) { return session.peer == peer; });
    if (known != sessions_.rend()) return &*known;
    auto keypair = device_.keypair_to_send(peer, now.steady);
    const auto* state = device_.peer(peer);
    if (keypair == nullptr || state == nullptr || !state->endpoint()) return nullptr;
    sessions_.push_back({peer, std::move(keypair), *state->endpoint(), {}, wireguard::SentBatch(state->meter())});
    return &sessions_.back();
}

void Outgoing::flush(wireguard::Now now, wireguard::Actions& out) {
    // Counted first: nobody sees a packet that is on no meter yet.
    for (auto& session : sessions_) session.metered.settle();
    sealer_.flush();
    for (const auto& session : sessions_) {
        if (session.traffic.wire_bytes > 0) device_.sent(session.peer, session.traffic, now, out);
    }
    sessions_.clear();
}

}  // namespace myst::dataplane
