// Proposals as records of the database (docs/records.md, kind 30510).
#pragma once

#include "myst/codec/event.hpp"
#include "myst/codec/filter.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/node/control.hpp"

namespace myst::node {

using codec::kProposalKind;

/// Bytes of the texts that a proposal carries; a reader passes over longer ones.
inline constexpr std::size_t kMaxName = 64;
inline constexpr std::size_t kMaxTerms = 1024;
inline constexpr std::size_t kMaxCity = 64;
/// Relays that a proposal names, and bytes of each URL; a reader passes over a proposal with more.
inline constexpr std::size_t kMaxRelays = 8;
inline constexpr std::size_t kMaxRelayUrl = 256;

/// Two capital letters, as in ISO 3166-1 alpha-2.
[[nodiscard]] bool is_country(std::string_view text);

/// 1 … kMaxCity bytes of UTF-8 without control characters.
[[nodiscard]] bool is_city(std::string_view text);

/// Whether its `chain` tag names this chain and lanes contract.
[[nodiscard]] bool names_chain(const codec::Event& event, const ports::ChainIdentity& chain);

/// The signed record of an offer. `proposal.provider` is ignored: the key signs.
[[nodiscard]] codec::Event make_proposal(const Proposal& proposal, const ports::ChainIdentity& chain,
                                         const crypto::PrivateKey& node_key, Rng& rng);
/// Reads an offer out of a record whose signature was verified. invalid_data if anything is missing, out of range,
/// or made for another chain or contract.
[[nodiscard]] Result<Proposal> read_proposal(const codec::Event& event, const ports::ChainIdentity& chain);
/// What to ask relays for; the rest is compared by `matches` afterwards.
[[nodiscard]] codec::Filter to_query(const ProposalFilter& filter);
/// Whether the record itself fits. What the chain says is not looked at.
[[nodiscard]] bool matches(const Proposal& proposal, const ProposalFilter& filter, UnixTime now);
/// Cheapest first by the price of 1 GiB within 1 hour; then by data, by time and by key, so that the order is the same
/// everywhere.
void sort_by_price(std::vector<Proposal>& proposals);

}  // namespace myst::node
