// Addresses, endpoints and prefixes of both IP versions as values, and their text.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

/// An IPv4 or IPv6 address in network order. IPv4 uses the first four bytes; the others are zero.
struct IpAddress {
    enum class Version : std::uint8_t { v4 = 4, v6 = 6 };

    Version version = Version::v4;
    std::array<std::uint8_t, 16> bytes{};

    /// `view` has 4 or 16 bytes.
    [[nodiscard]] static IpAddress from(BytesView view);
    /// The same for a size that is known early. The address must be new.
    template <std::size_t Size>
    void assign(std::span<const std::uint8_t, Size> view) {
        static_assert(Size == 4 || Size == 16);
        version = Size == 4 ? Version::v4 : Version::v6;
        std::memcpy(bytes.data(), view.data(), Size);
    }
    /// Dotted decimal or IPv6 text without a zone; anything else is invalid_data.
    [[nodiscard]] static Result<IpAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    /// The 4 or 16 bytes.
    [[nodiscard]] BytesView view() const { return BytesView(bytes).first(version == Version::v4 ? 4 : 16); }
    /// 32 or 128.
    [[nodiscard]] unsigned bits() const { return version == Version::v4 ? 32 : 128; }
    auto operator<=>(const IpAddress&) const = default;
    /// The first four bytes by themselves: where an IPv4 address was written a moment ago, a processor that is asked
    /// for more bytes at once than were written at once waits until the memory has them.
    bool operator==(const IpAddress& other) const {
        return version == other.version && std::memcmp(bytes.data(), other.bytes.data(), 4) == 0 &&
               std::memcmp(bytes.data() + 4, other.bytes.data() + 4, 12) == 0;
    }
};

/// The own address that a peer's datagrams come to, and that ours to it leave from.
struct Source {
    std::array<std::uint8_t, 16> address{};  ///< of the endpoint's IP version; zeros: left to the system
    std::uint32_t link = 0;                  ///< index of the interface, for link-local addresses

    [[nodiscard]] bool known() const { return *this != Source{}; }
    auto operator<=>(const Source&) const = default;
};

/// Where a peer's datagrams come from and go to.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    Source source{};  ///< not part of the text

    /// "192.0.2.1:51820" or "[2001:db8::1]:51820"; port 0 and anything else is invalid_data.
    [[nodiscard]] static Result<Endpoint> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    auto operator<=>(const Endpoint&) const = default;
};

/// The addresses whose first `length` bits are those of `address`; the other bits of `address` are zero.
struct IpPrefix {
    IpAddress address;
    std::uint8_t length = 0;

    /// Clears the bits behind the prefix. `length` ≤ address.bits().
    [[nodiscard]] static IpPrefix of(IpAddress address, unsigned length);
    /// "10.0.0.0/8" or a single address; bits behind the prefix are cleared. Anything else is invalid_data.
    [[nodiscard]] static Result<IpPrefix> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] bool contains(const IpAddress& other) const;
    auto operator<=>(const IpPrefix&) const = default;
};

}  // namespace myst::wireguard
