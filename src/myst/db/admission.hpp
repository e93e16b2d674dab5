// Which records this node accepts, from whomever they come. Pure policy: no I/O, no signature check, no memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/event.hpp"

namespace myst::db {

/// A provider's offer: addressable, `d` = service name. Format: docs/records.md.
inline constexpr std::uint32_t kProposalKind = 30510;
/// A session message, encrypted to the key in its `p` tag (NIP-44): ephemeral.
inline constexpr std::uint32_t kEnvelopeKind = 20510;

/// Machine-readable beginnings of refusals, as NIP-01 lists them.
enum class RefusalPrefix { invalid, blocked, rate_limited, duplicate, error };
[[nodiscard]] std::string_view to_string(RefusalPrefix prefix);

/// Why a record was not accepted.
struct Refusal {
    RefusalPrefix prefix{};
    std::string reason;
    /// "invalid: created_at is too far in the future", as it goes into an OK message.
    [[nodiscard]] std::string message() const;
};

struct AdmissionPolicy {
    std::vector<std::uint32_t> kinds = {kProposalKind, kEnvelopeKind};  ///< empty: every kind
    std::size_t max_content_bytes = 64 * 1024;
    std::size_t max_tags = 64;
    std::size_t max_ephemeral_tags = 4;      ///< of ephemeral records; an envelope needs one
    std::size_t max_tags_bytes = 16 * 1024;  ///< all fields of all tags together
    seconds max_ahead{15 * 60};              ///< created_at may lie this far in the future
    seconds max_envelope_age{2 * 60};
    seconds max_proposal_life{24 * 3600};       ///< expiration minus created_at
    std::size_t max_proposal_bytes = 8 * 1024;  ///< content of a proposal
};

/// None: the record may be taken. The caller verifies id and signature.
[[nodiscard]] std::optional<Refusal> check_admission(const codec::Event& event, const AdmissionPolicy& policy,
                                                     UnixTime now);

}  // namespace myst::db
