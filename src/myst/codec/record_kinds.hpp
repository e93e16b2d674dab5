// The kinds of records that Mysterium uses, and the limits that more than one layer has to keep (docs/records.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "myst/base/clock.hpp"

namespace myst::codec {

/// A provider's offer: addressable, `d` = service name.
inline constexpr std::uint32_t kProposalKind = 30510;
/// Where a full node's relay can be reached: replaceable.
inline constexpr std::uint32_t kNodeRecordKind = 10510;
/// A session message, encrypted to the key in its `p` tag (NIP-44): ephemeral.
inline constexpr std::uint32_t kEnvelopeKind = 20510;
/// An author's wish that records of his be deleted (NIP-09).
inline constexpr std::uint32_t kDeletionKind = 5;
/// The list of relays at which an author is found (NIP-65): replaceable.
inline constexpr std::uint32_t kRelayListKind = 10'002;
/// A client's proof to a relay that it holds a key (NIP-42); never stored nor passed on.
inline constexpr std::uint32_t kAuthKind = 22'242;
/// A message that only its recipient can read, signed by its author (NIP-59); in a gift wrap, never alone.
inline constexpr std::uint32_t kSealKind = 13;
/// A sealed message to the keys in its `p` tags, from a key made for it alone (NIP-59).
inline constexpr std::uint32_t kGiftWrapKind = 1059;
/// What its author says last: its key is not to be trusted any more. Replaceable, without an end.
inline constexpr std::uint32_t kRevocationKind = 10511;
/// What a payer says of a provider it has paid: addressable, `d` = the payee's address.
inline constexpr std::uint32_t kReceiptKind = 30511;
/// What full nodes bring together with each other.
inline constexpr std::array kReplicatedKinds{kProposalKind,  kReceiptKind,    kNodeRecordKind,
                                             kRelayListKind, kRevocationKind, kDeletionKind};
/// Bytes of a receipt's content.
inline constexpr std::size_t kMaxReceiptContent = 1024;
/// Bytes of a revocation's content.
inline constexpr std::size_t kMaxRevocationContent = 256;
/// Bytes of a proposal's content: what relays admit, and what readers read.
inline constexpr std::size_t kMaxProposalContent = 8 * 1024;
/// How old an envelope may be when a relay or its recipient gets it.
inline constexpr seconds kEnvelopeLife{120};
/// From created_at to the latest expiration.
inline constexpr seconds kProposalLife{24 * 3600};
inline constexpr seconds kNodeRecordLife{24 * 3600};
inline constexpr seconds kReceiptLife{365 * 24 * 3600};
/// A relay list needs no expiration; it ends so long after created_at all the same.
inline constexpr seconds kRelayListLife{365 * 24 * 3600};
/// From the moment when a relay takes a gift wrap to its latest expiration.
inline constexpr seconds kGiftWrapLife{7 * 24 * 3600};
/// The longest that a deletion request lives, and so at least as long as any record that it may name.
inline constexpr seconds kDeletionLife{365 * 24 * 3600};

/// How long a record of this kind is valid at most. None: there is no bound.
[[nodiscard]] constexpr std::optional<seconds> longest_life(std::uint32_t kind) {
    switch (kind) {
        case kProposalKind: return kProposalLife;
        case kNodeRecordKind: return kNodeRecordLife;
        case kReceiptKind: return kReceiptLife;
        case kRelayListKind: return kRelayListLife;
        case kGiftWrapKind: return kGiftWrapLife;
        case kDeletionKind: return kDeletionLife;
        default: return std::nullopt;
    }
}

}  // namespace myst::codec
