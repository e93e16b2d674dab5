// What the database costs a full node as the network grows (docs/scale.md): `bench_scale RESULT.json`. Simulates whole
// networks in virtual time, compares them with the formulae, and extrapolates with these.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "connection_memory.hpp"
#include "measure.hpp"
#include "myst/db/relay_message.hpp"
#include "scale/model.hpp"
#include "scale/reconciler.hpp"
#include "scale/scenario.hpp"

namespace {

using namespace myst;
using namespace myst::scale;

struct Case {
    const char* key;
    const char* what;
    Parameters parameters;
    bool undisturbed = true;  ///< the formulae are about such
};

std::vector<Case> cases() {
    Parameters steady;
    Parameters two = steady;
    two.peers = 2;
    two.measured = seconds(900);
    Parameters eight = steady;
    eight.peers = 8;
    eight.measured = seconds(900);
    Parameters many = steady;
    many.nodes = 200;
    many.providers = 20'000;
    many.own_providers = 100;
    many.searches_per_hour = 40'000;
    many.measured = seconds(600);
    Parameters churn = steady;
    churn.node_up = seconds(4 * 3600);
    churn.connection = seconds(3600);
    churn.drain = seconds(1200);
    Parameters split = steady;
    split.split = seconds(600);
    split.measured = seconds(1500);
    Parameters empty = many;
    empty.searches_per_hour = 0;
    empty.forget = true;
    return {{"steady", "1,000 nodes, 2,000 offers", steady},
            {"two_peers", "the same with 2 peers each", two},
            {"eight_peers", "the same with 8 peers each", eight},
            {"many", "200 nodes, 20,000 offers, 40,000 searches/h", many},
            {"churn", "1,000 nodes that leave and come back", churn, false},
            {"split", "1,000 nodes in two halves for 10 min", split, false},
            {"empty", "200 nodes, 20,000 offers, one empty node", empty, false}};
}

boost::json::object to_json(const Report& report) {
    const Costs costs;
    boost::json::object bytes;
    constexpr std::array<const char*, kTraffics> kNames{"live", "duplicate", "author", "compare", "repair", "clients"};
    for (std::size_t i = 0; i < kTraffics; ++i) bytes[kNames[i]] = report.bytes(static_cast<Traffic>(i));
    boost::json::object out{{"delay_p50_ms", report.delay_p50_ms},
                            {"delay_p99_ms", report.delay_p99_ms},
                            {"delay_p999_ms", report.delay_p999_ms},
                            {"hops_p50", report.hops_p50},
                            {"hops_p99", report.hops_p99},
                            {"records_per_s", report.per_node(report.counters.stored)},
                            {"copies_per_s", report.per_node(report.counters.copies)},
                            {"bytes_per_s", bytes},
                            {"cores", report.cores(costs)},
                            {"repaired_share", report.repaired()},
                            {"fetched", report.counters.fetched},
                            {"repaired", report.counters.repaired},
                            {"answered", report.counters.answered},
                            {"outdated", report.counters.outdated},
                            {"comparisons", report.counters.comparisons},
                            {"missing_mean", report.missing_mean},
                            {"missing_most", report.missing_most},
                            {"missing_at_end", report.missing_at_end},
                            {"reach", report.reach},
                            {"trace", fmt::format("{:016x}", report.trace)}};
    if (report.converged_in) out["converged_in_ms"] = report.converged_in->count();
    return out;
}

void print_comparison(const Report& report, const Parameters& parameters, boost::json::object& out) {
    const Costs costs;
    const auto predicted = predict(parameters, measure_sizes(), costs);
    boost::json::object rows;
    const auto row = [&rows](const char* what, double formula, double simulated) {
        const double deviation = simulated == 0 ? 0 : (formula / simulated - 1) * 100;
        std::cout << fmt::format("    {:<34}{:>12.3f}{:>12.3f}{:>9.1f} %\n", what, formula, simulated, deviation);
        rows[what] = boost::json::object{{"formula", formula}, {"simulated", simulated}};
    };
    std::cout << fmt::format("    {:<34}{:>12}{:>12}{:>11}\n", "per node and second", "formula", "simulated",
                             "deviation");
    row("new records", predicted.records, report.per_node(report.counters.stored));
    row("copies", predicted.copies, report.per_node(report.counters.copies));
    row("bytes: new records", predicted.live, report.bytes(Traffic::live));
    row("bytes: duplicates", predicted.duplicate, report.bytes(Traffic::duplicate));
    row("bytes: authors", predicted.author, report.bytes(Traffic::author));
    row("bytes: reconciliation", predicted.compare, report.bytes(Traffic::compare));
    if (parameters.searches_per_hour > 0)
        row("bytes: light clients", predicted.clients, report.bytes(Traffic::clients));
    row("processor, per mille", predicted.cores * 1000, report.cores(costs) * 1000);
    out["model"] = std::move(rows);
}

boost::json::object run_case(const Case& chosen) {
    const auto report = simulate(chosen.parameters);
    std::cout << fmt::format("{}: {}\n", chosen.key, chosen.what);
    std::cout << fmt::format(
        "    after {} ms half of the nodes have a record, after {} ms 99 %, after {} ms 99.9 %; {} and {} hops\n",
        report.delay_p50_ms, report.delay_p99_ms, report.delay_p999_ms, report.hops_p50, report.hops_p99);
    std::cout << fmt::format(
        "    missing: {:.2f} on average, {} at most{}; {:.4f} % came by reconciliation, {} fetched for {} stored\n",
        report.missing_mean, report.missing_most,
        chosen.parameters.drain > seconds(0) ? fmt::format(", {} at the end", report.missing_at_end) : "",
        report.repaired() * 100, report.counters.fetched, report.counters.repaired);
    std::cout << fmt::format("    {:.2f} % of pairs of a light client and a light provider have a relay in common\n",
                             report.reach * 100);
    if (report.converged_in)
        std::cout << fmt::format("    all is everywhere {} ms after\n", report.converged_in->count());
    auto out = to_json(report);
    if (chosen.undisturbed) print_comparison(report, chosen.parameters, out);
    std::cout << std::flush;
    return out;
}

/// What the formulae say of a thousand full nodes with four peers each.
boost::json::array extrapolate() {
    boost::json::array rows;
    std::cout << fmt::format("{:<14}{:>12}{:>14}{:>14}{:>14}{:>14}{:>10}\n", "offers", "records/s", "new B/s",
                             "duplicate B/s", "compare B/s", "clients B/s", "cores");
    for (const std::uint32_t providers : {1'000U, 100'000U, 1'000'000U}) {
        Parameters parameters;
        parameters.providers = providers;
        parameters.own_providers = std::min(parameters.nodes, providers / 2);
        parameters.searches_per_hour = 10'000'000 / 24;
        const auto predicted = predict(parameters, measure_sizes(), Costs{});
        std::cout << fmt::format("{:<14}{:>12.2f}{:>14.0f}{:>14.0f}{:>14.0f}{:>14.0f}{:>10.4f}\n", providers,
                                 predicted.records, predicted.live + predicted.author, predicted.duplicate,
                                 predicted.compare, predicted.clients, predicted.cores);
        rows.push_back(boost::json::object{{"offers", providers},
                                           {"records_per_s", predicted.records},
                                           {"new_bytes_per_s", predicted.live + predicted.author},
                                           {"duplicate_bytes_per_s", predicted.duplicate},
                                           {"compare_bytes_per_s", predicted.compare},
                                           {"clients_bytes_per_s", predicted.clients},
                                           {"cores", predicted.cores}});
    }
    return rows;
}

/// What the constants of the simulation are on this machine, in ns of processor time.
boost::json::object measure_costs() {
    const auto memory = bench::memory_per_connection();  // first, before memory is freed that it could use
    constexpr std::size_t kCopies = 5'000;
    constexpr std::size_t kItems = 100'000;
    const auto text = db::encode_relay_event("s1", codec::to_json(sample_proposal()));
    const auto copies = bench::measure(kCopies, [&text] {
        for (std::size_t i = 0; i < kCopies; ++i) CHECK(db::decode_relay_message(text, db::MessageLimits{}));
    });
    std::vector<db::SyncItem> items;
    for (Handle i = 1; i <= kItems; ++i) items.push_back({i / 100, id_of(i)});
    const auto compared = bench::measure(kItems, [&items] { CHECK(!db::sync_open(db::SyncSet(items)).empty()); });
    const auto ns = [](const bench::Rate& rate) { return 1'000'000'000 / rate.per_processor_second; };
    std::cout << fmt::format(
        "here: {} ns for a copy that arrives, {} ns for an item of a reconciliation once it is in memory\n", ns(copies),
        ns(compared));
    std::cout << fmt::format("here: {} bytes of memory for an idle connection to a relay\n", memory);
    return {{"copy_ns", ns(copies)}, {"sync_item_ns", ns(compared)}, {"connection_bytes", memory}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bench_scale RESULT.json\n";
        return EXIT_FAILURE;
    }
    bench::pin_to_one_processor();
    boost::json::object figures{{"measured", measure_costs()}};
    for (const auto& chosen : cases()) figures[chosen.key] = run_case(chosen);
    figures["extrapolated"] = extrapolate();
    std::ofstream(argv[1]) << boost::json::serialize(figures) << '\n';
    return EXIT_SUCCESS;
}
