// WireGuard's messages as bytes (paper, section 5.4). Reading is strict: exact sizes, reserved bytes zero.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/wireguard/constants.hpp"

namespace myst::wireguard {

enum class MessageType : std::uint8_t { initiation = 1, response = 2, cookie_reply = 3, data = 4 };

/// What a datagram claims to be; none: it is no message and is dropped in silence.
[[nodiscard]] std::optional<MessageType> classify(BytesView datagram);

/// First message of a handshake, without its macs.
struct Initiation {
    std::uint32_t sender = 0;
    TunnelKey ephemeral;
    std::array<std::uint8_t, 32 + kTagSize> encrypted_static{};
    std::array<std::uint8_t, 12 + kTagSize> encrypted_timestamp{};

    /// The message with both macs zero.
    [[nodiscard]] std::array<std::uint8_t, kInitiationSize> encode() const;
    /// `datagram` is classified as an initiation.
    [[nodiscard]] static Initiation decode(BytesView datagram);
};

/// Second message of a handshake, without its macs.
struct Response {
    std::uint32_t sender = 0;
    std::uint32_t receiver = 0;
    TunnelKey ephemeral;
    std::array<std::uint8_t, kTagSize> encrypted_nothing{};

    /// The message with both macs zero.
    [[nodiscard]] std::array<std::uint8_t, kResponseSize> encode() const;
    /// `datagram` is classified as a response.
    [[nodiscard]] static Response decode(BytesView datagram);
};

/// Answer of a busy device to one of the above.
struct CookieReply {
    std::uint32_t receiver = 0;
    std::array<std::uint8_t, 24> nonce{};
    std::array<std::uint8_t, kMacSize + kTagSize> encrypted_cookie{};

    [[nodiscard]] std::array<std::uint8_t, kCookieReplySize> encode() const;
    /// `datagram` is classified as a cookie reply.
    [[nodiscard]] static CookieReply decode(BytesView datagram);
};

/// The first 16 bytes of a data message.
struct DataHeader {
    std::uint32_t receiver = 0;
    std::uint64_t counter = 0;

    [[nodiscard]] std::array<std::uint8_t, kDataHeaderSize> encode() const;
    /// `datagram` is classified as data.
    [[nodiscard]] static DataHeader decode(BytesView datagram);
};

}  // namespace myst::wireguard
