// The formulae of docs/scale.md: what a full node costs, without a simulation.
#pragma once

#include "scale/parameters.hpp"
#include "scale/sizes.hpp"

namespace myst::scale {

/// Per full node and second, of an undisturbed network; bytes are sent as often as received.
struct Prediction {
    double records = 0;    ///< that are new
    double copies = 0;     ///< that arrive, the new ones among them
    double live = 0;       ///< bytes of new records from subscriptions
    double duplicate = 0;  ///< bytes of known ones
    double author = 0;     ///< bytes from providers, and of full nodes' own records to peers
    double compare = 0;    ///< bytes of reconciliations
    double clients = 0;    ///< bytes of answers to light clients
    double cores = 0;      ///< of one processor
};
[[nodiscard]] Prediction predict(const Parameters& parameters, const Sizes& sizes, const Costs& costs);

/// Bytes on the wire of one reconciliation of sets of `items` of which `differences` differ, most of them among the
/// newest and, as versions that were replaced, among the oldest.
[[nodiscard]] double comparison_bytes(double items, double differences, const Sizes& sizes);

}  // namespace myst::scale
