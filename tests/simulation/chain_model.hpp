// A chain that carries the lanes contract: blocks, a pool of waiting transactions, reorganisations.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "lanes_model.hpp"

namespace myst::sim {

/// One transaction; `apply` is what it does to the contract.
struct Transaction {
    std::uint64_t id = 0;
    std::function<void(LanesModel&, UnixTime)> apply;
};

class ChainModel {
public:
    explicit ChainModel(LanesModel genesis) { blocks_.push_back({std::move(genesis), {}}); }

    /// A number no other transaction has.
    [[nodiscard]] std::uint64_t fresh_id() { return next_id_++; }
    /// Into the pool, unless it is there or mined.
    void submit(Transaction transaction);
    /// A new block with everything that waits, but no more than `limit`.
    void mine(UnixTime now, std::size_t limit);
    /// Takes the newest blocks away, never the first. Their transactions wait again, before all others.
    void reorganise(std::size_t depth);

    [[nodiscard]] const LanesModel& head() const { return blocks_.back().state; }
    /// The contract as an endpoint shows it that is `lag` blocks behind.
    [[nodiscard]] const LanesModel& view(std::size_t lag) const {
        return blocks_[blocks_.size() - 1 - std::min(lag, blocks_.size() - 1)].state;
    }
    /// Blocks from the one with this transaction to the newest, both included; zero if it is not mined.
    [[nodiscard]] std::size_t confirmations(std::uint64_t id) const;
    [[nodiscard]] bool is_idle() const { return pool_.empty(); }

private:
    struct Block {
        LanesModel state;  ///< after it
        std::vector<Transaction> transactions;
    };
    std::vector<Block> blocks_;
    std::vector<Transaction> pool_;
    std::uint64_t next_id_ = 1;
};

}  // namespace myst::sim
