#include "myst/dataplane/incoming.hpp"

#include <algorithm>

#include "myst/dataplane/joined_headers.hpp"
#include "myst/dataplane/tun_writer.hpp"
#include "myst/wireguard/messages.hpp"
#include "myst/wireguard/offload/datagrams.hpp"

namespace myst::dataplane {
namespace {

constexpr std::size_t kMaxDatagrams = 8 * wireguard::kMaxGroDatagrams;

}  // namespace

Incoming::Incoming(wireguard::Device& device, wireguard::Aead& aead, wireguard::CoalesceSettings coalesce,
                   sys::PacketMemory& memory)
    : device_(device), aead_(aead), coalescer_(kMaxDatagrams, coalesce), memory_(memory.take(kMemory)) {
    messages_.reserve(kMessages);
    jobs_.reserve(kMaxDatagrams);
    arrivals_.reserve(kMaxDatagrams);
}

bool Incoming::pump(UdpLink& link, sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out) {
    messages_.clear();
    for (std::size_t i = 0; i < kMessages; ++i) {
        messages_.push_back({{}, memory_.subspan(i * kBuffer, kBuffer), 0});
    }
    const std::size_t count = link.receive(messages_);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& message = messages_[i];
        const auto segment = message.segment == 0 ? std::nullopt : std::optional<int>(message.segment);
        const auto datagrams = wireguard::split_gro({message.bytes, segment});
        if (!datagrams) continue;
        for (std::size_t j = 0; j < datagrams->size(); ++j) take((*datagrams)[j], i, now);
    }
    gate(now);
    open(now, out);
    deliver(tun);
    jobs_.clear();
    arrivals_.clear();
    sessions_.clear();
    return count > 0;
}

void Incoming::take(std::span<std::uint8_t> datagram, std::size_t message, wireguard::Now now) {
    const auto type = wireguard::classify(datagram);
    if (!type) return;
    if (*type != wireguard::MessageType::data) return keep_handshake(datagram, message);
    const auto header = wireguard::DataHeader::decode(datagram);
    const auto session = session_of(header.receiver, now);
    if (!session) return;
    const auto& keypair = *sessions_[*session].keypair;
    if (!sessions_[*session].keypair->replay().plausible(header.counter)) return;
    const auto message_bytes = datagram.subspan(wireguard::kDataHeaderSize);
    jobs_.push_back({&keypair.receive_key(), header.counter, message_bytes});
    arrivals_.push_back({*session, message, datagram.size()});
    // Not asked of the job, which is on its way to memory.
    sessions_[*session].metered.expect(message_bytes.size() - wireguard::kTagSize);
}

void Incoming::keep_handshake(BytesView datagram, std::size_t message) {
    if (handshakes_.size() >= kMaxHandshakes) return;
    handshakes_.push_back({{datagram.begin(), datagram.end()}, endpoint_of(messages_[message])});
}

std::optional<std::size_t> Incoming::session_of(std::uint32_t index, wireguard::Now now) {
    const auto known = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                    [index](const Session& session) { return session.index == index; });
    if (known != sessions_.rend()) return static_cast<std::size_t>(sessions_.rend() - known) - 1;
    auto keypair = device_.keypair_to_open(index, now.steady);
    if (keypair == nullptr) return std::nullopt;
    auto* meter = device_.meter(keypair->peer());
    sessions_.push_back({std::move(keypair), index, 0, {}, wireguard::ReceivedBatch(meter)});
    return sessions_.size() - 1;
}

void Incoming::gate(wireguard::Now now) {
    bool all = true;
    for (auto& session : sessions_) all &= session.metered.reserve(now.steady);
    if (all) return;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        auto& arrival = arrivals_[i];
        arrival.admission = sessions_[arrival.session].metered.admit(jobs_[i].text().size());
        if (arrival.admission == wireguard::ReceivedBatch::Admission::refused) continue;
        jobs_[kept] = jobs_[i];
        arrivals_[kept] = arrival;
        ++kept;
    }
    jobs_.resize(kept);
    arrivals_.resize(kept);
}

void Incoming::open(wireguard::Now now, wireguard::Actions& out) {
    aead_.open_batch(jobs_);
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        auto& session = sessions_[arrivals_[i].session];
        auto& job = jobs_[i];
        job.authentic = job.authentic && session.keypair->replay().accept(job.counter);
        if (!job.authentic) {
            session.metered.discard(job.text().size(), arrivals_[i].admission);
            continue;
        }
        session.traffic.wire_bytes += arrivals_[i].size;
        session.traffic.has_data |= !job.text().empty();
        session.last_message = arrivals_[i].message;
    }
    for (const auto& session : sessions_) {
        if (session.traffic.wire_bytes == 0) continue;
        device_.received(*session.keypair, session.traffic, endpoint_of(messages_[session.last_message]), now, out);
    }
}

void Incoming::deliver(sys::TunDevice& tun) {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const auto text = jobs_[i].text();
        if (!jobs_[i].authentic || text.empty()) continue;
        auto& session = sessions_[arrivals_[i].session];
        const auto packet = device_.admit(session.keypair->peer(), text);
        if (!packet || !session.metered.deliver(*packet, arrivals_[i].admission)) continue;
        std::ignore = coalescer_.push(text.first(packet->length));  // it has room for all datagrams
    }
    bool metered = false;
    for (auto& session : sessions_) {
        session.metered.settle();
        metered |= session.metered.has_meter();
    }
    write_packets(coalescer_, [&](std::span<const iovec> parts) {
        auto done = tun.write(parts);
        if (metered && done && *done) count_joined_headers(device_, parts);
        return done;
    });
    coalescer_.clear();
}

}  // namespace myst::dataplane
