// Compares what was applied long ago with what endpoints say about it now.
#pragma once

#include <string>
#include <vector>

#include "myst/base/rng.hpp"
#include "myst/chain/indexer.hpp"

namespace myst::chain {

struct LogAuditSettings {
    std::size_t quorum = 1;      ///< endpoints whose agreement with the tables clears them
    std::uint64_t range = 100;   ///< blocks compared at once
    milliseconds pause{10'000};  ///< between two comparisons
};

/// Control thread. Indexer, sources and random numbers must outlive it.
///
/// A cycle compares every range of blocks, in random order, with what every endpoint says; between two of these, the
/// newest blocks are compared. An endpoint with other logs than those applied means that one of them is wrong: if the
/// quorum has the logs that were applied, it is that endpoint, and otherwise the index halts.
class LogAudit {
public:
    /// An endpoint to compare with.
    struct Auditor {
        std::string name;
        BlockSource& source;
        std::function<void(const std::string&)> blame;  ///< called when it is the one that is wrong
    };
    /// A block whose logs differ.
    struct Finding {
        std::uint64_t block = 0;
        std::size_t auditor = 0;
        bool cleared = false;  ///< the quorum has what was applied
    };

    LogAudit(LogAuditSettings settings, Indexer& indexer, std::vector<Auditor> auditors, Rng& rng);

    /// Compares forever, once the index has caught up. Returns when it has halted the index. Does nothing if there is
    /// only one endpoint: it would agree with itself.
    [[nodiscard]] Task<> run();
    /// One comparison of the cycle; what differs. An endpoint that cannot answer is passed over.
    [[nodiscard]] Task<Result<std::vector<Finding>>> next_of_cycle();
    /// Compares the newest blocks with one endpoint, another one each time.
    [[nodiscard]] Task<Result<std::vector<Finding>>> newest();

    /// Comparisons that were made, and cycles that are complete.
    [[nodiscard]] std::uint64_t compared() const { return compared_; }
    [[nodiscard]] std::uint64_t cycles() const { return cycles_; }

private:
    struct Item {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        std::size_t auditor = 0;
    };
    using Blocks = std::vector<std::uint64_t>;

    void plan();
    [[nodiscard]] Task<Result<std::vector<Finding>>> compare(Item item);
    /// Numbers of the blocks whose logs differ; none if the endpoint is on another branch.
    [[nodiscard]] Task<Result<Blocks>> differing(Item item);
    [[nodiscard]] Task<Result<bool>> is_cleared(std::uint64_t block);
    /// Halts the index unless the tables are right; true if it did.
    bool judge(const std::vector<Finding>& findings);

    LogAuditSettings settings_;
    Indexer& indexer_;
    std::vector<Auditor> auditors_;
    Rng& rng_;
    std::vector<Item> plan_;
    std::uint64_t compared_ = 0;
    std::uint64_t cycles_ = 0;
    std::size_t turn_ = 0;
};

}  // namespace myst::chain
