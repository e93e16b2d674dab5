#include "myst/vpn/ip_address.hpp"

#include <arpa/inet.h>

#include <array>

#include "myst/base/amount.hpp"

namespace myst::vpn {
namespace {

std::uint32_t mask_of(std::uint8_t prefix) {
    return prefix == 0 ? 0 : 0xffffffffU << (32 - prefix);
}

/// Whether a host can have this address: not zero, loopback, multicast, reserved or broadcast.
bool is_host_address(Ipv4 address) {
    const auto first = address.value >> 24;
    return first != 0 && first != 127 && first < 224;
}

bool is_host_address6(const in6_addr& address) {
    return !(IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_MULTICAST(&address) ||
             IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_V4MAPPED(&address));
}

}  // namespace

Result<Ipv4> Ipv4::parse(const std::string& text) {
    in_addr address{};
    // inet_pton takes exactly four decimal numbers; the way back refuses leading zeros and embedded NULs.
    if (::inet_pton(AF_INET, text.c_str(), &address) == 1) {
        const Ipv4 parsed{ntohl(address.s_addr)};
        if (parsed.to_string() == text) return parsed;
    }
    return fail(ErrorCode::invalid_argument, "not an IPv4 address: \"" + text.substr(0, 64) + "\"");
}

std::string Ipv4::to_string() const {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (!text.empty()) text += '.';
        text += std::to_string((value >> shift) & 0xff);
    }
    return text;
}

Result<Ipv4Network> Ipv4Network::parse(const std::string& text) {
    const auto slash = text.find('/');
    auto address = Ipv4::parse(text.substr(0, slash));
    if (!address) return forward_error(address);
    Ipv4Network network{.address = *address, .prefix = 32};
    if (slash != std::string::npos) {
        const auto length = parse_u64(std::string_view(text).substr(slash + 1));
        if (!length || *length > 32) {
            return fail(ErrorCode::invalid_argument, "not a prefix length: \"" + text.substr(0, 64) + "\"");
        }
        network.prefix = static_cast<std::uint8_t>(*length);
    }
    if ((network.address.value & ~mask_of(network.prefix)) != 0) {
        return fail(ErrorCode::invalid_argument, text + " has bits set behind its prefix",
                    "write " + Ipv4{network.address.value & mask_of(network.prefix)}.to_string() + "/" +
                        std::to_string(network.prefix));
    }
    return network;
}

bool Ipv4Network::contains(Ipv4 other) const {
    return (other.value & mask_of(prefix)) == address.value;
}

std::string Ipv4Network::to_string() const {
    return address.to_string() + "/" + std::to_string(prefix);
}

Result<std::string> parse_host_literal(const std::string& text) {
    if (auto v4 = Ipv4::parse(text); v4) {
        if (is_host_address(*v4)) return text;
        return fail(ErrorCode::invalid_argument, text + " is not an address that a host can have");
    }
    in6_addr address{};
    std::array<char, INET6_ADDRSTRLEN> canonical{};
    if (text.find('\0') != std::string::npos || ::inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        return fail(ErrorCode::invalid_argument, "not an IP address: \"" + text.substr(0, 64) + "\"");
    }
    if (!is_host_address6(address)) {
        return fail(ErrorCode::invalid_argument, text + " is not an address that a host can have");
    }
    return std::string(::inet_ntop(AF_INET6, &address, canonical.data(), canonical.size()));
}

}  // namespace myst::vpn
