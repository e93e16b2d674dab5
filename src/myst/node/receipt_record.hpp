// What a payer says of a provider it has paid, as a record of the database (docs/records.md, kind 30511).
#pragma once

#include "myst/codec/event.hpp"
#include "myst/codec/filter.hpp"
#include "myst/ports/chain.hpp"

namespace myst::node {

enum class ReceiptOutcome : std::uint8_t {
    good = 1,
    bad = 2,  ///< the provider counted wrongly, showed vouchers that were none, or raised its price
};

struct SettledReceipt {
    Address payer;  ///< the payment signer, which signs
    Address payee;
    std::uint32_t epoch = 0;  ///< of the lane
    Amount total;             ///< of the last voucher in that epoch
    std::uint64_t mib = 0;    ///< carried in the session, both directions; rounded up
    ReceiptOutcome outcome{};
    UnixTime time{};  ///< `created_at` of the record
    bool operator==(const SettledReceipt&) const = default;
};

/// The key that signs the records in which this payer speaks of this payee: always the same, and unknown to others.
[[nodiscard]] crypto::PrivateKey receipt_author(const crypto::PrivateKey& payer_key, const Address& payee);
/// `receipt.time` is rounded down to the hour first, and a second later if the outcome is bad. `receipt.payer` follows
/// from the key. The record's author is `receipt_author`, so that a later
/// receipt replaces an earlier one and no other key of the node shows.
[[nodiscard]] codec::Event make_receipt(SettledReceipt receipt, const ports::ChainIdentity& chain,
                                        const crypto::PrivateKey& payer_key, Rng& rng);

/// What a record says, and what proves it; without the record's texts, so that many can be held.
struct ReceiptClaim {
    SettledReceipt receipt;
    NodeKey author;
    crypto::CompactSignature signature;
};

/// What a record says, unproven: `read_receipt` without the payer's signature. For sorting out what need not be proven.
[[nodiscard]] Result<ReceiptClaim> claim_of(const codec::Event& event, const ports::ChainIdentity& chain);
/// Whether the payer has signed it for the record's author.
[[nodiscard]] bool is_proven(const ReceiptClaim& claim, const ports::ChainIdentity& chain);
/// invalid_data if anything is missing, out of range, for another chain or contract, or not signed by the payer for the
/// record's author. That the event's own signature was checked is the caller's concern.
[[nodiscard]] Result<SettledReceipt> read_receipt(const codec::Event& event, const ports::ChainIdentity& chain);

}  // namespace myst::node
