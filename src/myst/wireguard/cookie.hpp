// Macs and cookies, which keep strangers from making the device compute (paper, section 5.4.4 and 5.3).
#pragma once

#include <optional>
#include <span>

#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/locked.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"
#include "myst/wireguard/endpoint.hpp"
#include "myst/wireguard/messages.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::wireguard {

/// The device's side: judges the macs of initiations and responses, and makes cookies. One thread.
class CookieChecker {
public:
    /// For messages to the device with this public key.
    explicit CookieChecker(const TunnelKey& own);

    /// Whether the sender knew our public key. `message` is an initiation or response.
    [[nodiscard]] bool mac1_valid(BytesView message) const;
    /// Whether the message carries a cookie that we gave to this source, and the secret behind it is still in use.
    [[nodiscard]] bool mac2_valid(BytesView message, const Endpoint& source, MonotonicTime now, Rng& rng);
    /// The answer to a message with a valid mac1 while we are busy.
    [[nodiscard]] CookieReply make_reply(BytesView message, const Endpoint& source, MonotonicTime now, Rng& rng);

private:
    [[nodiscard]] Mac cookie_of(const Endpoint& source, MonotonicTime now, Rng& rng);
    Hash32 mac1_key_;
    Secret<32> reply_key_;
    Locked<Secret<32>> secret_;
    std::optional<MonotonicTime> secret_made_;
};

/// The other side, one per peer: adds the macs to what we send, and keeps the peer's cookie. One thread.
class CookieGenerator {
public:
    /// For messages to the device with this public key.
    explicit CookieGenerator(const TunnelKey& peer) : peer_(peer) {}
    [[nodiscard]] const TunnelKey& peer() const { return peer_; }

    /// Fills both macs of an initiation or response. mac2 stays zero without a fresh cookie.
    void add_macs(std::span<std::uint8_t> message, MonotonicTime now);
    /// Keeps the cookie if it answers the last message that we sent, once. False: dropped.
    [[nodiscard]] bool accept_reply(const CookieReply& reply, MonotonicTime now);
    /// Forgets the cookie and the outstanding mac1.
    void clear();

private:
    struct Cookie {
        Locked<Secret<16>> value;
        MonotonicTime arrived;
    };
    TunnelKey peer_;
    std::optional<Mac> outstanding_mac1_;
    std::optional<Cookie> cookie_;
};

}  // namespace myst::wireguard
