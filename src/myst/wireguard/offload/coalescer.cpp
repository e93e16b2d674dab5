#include "myst/wireguard/offload/coalescer.hpp"

#include <algorithm>
#include <cstring>

#include "myst/base/check.hpp"
#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

using Kind = JoinablePacket::Kind;

bool dont_fragment(BytesView ipv4) {
    return (load_be16(ipv4.data() + kIpv4FragmentAt) & kIpv4DontFragment) != 0;
}

/// IPv4 identifications count up. With DF, where they mean nothing, they may also stay the same.
bool id_follows(const JoinablePacket& last, const JoinablePacket& packet, bool only_same, bool only_counting) {
    if (!is_ipv4(packet.bytes)) return true;
    const auto step = static_cast<std::uint16_t>(packet.id - last.id);
    return (step == 1 && !only_same) || (step == 0 && !only_counting && dont_fragment(packet.bytes));
}

std::uint8_t gso_type_of(const JoinablePacket& packet) {
    if (!packet.is_tcp()) return VnetHeader::kGsoUdp;
    return is_ipv4(packet.bytes) ? VnetHeader::kGsoTcp4 : VnetHeader::kGsoTcp6;
}

}  // namespace

Coalescer::Coalescer(std::size_t capacity, CoalesceSettings settings) : settings_(settings), capacity_(capacity) {
    entries_.reserve(capacity);
    items_.reserve(capacity);
    open_.reserve(kMaxOpen);
    headers_.resize(capacity);
    parts_.reserve(2 * capacity);
    writes_.reserve(capacity);
}

void Coalescer::clear() {
    entries_.clear();
    items_.clear();
    open_.clear();
    parts_.clear();
    writes_.clear();
}

bool Coalescer::push(BytesView bytes) {
    if (entries_.size() == capacity_) return false;
    const auto entry = entries_.size();
    entries_.push_back({bytes});
    auto packet = examine(bytes);
    if (packet.kind == Kind::joinable && !(packet.is_tcp() ? settings_.tcp : settings_.udp))
        packet.kind = Kind::solitary;

    if (packet.kind == Kind::foreign) {
        close_all_between_its_addresses(bytes);
    } else if (const auto found = find_open(packet); found != kNone) {
        if (packet.kind == Kind::joinable && fits(items_[found], packet)) {
            join(found, packet, entry);
            return true;
        }
        close(found);
    }
    items_.push_back({packet, packet, entry, entry, 1, bytes.size(), false});
    if (packet.kind == Kind::joinable && !packet.ends_item()) open(items_.size() - 1);
    return true;
}

std::size_t Coalescer::find_open(const JoinablePacket& packet) const {
    const auto found =
        std::find_if(open_.begin(), open_.end(), [&](auto item) { return same_flow(items_[item].first, packet); });
    return found == open_.end() ? kNone : *found;
}

bool Coalescer::fits(const Item& item, const JoinablePacket& packet) {
    const auto& first = item.first;
    const auto& last = item.last;
    if (item.packets == kMaxJoined || item.size + packet.payload() > kMaxIpPacket) return false;
    if (packet.payload() > first.payload() || !headers_match(first, packet)) return false;
    const bool several = item.packets > 1;
    if (!id_follows(last, packet, several && item.same_ids, several && !item.same_ids)) return false;
    return !packet.is_tcp() || packet.sequence == static_cast<std::uint32_t>(last.sequence + last.payload());
}

void Coalescer::join(std::size_t index, const JoinablePacket& packet, std::size_t entry) {
    auto& item = items_[index];
    if (item.packets == 1) item.same_ids = packet.id == item.last.id;
    entries_[item.tail].next = entry;
    item.tail = entry;
    item.last = packet;
    item.size += packet.payload();
    ++item.packets;
    if (packet.ends_item() || packet.payload() < item.first.payload()) close(index);
}

void Coalescer::open(std::size_t item) {
    if (open_.size() == kMaxOpen) open_.erase(open_.begin());
    open_.push_back(item);
}

void Coalescer::close(std::size_t item) {
    open_.erase(std::find(open_.begin(), open_.end(), item));
}

void Coalescer::close_all_between_its_addresses(BytesView packet) {
    const auto ends = [&](auto item) { return same_addresses(items_[item].first.bytes, packet); };
    open_.erase(std::remove_if(open_.begin(), open_.end(), ends), open_.end());
}

std::span<const TunWrite> Coalescer::finish() {
    CHECK(writes_.empty());
    for (std::size_t i = 0; i < items_.size(); ++i) {
        const auto before = parts_.size();
        if (items_[i].packets == 1) {
            write_single(items_[i], headers_[i]);
        } else {
            write_joined(items_[i], headers_[i]);
        }
        const bool joined_tcp = items_[i].packets > 1 && items_[i].first.is_tcp();
        writes_.push_back({std::span(parts_).subspan(before), items_[i].packets, joined_tcp, i});
    }
    return writes_;
}

void Coalescer::write_single(const Item& item, std::span<std::uint8_t> header) {
    VnetHeader vnet;
    if (item.first.verified) vnet.flags = VnetHeader::kDataValid;
    vnet.encode(header.first<VnetHeader::kSize>());
    add_part(header.first(VnetHeader::kSize));
    add_part(item.first.bytes);
}

void Coalescer::write_joined(const Item& item, std::span<std::uint8_t> header) {
    const auto& first = item.first;
    const auto checksum = first.is_tcp() ? kTcpChecksumAt : kUdpChecksumAt;
    const VnetHeader vnet{VnetHeader::kNeedsChecksum,
                          gso_type_of(first),
                          static_cast<std::uint16_t>(first.header),
                          static_cast<std::uint16_t>(first.payload()),
                          static_cast<std::uint16_t>(first.ip_header),
                          static_cast<std::uint16_t>(checksum)};
    vnet.encode(header.first<VnetHeader::kSize>());
    const auto headers = header.subspan(VnetHeader::kSize, first.header);
    std::memcpy(headers.data(), first.bytes.data(), first.header);

    auto* ip = headers.data();
    auto* transport = ip + first.ip_header;
    const auto length = item.size - first.ip_header;
    if (is_ipv4(headers)) {
        store_be16(ip + kIpv4LengthAt, static_cast<std::uint16_t>(item.size));
        store_be16(ip + kIpv4ChecksumAt, 0);
        store_checksum(ip + kIpv4ChecksumAt, sum_of(headers.first(first.ip_header)));
    } else {
        store_be16(ip + kIpv6LengthAt, static_cast<std::uint16_t>(length));
    }
    if (first.is_tcp()) {
        transport[kTcpFlagsAt] |= item.last.bytes[first.ip_header + kTcpFlagsAt];
    } else {
        store_be16(transport + kUdpLengthAt, static_cast<std::uint16_t>(length));
    }
    // The kernel adds what is behind; the field holds the sum of the pseudo-header, not its complement.
    const auto sum = folded(pseudo_header_sum(headers, first.protocol, length));
    std::memcpy(transport + checksum, &sum, sizeof sum);

    add_part(header.first(VnetHeader::kSize + first.header));
    for (auto entry = item.head; entry != kNone; entry = entries_[entry].next) {
        add_part(entries_[entry].bytes.subspan(first.header));
    }
}

void Coalescer::add_part(BytesView part) {
    parts_.push_back({const_cast<std::uint8_t*>(part.data()), part.size()});
}

}  // namespace myst::wireguard
