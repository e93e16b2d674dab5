#include "scale/model.hpp"

#include <cmath>

namespace myst::scale {
namespace {

constexpr double kFingerprints = 16 * 21;  ///< bytes of a range divided: bounds, modes, fingerprints
/// For how long two neighbours differ about a new record, in seconds on average: fitted to the simulation.
constexpr double kUnderWay = 0.05;
constexpr double kCountries = 40;  ///< equally liked by providers and clients
constexpr double kPage = 500;

double number(std::uint64_t value) {
    return static_cast<double>(value);
}

double seconds_of(std::chrono::nanoseconds time) {
    return static_cast<double>(time.count()) / 1e9;
}

}  // namespace

double comparison_bytes(double items, double differences, const Sizes& sizes) {
    // Divided until a range has less than 32 items; asked first by the client, then by turns.
    const double levels = std::max(1.0, std::ceil(std::log2(std::max(items, 32.0) / 32) / 4));
    const double listed = items / std::pow(16, levels) * 32 * (std::fmod(levels, 2) == 0 ? 2 : 1);
    // At both ends, newest and oldest, as soon as there is one difference.
    const double ends = 2 * (1 - std::exp(-differences));
    const double raw = kFingerprints + ends * ((levels - 1) * kFingerprints + listed) + differences * 2 * 32;
    const double messages = ends / 2 * levels;
    return number(sizes.neg_open + sizes.neg_close) + (1 + messages) * number(sizes.neg_next) + 2 * raw;
}

Prediction predict(const Parameters& p, const Sizes& sizes, const Costs& costs) {
    const double nodes = p.nodes;
    const double rate = p.providers / number(static_cast<std::uint64_t>(p.refresh.count()));
    const double own = rate * p.own_providers / p.providers;
    const double others = rate - own;
    const double searches = number(std::uint64_t{p.searches_per_hour} * p.author_relays) / 3600 / nodes;
    const double answer = std::min(p.providers / kCountries, 20 * kPage);

    Prediction out;
    out.records = rate;
    const double subscribed = p.peers * rate;
    const double pushed = (own * p.peers + others * p.author_relays) / nodes;
    const double known_before = (own * (1 + p.peers) + others * p.author_relays) / nodes;
    out.copies = subscribed + pushed + own / nodes;
    out.live = (rate - known_before) * number(sizes.live);
    out.duplicate = subscribed * number(sizes.live) - out.live;
    out.author = pushed * number(sizes.event + sizes.ok);
    const double comparisons = p.peers / number(static_cast<std::uint64_t>(p.reconcile.count()));
    out.compare = comparisons * comparison_bytes(p.providers, rate * kUnderWay, sizes);
    out.clients = searches * (answer * number(sizes.live) + std::ceil(answer / kPage) * number(sizes.ask));
    out.cores = out.copies * seconds_of(costs.copy) + rate * seconds_of(costs.store) +
                subscribed * seconds_of(costs.send) + searches * answer * seconds_of(costs.query_record) +
                2 * comparisons * p.providers * seconds_of(costs.sync_item);
    return out;
}

}  // namespace myst::scale
