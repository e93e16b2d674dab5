#include "myst/wireguard/offload/unreachable.hpp"

#include <algorithm>

#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {
namespace {

constexpr std::size_t kIcmpHeader = 8;
constexpr std::uint8_t kIcmp4 = 1;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kHopLimit = 64;
constexpr std::size_t kLongest4 = 576;    // RFC 1812, section 4.3.2.3
constexpr std::size_t kLongest6 = 1'280;  // RFC 4443, section 2.4

/// Addresses that stand for one host each, elsewhere too.
bool is_unicast4(const std::uint8_t* address) {
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

bool is_unicast6(const std::uint8_t* address) {
    return address[0] != 0xff && std::any_of(address, address + 16, [](std::uint8_t byte) { return byte != 0; });
}

/// Echo requests and their answers and the like are no errors.
bool is_error4(BytesView icmp) {
    constexpr std::uint8_t kErrors[] = {3, 4, 5, 11, 12};
    return icmp.empty() || std::find(std::begin(kErrors), std::end(kErrors), icmp[0]) != std::end(kErrors);
}

bool is_error6(BytesView icmp) {
    return icmp.empty() || icmp[0] < 128 || icmp[0] == 137;  // a redirect
}

bool gets_answer(BytesView packet) {
    const auto transport = packet.subspan(ip_header_size(packet));
    const auto* const addresses = ip_addresses(packet).data();
    if (is_ipv4(packet)) {
        const bool later_fragment = (load_be16(packet.data() + kIpv4FragmentAt) & 0x1fff) != 0;
        const bool error = packet[kIpv4ProtocolAt] == kIcmp4 && is_error4(transport);
        return !later_fragment && !error && is_unicast4(addresses) && is_unicast4(addresses + 4);
    }
    const auto found = find_transport(packet);
    if (!found) return false;  // a fragment, or more than can be told
    const bool error = found->protocol == kIcmp6 && is_error6(packet.subspan(found->at));
    return !error && is_unicast6(addresses) && is_unicast6(addresses + 16);
}

void write_ip4(std::span<std::uint8_t> answer, BytesView packet) {
    auto* const ip = answer.data();
    ip[0] = 0x45;
    ip[1] = 0xc0;  // as routers' own packets
    store_be16(ip + kIpv4LengthAt, static_cast<std::uint16_t>(answer.size()));
    ip[8] = kHopLimit;
    ip[kIpv4ProtocolAt] = kIcmp4;
    const auto addresses = ip_addresses(packet);
    std::copy_n(addresses.begin() + 4, 4, ip + kIpv4AddressesAt);
    std::copy_n(addresses.begin(), 4, ip + kIpv4AddressesAt + 4);
    store_checksum(ip + kIpv4ChecksumAt, sum_of(answer.first(kIpv4Header)));
}

void write_ip6(std::span<std::uint8_t> answer, BytesView packet) {
    auto* const ip = answer.data();
    ip[0] = 0x60;
    store_be16(ip + kIpv6LengthAt, static_cast<std::uint16_t>(answer.size() - kIpv6Header));
    ip[kIpv6NextAt] = kIcmp6;
    ip[7] = kHopLimit;
    const auto addresses = ip_addresses(packet);
    std::copy_n(addresses.begin() + 16, 16, ip + kIpv6AddressesAt);
    std::copy_n(addresses.begin(), 16, ip + kIpv6AddressesAt + 16);
}

}  // namespace

std::optional<Bytes> make_unreachable(BytesView packet) {
    if (!is_ip(packet) || !gets_answer(packet)) return std::nullopt;
    const bool v4 = is_ipv4(packet);
    const std::size_t header = v4 ? kIpv4Header : kIpv6Header;
    const auto quoted = packet.first(std::min(packet.size(), (v4 ? kLongest4 : kLongest6) - header - kIcmpHeader));
    Bytes answer(header + kIcmpHeader + quoted.size());
    const auto icmp = std::span(answer).subspan(header);
    icmp[0] = v4 ? 3 : 1;
    icmp[1] = v4 ? 1 : 3;
    std::copy(quoted.begin(), quoted.end(), icmp.begin() + kIcmpHeader);
    if (v4) {
        write_ip4(answer, packet);
        store_checksum(icmp.data() + 2, sum_of(icmp));
    } else {
        write_ip6(answer, packet);
        store_checksum(icmp.data() + 2, pseudo_header_sum(answer, kIcmp6, icmp.size()) + sum_of(icmp));
    }
    return answer;
}

std::optional<Bytes> Refusals::answer(BytesView packet, MonotonicTime now) {
    if (!allowed_.take(now)) return std::nullopt;
    auto answer = make_unreachable(packet);
    if (!answer) allowed_.give_back();
    return answer;
}

}  // namespace myst::wireguard
