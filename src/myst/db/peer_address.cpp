#include "myst/db/peer_address.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "myst/base/ip_ranges.hpp"

namespace myst::db {
namespace {

namespace ip = asio::ip;

constexpr std::uint16_t kFirstFreePort = 1024;
constexpr unsigned short kGroupV4 = 16;
constexpr unsigned short kGroupV6 = 32;

/// A beginning of IPv6 addresses.
struct Ipv6Range {
    std::array<std::uint8_t, 4> first;
    unsigned prefix;  ///< at most 32
};

/// Inside 2000::/3, but no ordinary host.
constexpr std::array kSpecialIpv6Ranges{
    Ipv6Range{{0x20, 0x01, 0x00, 0x00}, 23},  // protocol assignments: Teredo, benchmarks, ORCHID, RFC 2928
    Ipv6Range{{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation, RFC 3849
    Ipv6Range{{0x20, 0x02, 0x00, 0x00}, 16},  // 6to4: holds an IPv4 address, RFC 3056
    Ipv6Range{{0x3f, 0xff, 0x00, 0x00}, 20},  // documentation, RFC 9637
};

std::uint32_t number_of(const std::array<std::uint8_t, 4>& bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool is_public_v6(const ip::address_v6& address) {
    const auto bytes = address.to_bytes();
    if ((bytes[0] & 0xe0U) != 0x20U) return false;  // 2000::/3, global unicast
    const auto first = number_of({bytes[0], bytes[1], bytes[2], bytes[3]});
    return std::none_of(kSpecialIpv6Ranges.begin(), kSpecialIpv6Ranges.end(), [first](const Ipv6Range& range) {
        return ((first ^ number_of(range.first)) >> (32U - range.prefix)) == 0;
    });
}

/// Unspecified or multicast, also in the form ::ffff:a.b.c.d, which the kernel takes for the IPv4 address.
bool is_nobody(const ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        const auto inner = ip::make_address_v4(ip::v4_mapped, address.to_v6());
        return inner.is_unspecified() || inner.is_multicast();
    }
    return address.is_unspecified() || address.is_multicast();
}

}  // namespace

bool is_public_address(const ip::address& address) {
    return address.is_v4() ? !is_special_ipv4(address.to_v4().to_uint()) : is_public_v6(address.to_v6());
}

bool may_connect(const ip::address& address, AddressScope scope) {
    return scope == AddressScope::public_only ? is_public_address(address) : !is_nobody(address);
}

bool may_connect(std::uint16_t port) {
    return port == 80 || port == 443 || port >= kFirstFreePort;
}

std::optional<ip::address> literal_of(const RelayUrl& url) {
    boost::system::error_code not_literal;
    const auto address = ip::make_address(url.host, not_literal);
    if (not_literal) return std::nullopt;
    return address;
}

std::string group_of(const ip::address& address, std::uint16_t port) {
    if (!is_public_address(address)) return fmt::format("{}:{}", address.to_string(), port);
    if (address.is_v4()) return ip::make_network_v4(address.to_v4(), kGroupV4).canonical().to_string();
    return ip::make_network_v6(address.to_v6(), kGroupV6).canonical().to_string();
}

std::string group_of(const RelayUrl& url) {
    if (const auto address = literal_of(url)) return group_of(*address, url.port);
    const auto last = url.host.rfind('.');
    if (last == std::string::npos || last == 0) return url.host;
    const auto before = url.host.rfind('.', last - 1);
    return before == std::string::npos ? url.host : url.host.substr(before + 1);
}

}  // namespace myst::db
