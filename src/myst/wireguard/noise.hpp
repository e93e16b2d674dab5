// The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as pure functions (paper, sections 5.4.2 and 5.4.3). Macs are
// added and checked elsewhere. Any thread.
#pragma once

#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"
#include "myst/wireguard/messages.hpp"
#include "myst/wireguard/primitives.hpp"
#include "myst/wireguard/timestamp.hpp"

namespace myst::wireguard {

/// A device's own keys.
struct Identity {
    Secret<32> private_key;
    TunnelKey public_key;

    /// Clamps the private key.
    [[nodiscard]] static Identity from(Secret<32> private_key);
    /// The secret shared with this peer; none for a key of low order.
    [[nodiscard]] std::optional<Secret<32>> agree(const TunnelKey& peer) const;
};

/// Chaining key and hash of a handshake under way (Noise's SymmetricState).
class Transcript {
public:
    /// At the beginning of a handshake with this responder.
    explicit Transcript(const TunnelKey& responder);
    [[nodiscard]] Transcript clone() const;

    void mix_hash(BytesView data);
    void mix_key(BytesView input);
    /// Mixes the input into the chaining key and returns the key of the next sealed field.
    [[nodiscard]] Secret<32> mix_key_for_cipher(BytesView input);
    [[nodiscard]] Secret<32> mix_preshared_key(const Secret<32>& preshared);
    /// Seals or opens one field under the hash so far, and mixes in its sealed form.
    void seal_field(const Secret<32>& key, BytesView plain, std::span<std::uint8_t> sealed);
    [[nodiscard]] bool open_field(const Secret<32>& key, BytesView sealed, std::span<std::uint8_t> plain);
    /// The two session keys: first the one of the initiator's packets.
    void split(Secret<32>& of_initiator, Secret<32>& of_responder) const;

private:
    Transcript() = default;
    Secret<32> chaining_key_;
    Hash32 hash_;
};

struct SessionKeys {
    Secret<32> send;
    Secret<32> receive;
};

/// What the initiator keeps until the response.
struct InitiatorState {
    Transcript transcript;
    Secret<32> ephemeral;
    std::uint32_t sender = 0;
};

struct SentInitiation {
    Initiation message;
    InitiatorState state;
};

/// `static_static` is the shared secret of both static keys. None: a shared secret is zero.
[[nodiscard]] std::optional<SentInitiation> make_initiation(const Identity& own, const TunnelKey& peer,
                                                            const Secret<32>& static_static, const Timestamp& time,
                                                            std::uint32_t sender, Rng& rng);

/// An initiation that its sender could only make knowing our public key; its timestamp is still to be proved.
struct OpenedInitiation {
    TunnelKey peer;
    Transcript transcript;
    Initiation message;
};

/// None: not meant for us, or damaged.
[[nodiscard]] std::optional<OpenedInitiation> open_initiation(const Identity& own, const Initiation& message);
/// Authenticates the sender; call once. None: `opened.peer` did not send this.
[[nodiscard]] std::optional<Timestamp> open_timestamp(OpenedInitiation& opened, const Secret<32>& static_static);

struct SentResponse {
    Response message;
    SessionKeys keys;
};

/// Answers an initiation whose timestamp was opened. `preshared` is zero if there is none.
[[nodiscard]] std::optional<SentResponse> make_response(OpenedInitiation opened, const Secret<32>& preshared,
                                                        std::uint32_t sender, Rng& rng);
/// None: the response is not authentic; the state stays as it was and still waits for the right one.
[[nodiscard]] std::optional<SessionKeys> open_response(const InitiatorState& state, const Identity& own,
                                                       const Secret<32>& preshared, const Response& message);

}  // namespace myst::wireguard
