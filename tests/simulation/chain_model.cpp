#include "chain_model.hpp"

namespace myst::sim {

void ChainModel::submit(Transaction transaction) {
    const auto same = [&](const Transaction& other) { return other.id == transaction.id; };
    if (confirmations(transaction.id) > 0 || std::any_of(pool_.begin(), pool_.end(), same)) return;
    pool_.push_back(std::move(transaction));
}

void ChainModel::mine(UnixTime now, std::size_t limit) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(limit, pool_.size()));
    Block block{head(), {pool_.begin(), pool_.begin() + count}};
    pool_.erase(pool_.begin(), pool_.begin() + count);
    for (const auto& transaction : block.transactions) transaction.apply(block.state, now);
    blocks_.push_back(std::move(block));
}

void ChainModel::reorganise(std::size_t depth) {
    for (; depth > 0 && blocks_.size() > 1; --depth) {
        auto& undone = blocks_.back().transactions;
        pool_.insert(pool_.begin(), undone.begin(), undone.end());
        blocks_.pop_back();
    }
}

std::size_t ChainModel::confirmations(std::uint64_t id) const {
    for (std::size_t i = blocks_.size(); i > 0; --i) {
        for (const auto& transaction : blocks_[i - 1].transactions) {
            if (transaction.id == id) return blocks_.size() - i + 1;
        }
    }
    return 0;
}

}  // namespace myst::sim
