#include "scale/report.hpp"

#include <numeric>

namespace myst::scale {
namespace {

double seconds_of(std::uint64_t count, std::chrono::nanoseconds each) {
    return static_cast<double>(count) * static_cast<double>(each.count()) / 1e9;
}

}  // namespace

double Report::bytes(Traffic traffic) const {
    return per_node(counters.bytes[static_cast<std::size_t>(traffic)]);
}

double Report::bytes() const {
    return per_node(std::accumulate(counters.bytes.begin(), counters.bytes.end(), std::uint64_t{0}));
}

double Report::per_node(std::uint64_t count) const {
    return static_cast<double>(count) / seconds / nodes;
}

double Report::cores(const Costs& costs) const {
    const double work = seconds_of(counters.copies, costs.copy) + seconds_of(counters.stored, costs.store) +
                        seconds_of(counters.sent, costs.send) + seconds_of(counters.answered, costs.query_record) +
                        seconds_of(counters.sync_items, costs.sync_item);
    return work / seconds / nodes;
}

double Report::repaired() const {
    return counters.stored == 0 ? 0 : static_cast<double>(counters.repaired) / static_cast<double>(counters.stored);
}

}  // namespace myst::scale
