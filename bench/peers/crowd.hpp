// The other ends of a device with many peers: their keys and sessions, without a device for each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "myst/wireguard/actions.hpp"
#include "myst/wireguard/cookie.hpp"
#include "myst/wireguard/noise.hpp"

namespace myst::bench {

/// Members are numbered from 0; at most 65,536. Allocates only when it is made. One thread.
class Crowd {
public:
    struct Session {
        wireguard::SessionKeys keys;
        std::uint32_t receiver = 0;  ///< index in messages to the device
        std::uint64_t counter = 0;   ///< of the next message to it
    };

    /// The key is the device's, which never asks for cookies.
    Crowd(std::size_t size, const TunnelKey& device, Rng& rng);

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] const TunnelKey& key(std::size_t member) const { return members_[member].identity.public_key; }
    /// Inside the tunnel.
    [[nodiscard]] static wireguard::IpAddress address(std::size_t member);

    /// A message ready to be sent; each has a later timestamp than the one before.
    [[nodiscard]] std::array<std::uint8_t, wireguard::kInitiationSize> initiation(std::size_t member,
                                                                                  wireguard::Now now);
    /// Begins a session of the member that the response is for, and says which. It must be good.
    std::size_t take_response(BytesView response);
    /// Of a member that has had a response.
    [[nodiscard]] Session& session(std::size_t member) { return *members_[member].session; }

private:
    struct Member {
        wireguard::Identity identity;
        Secret<32> static_static;
        std::optional<wireguard::InitiatorState> state;
        std::optional<Session> session;
    };

    Rng& rng_;
    TunnelKey device_;
    wireguard::CookieGenerator macs_;
    wireguard::TimestampSource timestamps_;
    std::vector<Member> members_;
};

/// An IPv4 packet of this size that carries UDP from one address to another, without a checksum of its own.
[[nodiscard]] Bytes datagram_packet(const wireguard::IpAddress& from, const wireguard::IpAddress& to, std::size_t size);

}  // namespace myst::bench
