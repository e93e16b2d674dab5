// ChaCha20-Poly1305 (RFC 8439) over batches of packets, in place. Which code does the work is chosen at start-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/secret.hpp"

namespace myst::wireguard {

using AeadKey = Secret<32>;

constexpr std::size_t kAeadTagSize = 16;
/// Longest message, its tag included.
constexpr std::size_t kMaxAeadMessage = 65'535;

/// One packet of a batch. The nonce is `prefix` and `counter`, both little-endian.
struct AeadJob {
    const AeadKey* key = nullptr;
    std::uint64_t counter = 0;
    /// Text and, in the last kAeadTagSize bytes, the tag. Messages of a batch do not overlap.
    std::span<std::uint8_t> message{};
    BytesView associated{};    ///< authenticated, too; empty for WireGuard's data messages
    std::uint32_t prefix = 0;  ///< 0 in WireGuard
    bool authentic = false;    ///< set by open_batch

    [[nodiscard]] std::span<std::uint8_t> text() const { return message.first(message.size() - kAeadTagSize); }
    [[nodiscard]] std::uint8_t* tag() const { return message.data() + message.size() - kAeadTagSize; }
};

/// A back-end. Used by one thread at a time; keeps no key material between calls.
class Aead {
public:
    virtual ~Aead() = default;
    Aead(const Aead&) = delete;
    Aead& operator=(const Aead&) = delete;

    [[nodiscard]] virtual std::string_view name() const = 0;

    /// Encrypts every text and writes its tag. A message must have room for a tag and at most kMaxAeadMessage bytes.
    /// The caller promises that no nonce comes twice for a key.
    void seal_batch(std::span<AeadJob> jobs);

    /// Decrypts what is authentic and sets `authentic`. Any other message is zero afterwards; one of impossible length
    /// is left as it is.
    void open_batch(std::span<AeadJob> jobs);

protected:
    /// Most packets that a back-end gets at once.
    static constexpr std::size_t kGroup = 16;
    using Group = std::span<AeadJob* const>;

    Aead() = default;
    /// As seal_batch, for 1 to kGroup jobs of valid length.
    virtual void seal_group(Group jobs) = 0;
    /// Sets `authentic` of each; the text of those that are not may hold anything.
    virtual void open_group(Group jobs) = 0;
    /// Called after the last group of a batch: wipes what depends on keys.
    virtual void forget_keys() {}

    /// A back-end that hands groups on to others.
    friend class SizedAead;
};

enum class AeadBackend { openssl, ipsec_mb, avx512 };

/// The back-end, or null if this build or this processor lacks it.
[[nodiscard]] std::unique_ptr<Aead> make_aead(AeadBackend backend);

/// The fastest that passes its self-test (docs/dataplane.md); one for each thread. Throws std::runtime_error if not
/// even OpenSSL works.
[[nodiscard]] std::unique_ptr<Aead> make_aead();

/// Whether `candidate` does what `reference` does with random packets of many lengths, and refuses tampered ones.
[[nodiscard]] bool agrees(Aead& candidate, Aead& reference);

/// The first of `candidates` that agrees with `reference`, which is the answer if none does. Each that does not is
/// reported in the log.
[[nodiscard]] std::unique_ptr<Aead> first_sound(std::vector<std::unique_ptr<Aead>> candidates,
                                                std::unique_ptr<Aead> reference);

}  // namespace myst::wireguard
