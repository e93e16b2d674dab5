// A record of the database: a NIP-01 event, its canonical form, id and signature.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/crypto/secp256k1.hpp"

namespace myst::codec {

/// A tag: name, value, further fields.
using Tag = std::vector<std::string>;

/// A NIP-01 event. `id` and `sig` are set by `sign_event`, checked by `verify_event`. Texts are UTF-8.
struct Event {
    Hash32 id;
    NodeKey pubkey;
    UnixTime created_at{};
    std::uint32_t kind = 0;
    std::vector<Tag> tags;
    std::string content;
    crypto::SchnorrSignature sig;
    bool operator==(const Event&) const = default;

    /// Value of the first tag with this name, if any.
    [[nodiscard]] std::optional<std::string_view> tag(std::string_view name) const;
    /// NIP-40: when it expires, if it says so and the value is well formed.
    [[nodiscard]] std::optional<UnixTime> expiration() const;
};

/// The largest kind that NIP-01 knows.
inline constexpr std::uint32_t kMaxEventKind = 65'535;

/// How a relay keeps a kind (NIP-01): every event, the newest per author, none, or the newest per author and d tag.
enum class KindClass { regular, replaceable, ephemeral, addressable };
[[nodiscard]] KindClass classify_kind(std::uint32_t kind);

/// Limits of what `parse_event` accepts.
struct EventLimits {
    std::size_t max_content_bytes = 64 * 1024;
    std::size_t max_tags = 256;
    std::size_t max_tag_fields = 16;
    std::size_t max_tag_bytes = 4 * 1024;     ///< of one field
    std::size_t max_json_bytes = 512 * 1024;  ///< of the whole text
};

/// The canonical serialisation [0,pubkey,created_at,kind,tags,content] of NIP-01: seven characters are escaped, all
/// others stand as they are.
[[nodiscard]] std::string canonical_form(const Event& event);
/// SHA-256 of the canonical form.
[[nodiscard]] Hash32 event_id(const Event& event);
/// Fills pubkey, id and sig.
void sign_event(Event& event, const crypto::PrivateKey& key, const Hash32& aux);
/// Checks id and signature.
[[nodiscard]] Result<> verify_event(const Event& event);
/// The JSON object as it goes over the wire, one line.
[[nodiscard]] std::string to_json(const Event& event);
/// Strict: exactly the seven fields with the right types, each tag with at least a name, kind up to 65 535, time up
/// to 2^53 − 1, lower-case hex; else invalid_data. Beyond the limits: limit_exceeded. Does not check the signature.
[[nodiscard]] Result<Event> parse_event(std::string_view json, const EventLimits& limits = {});

}  // namespace myst::codec
