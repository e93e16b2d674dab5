// Following the offers that match a filter.
#pragma once

#include <variant>

#include "myst/node/proposal.hpp"
#include "myst/runtime/task.hpp"

namespace myst::node {

/// An offer that was told is withdrawn, expired, deleted or revoked, its provider is not registered any more, or it
/// does not match any more.
struct OfferGone {
    NodeKey provider;
    std::string service;
};

/// All offers that there were at the beginning have been told.
struct OffersComplete {};

/// An offer that is new or not as it was told before, or one of the above.
using OfferChange = std::variant<Offer, OfferGone, OffersComplete>;

/// Begins with the offers that there are. What changes while nobody asks is told once, as it is when it is asked for.
/// Control thread; destroying it ends it.
class OfferWatch {
public:
    virtual ~OfferWatch() = default;
    /// Waits for the next change; one call at a time, and none after a failure. Fails if the offers at the beginning
    /// cannot be read, and with limit_exceeded if too many match; a later failure to read is made good when it is over.
    [[nodiscard]] virtual Task<Result<OfferChange>> next() = 0;
};

}  // namespace myst::node
