// Randomness and packets for tests of the protocol.
#pragma once

#include <cstdint>
#include <string_view>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"
#include "myst/wireguard/endpoint.hpp"

namespace myst::wireguard::test {

/// SplitMix64: the same seed gives the same bytes everywhere.
class SeededRng final : public Rng {
public:
    explicit SeededRng(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// 0 … limit − 1.
    std::uint64_t below(std::uint64_t limit) { return next() % limit; }
    bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
    void fill(std::span<std::uint8_t> out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(next());
    }

private:
    std::uint64_t state_;
};

[[nodiscard]] inline Secret<32> secret_of(BytesView bytes) {
    Secret<32> secret;
    std::copy(bytes.begin(), bytes.end(), secret.expose_mutable().begin());
    return secret;
}

[[nodiscard]] inline IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}
[[nodiscard]] inline IpPrefix prefix(std::string_view text) {
    return IpPrefix::parse(text).value();
}
[[nodiscard]] inline Endpoint endpoint(std::string_view text) {
    return Endpoint::parse(text).value();
}

/// An IP packet with this much content behind its header, and no checksum.
[[nodiscard]] inline Bytes ip_packet(const IpAddress& from, const IpAddress& to, std::size_t content) {
    const bool v4 = from.version == IpAddress::Version::v4;
    Bytes packet((v4 ? 20 : 40) + content, 0x5a);
    const auto length = static_cast<std::uint16_t>(v4 ? packet.size() : content);
    packet[0] = v4 ? 0x45 : 0x60;
    packet[v4 ? 2 : 4] = static_cast<std::uint8_t>(length >> 8);
    packet[v4 ? 3 : 5] = static_cast<std::uint8_t>(length);
    std::copy(from.view().begin(), from.view().end(), packet.begin() + (v4 ? 12 : 8));
    std::copy(to.view().begin(), to.view().end(), packet.begin() + (v4 ? 16 : 24));
    return packet;
}

}  // namespace myst::wireguard::test
