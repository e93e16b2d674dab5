// Which records this node accepts, from whomever they come. Pure policy: no I/O, no signature check, no memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/event.hpp"
#include "myst/codec/record_kinds.hpp"

namespace myst::db {

using codec::kDeletionKind;
using codec::kEnvelopeKind;
using codec::kNodeRecordKind;
using codec::kProposalKind;
using codec::kReceiptKind;
using codec::kRevocationKind;

/// Machine-readable beginnings of refusals, as NIP-01 lists them.
enum class RefusalPrefix { invalid, pow, blocked, rate_limited, duplicate, error };
[[nodiscard]] std::string_view to_string(RefusalPrefix prefix);

/// Why a record was not accepted.
struct Refusal {
    RefusalPrefix prefix{};
    std::string reason;
    /// "invalid: created_at is too far in the future", as it goes into an OK message.
    [[nodiscard]] std::string message() const;
};

/// The replicated kinds, and one more.
[[nodiscard]] std::vector<std::uint32_t> replicated_and(std::uint32_t kind);

/// How often an author may publish: so many records at once, then one every interval.
struct PublishRate {
    std::size_t burst = 0;
    milliseconds interval{};
};

struct AdmissionPolicy {
    /// Empty: every one.
    std::vector<std::uint32_t> kinds = replicated_and(kEnvelopeKind);
    std::size_t max_content_bytes = 64 * 1024;
    std::size_t max_tags = 64;
    std::size_t max_ephemeral_tags = 4;      ///< of ephemeral records; an envelope needs one
    std::size_t max_tags_bytes = 16 * 1024;  ///< all fields of all tags together
    seconds max_ahead{60};                   ///< created_at may lie this far in the future
    seconds max_envelope_age = codec::kEnvelopeLife;
    /// Work that authors need who are not registered on chain (NIP-13). 0: nobody needs any, and all have the full
    /// share.
    unsigned min_pow_bits = 0;
    std::size_t max_proposal_bytes = codec::kMaxProposalContent;
    std::size_t max_listed_relays = 16;     ///< in a relay list
    std::size_t max_deletion_bytes = 1024;  ///< of the reason that a deletion request may give
    /// Of records that are kept. A registered author's whole share, requests included, fits into the burst.
    PublishRate registered_rate{1'200, milliseconds(10'000)};
    PublishRate stranger_rate{24, milliseconds(60'000)};
};

/// None: the record has the work that a stranger's must have. Envelopes and other ephemeral records need none: they
/// take no room, every connection's rate is limited, and who asks a provider for a session does so with a key of its
/// own.
[[nodiscard]] std::optional<Refusal> check_work(const codec::Event& event, const AdmissionPolicy& policy);

/// None: the record may be taken. The caller verifies id and signature.
[[nodiscard]] std::optional<Refusal> check_admission(const codec::Event& event, const AdmissionPolicy& policy,
                                                     UnixTime now);

}  // namespace myst::db
