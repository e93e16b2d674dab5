// Offers, and how to ask for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/pay/tariff.hpp"
#include "myst/ports/chain.hpp"

namespace myst::node {

/// A provider's offer as found in the database.
struct Proposal {
    NodeKey provider;  ///< identity in the database
    Address payee;     ///< Ethereum address vouchers are made out to
    std::string service;
    std::string country;  ///< ISO 3166-1 alpha-2, upper case
    pay::Tariff tariff;
    std::string name;
    std::string terms;
    std::vector<std::string> relays;
    UnixTime published{};
    UnixTime expires{};
    std::string city{};  ///< as the provider writes it; empty: not stated
    bool operator==(const Proposal&) const = default;
};

struct ProposalFilter {
    std::string service;                            ///< empty: any
    std::string country;                            ///< empty: any
    std::optional<Amount> max_per_gib;              ///< token units
    std::optional<Amount> max_per_hour;             ///< token units
    std::optional<NodeKey> provider;                ///< only this one
    std::string city{};                             ///< empty: any; the case of a-z does not matter
    std::optional<Amount> min_stake{};              ///< token units, in the registry
    std::optional<std::uint32_t> min_reputation{};  ///< see docs/records.md; needs a chain index
    std::optional<seconds> max_age{};               ///< since it was published
};

/// An offer of a registered provider, with what the chain tells of its payee.
struct Offer {
    Proposal proposal;
    Amount stake;                               ///< in the registry
    std::optional<ports::PayeeSales> sales{};   ///< none without a chain index
    std::optional<Amount> disputed{};           ///< likewise: weight of the payers that complain
    std::optional<std::uint32_t> reputation{};  ///< likewise
    std::optional<milliseconds> latency{};      ///< as measured lately; none: not measured, or no answer
    bool operator==(const Offer&) const = default;
};

enum class OfferOrder {
    price,       ///< of 1 GiB within 1 hour; the cheapest comes first
    stake,       ///< largest first
    reputation,  ///< highest first
    age,         ///< published last comes first
    country,     ///< A to Z
    latency,     ///< shortest first; those that are not known come last
};
inline constexpr OfferOrder kOfferOrders[] = {OfferOrder::price, OfferOrder::stake,   OfferOrder::reputation,
                                              OfferOrder::age,   OfferOrder::country, OfferOrder::latency};
/// As in the web API and the console.
[[nodiscard]] std::string_view to_string(OfferOrder order);

/// A question for one page of offers. Where `order` leaves a tie, price, tariff, node key and service decide, in this
/// order and always ascending.
struct ProposalQuery {
    ProposalFilter filter{};
    OfferOrder order = OfferOrder::price;
    std::optional<milliseconds> max_latency{};  ///< only those that have answered within it
    bool reversed = false;                      ///< worst first
    std::size_t limit = 50;                     ///< 1 … 500
    std::string cursor{};                       ///< OfferPage::next of the page before; empty: from the start
};

struct OfferPage {
    std::vector<Offer> offers;
    std::string next;  ///< empty: this is the last page
};

/// How far the measuring of latency has come.
struct LatencyRound {
    std::size_t measured = 0;  ///< providers that were asked now
    std::size_t answered = 0;  ///< of them
    std::size_t left = 0;      ///< that are still to be asked
};

}  // namespace myst::node
