#include "myst/dataplane/sealer.hpp"

#include <algorithm>

#include "myst/base/check.hpp"
#include "myst/wireguard/messages.hpp"

namespace myst::dataplane {
namespace {

constexpr std::size_t kMaxEntries = 2'048;

}  // namespace

Sealer::Sealer(wireguard::Aead& aead, UdpLink& link, sys::PacketMemory& memory)
    : aead_(aead), link_(link), memory_(memory.take(kMemory)) {
    jobs_.reserve(kMaxEntries);
    entries_.reserve(kMaxEntries);
    sizes_.reserve(kMaxEntries);
    messages_.reserve(kMaxEntries);
}

std::size_t Sealer::padded_size(std::size_t packet) const {
    const std::size_t padded = (packet + 15) / 16 * 16;
    return std::max(packet, std::min(padded, mtu_));
}

bool Sealer::has_room(std::size_t packets, std::size_t size) const {
    const std::size_t message = wireguard::kDataHeaderSize + (size + 15) / 16 * 16 + wireguard::kTagSize;
    return entries_.size() + packets <= kMaxEntries && packets * message <= memory_.size() - used_;
}

std::span<std::uint8_t> Sealer::add(const wireguard::Keypair& keypair, std::uint64_t counter,
                                    const wireguard::Endpoint& to, std::size_t size) {
    CHECK(has_room(1, size));
    const std::size_t padded = padded_size(size);
    const std::size_t total = wireguard::kDataHeaderSize + padded + wireguard::kTagSize;
    const auto message = memory_.subspan(used_, total);
    const auto header = wireguard::DataHeader{keypair.indexes().remote, counter}.encode();
    std::copy(header.begin(), header.end(), message.begin());
    const auto padding = message.subspan(wireguard::kDataHeaderSize + size, padded - size);
    std::fill(padding.begin(), padding.end(), std::uint8_t{0});
    jobs_.push_back({&keypair.send_key(), counter, message.subspan(wireguard::kDataHeaderSize)});
    entries_.push_back({used_, total, to});
    sizes_.push_back(total);
    used_ += total;
    return message.subspan(wireguard::kDataHeaderSize, size);
}

sys::UdpMessage Sealer::message_of(std::size_t first, std::size_t& next) {
    const auto& entry = entries_[first];
    std::size_t same = first + 1;
    while (same < entries_.size() && entries_[same].to == entry.to) ++same;
    wireguard::GsoLimits limits;
    if (entry.to.address.version == wireguard::IpAddress::Version::v6) limits.max_bytes = wireguard::kMaxUdp6;
    const auto count = wireguard::gso_run(std::span(sizes_).subspan(first, same - first), limits);
    next = first + count;
    const auto& last = entries_[next - 1];
    return message_to(entry.to, memory_.subspan(entry.at, last.at + last.size - entry.at),
                      count > 1 ? static_cast<std::uint16_t>(entry.size) : std::uint16_t{0});
}

void Sealer::flush() {
    if (entries_.empty()) return;
    aead_.seal_batch(jobs_);
    for (std::size_t first = 0; first < entries_.size();) {
        std::size_t next = first;
        messages_.push_back(message_of(first, next));
        first = next;
    }
    link_.send(messages_);
    messages_.clear();
    jobs_.clear();
    entries_.clear();
    sizes_.clear();
    used_ = 0;
}

}  // namespace myst::dataplane
