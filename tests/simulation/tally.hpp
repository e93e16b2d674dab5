// What a number of runs had in them: a run in which nothing goes wrong proves nothing.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <utility>

namespace myst::sim {

/// How often what happened, over any number of runs.
struct Tally {
    // Payments
    std::uint64_t vouchers = 0;  ///< signed, those that ticks continue included
    std::uint64_t chains = 0;    ///< begun
    std::uint64_t ticks = 0;     ///< sent
    std::uint64_t leaps = 0;     ///< ticks that leave others out
    std::uint64_t aged = 0;      ///< chains that ended because they were a minute old
    std::uint64_t resized = 0;   ///< payments after which the chunk was another one
    std::uint64_t credited = 0;
    std::uint64_t credited_ticks = 0;
    std::uint64_t refused = 0;
    std::uint64_t refused_ticks = 0;
    std::uint64_t forgeries = 0;
    std::uint64_t forged_ticks = 0;
    std::uint64_t floods = 0;  ///< sessions ended because of too many wrong ticks
    // The chain
    std::uint64_t settlements = 0;
    std::uint64_t settled_ticks = 0;  ///< settlements of a voucher with ticks
    std::uint64_t reorganisations = 0;
    std::uint64_t new_epochs = 0;
    std::uint64_t exits = 0;
    std::uint64_t uncovered = 0;  ///< runs at whose end a voucher was not covered in full
    // The machines
    std::uint64_t crashes = 0;
    std::uint64_t cut_chains = 0;  ///< crashes of either side between two ticks
    std::uint64_t restores = 0;    ///< of old copies
    std::uint64_t disk_failures = 0;
    std::uint64_t flips = 0;      ///< of a bit of a frame
    std::uint64_t adoptions = 0;  ///< of what RESUME shows
    std::uint64_t adopted_ticks = 0;

    struct Entry {
        const char* what;
        std::uint64_t happened;
        std::uint64_t least;  ///< in a thousand runs, else they prove too little
    };
    [[nodiscard]] std::array<Entry, 26> entries() const {
        return {{{"vouchers signed", vouchers, 5'000},
                 {"chains", chains, 500},
                 {"ticks", ticks, 3'000},
                 {"leaps", leaps, 100},
                 {"aged chains", aged, 1},
                 {"chunks resized", resized, 500},
                 {"credited", credited, 5'000},
                 {"credited ticks", credited_ticks, 3'000},
                 {"refused", refused, 500},
                 {"refused ticks", refused_ticks, 50},
                 {"forged", forgeries, 50},
                 {"forged with ticks", forged_ticks, 30},
                 {"floods", floods, 5},
                 {"settlements", settlements, 500},
                 {"settlements with ticks", settled_ticks, 100},
                 {"reorganisations", reorganisations, 100},
                 {"new epochs", new_epochs, 20},
                 {"exits", exits, 50},
                 {"runs with an uncovered rest", uncovered, 5},
                 {"crashes", crashes, 300},
                 {"cut chains", cut_chains, 50},
                 {"old copies", restores, 30},
                 {"broken disks", disk_failures, 100},
                 {"flipped bits", flips, 50},
                 {"adoptions", adoptions, 2},
                 {"adopted ticks", adopted_ticks, 1}}};
    }
};

inline std::ostream& operator<<(std::ostream& out, const Tally& tally) {
    const char* separator = "";
    for (const auto& entry : tally.entries()) {
        out << std::exchange(separator, ", ") << entry.happened << ' ' << entry.what;
    }
    return out;
}

}  // namespace myst::sim
