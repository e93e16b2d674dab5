// One device with many peers: `bench_peers RESULT.json` (docs/performance.md, "Many peers").
#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "measure.hpp"
#include "peers/core.hpp"
#include "peers/traffic.hpp"
#include "results_file.hpp"

namespace {

using namespace myst;
using boost::json::object;

struct Row {
    const char* key = nullptr;
    const char* what = nullptr;
    double scale = 1;
};

constexpr std::array kRows{
    Row{"bytes_per_peer", "memory of a peer, bytes"},
    Row{"bytes_per_peer_with_session", "the same with a session"},
    Row{"bytes_per_peer_after_rekey", "the same with the session before, too"},
    Row{"handshakes_answered_per_s", "handshakes answered per second"},
    Row{"whole_handshakes_per_s", "handshakes, both sides together, per second"},
    Row{"allowed_ips_lookup_ns", "an address to a peer, ns"},
    Row{"index_lookup_ns", "an index to a keypair, ns"},
    Row{"advance_ns", "a look at the timers, nothing due, µs", 1e-3},
    Row{"next_deadline_ns", "when something will be due, µs", 1e-3},
    Row{"small_packets_sealed_per_s", "92-byte packets sealed, thousands/s", 1e-3},
    Row{"small_packets_opened_per_s", "92-byte packets opened, thousands/s", 1e-3},
    Row{"large_packets_sealed_per_s", "1420-byte packets sealed, thousands/s", 1e-3},
    Row{"large_packets_opened_per_s", "1420-byte packets opened, thousands/s", 1e-3},
    Row{"tunnel_handshakes_per_s", "whole tunnel, handshakes per second"},
    Row{"tunnel_packets_in_per_s", "whole tunnel, 92-byte packets in, thousands/s", 1e-3},
    Row{"tunnel_packets_out_per_s", "whole tunnel, 92-byte packets out, thousands/s", 1e-3},
};

std::string cell(const object& figures, const Row& row) {
    const auto* value = figures.if_contains(row.key);
    return value == nullptr ? "–" : fmt::format("{:.1f}", value->to_number<double>() * row.scale);
}

/// A table that a document takes as it is.
void print(const std::vector<std::size_t>& sizes, const std::vector<object>& figures) {
    std::cout << fmt::format("| {:<46} |", "peers");
    for (const auto size : sizes) std::cout << fmt::format(" {:>10} |", size);
    std::cout << "\n|---|---|---|---|\n";
    for (const auto& row : kRows) {
        std::cout << fmt::format("| {:<46} |", row.what);
        for (const auto& one : figures) std::cout << fmt::format(" {:>10} |", cell(one, row));
        std::cout << '\n';
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bench_peers RESULT.json\n";
        return EXIT_FAILURE;
    }
    bench::pin_to_one_processor();
    const std::vector<std::size_t> sizes{1, 1'000, 10'000};
    std::vector<object> figures;
    object saved;
    for (const auto size : sizes) {
        figures.push_back(bench::measure_core(size));
        if (const auto traffic = bench::measure_traffic(size)) {
            for (const auto& [key, value] : *traffic) figures.back()[key] = value;
        } else {
            std::cout << fmt::format("SKIPPED the whole tunnel with {} peers: {}\n", size, traffic.error().describe());
        }
        saved[std::to_string(size)] = figures.back();
    }
    print(sizes, figures);
    bench::save_figures(argv[1], {{"peers", saved}});
    return EXIT_SUCCESS;
}
