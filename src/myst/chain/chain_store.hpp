// The file chain.db: recent block headers, the tables that follow from the contract's events, and the way back.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/block_source.hpp"
#include "myst/chain/chain_tables.hpp"

namespace myst::chain {

/// What the file belongs to. Another chain or contract needs another file.
struct StoreIdentity {
    ports::ChainIdentity chain;
    Hash32 genesis;
    std::uint64_t start_block = 0;  ///< first block indexed; not after the contract's deployment
};

/// Blocking; any thread, calls wait for each other.
class ChainStore {
public:
    /// `depth`: how many blocks below the highest one can be undone; what that does not need is dropped.
    [[nodiscard]] static Result<std::unique_ptr<ChainStore>> open(const std::string& path, std::uint64_t depth);

    /// Stores the identity in a new file, compares it in an old one: failed_precondition if it differs.
    [[nodiscard]] Result<> claim(const StoreIdentity& identity);

    [[nodiscard]] Result<std::optional<ports::BlockRef>> head();
    /// Hash of an indexed block; none if it is not indexed or no longer kept.
    [[nodiscard]] Result<std::optional<Hash32>> hash_at(std::uint64_t number);

    /// Lowest block that can be undone. `depth` blocks below the highest one ever indexed, and never falls.
    [[nodiscard]] Result<std::uint64_t> undo_floor();

    /// One transaction: undoes every block from `first` on, then applies `blocks`, which begin at `first` and follow
    /// each other. invalid_data if they do not fit or an event contradicts the tables; the file is then unchanged.
    [[nodiscard]] Result<std::optional<ports::BlockRef>> replace_from(std::uint64_t first,
                                                                      const std::vector<Block>& blocks);

    /// What was applied from a block, to compare it with what an endpoint says later.
    struct AppliedBlock {
        std::optional<Hash32> hash{};  ///< none if it is no longer kept
        Hash32 digest{};               ///< of its logs, see digest_of; zero if it had none
    };
    /// Blocks first … last, in order.
    [[nodiscard]] Result<std::vector<AppliedBlock>> applied(std::uint64_t first, std::uint64_t last);

    [[nodiscard]] Result<ports::AccountState> account(const Address& signer);
    [[nodiscard]] Result<Address> owner(const Address& signer);
    [[nodiscard]] Result<ports::LaneState> lane(const Address& signer, const Address& provider);
    [[nodiscard]] Result<ports::ProviderState> provider(const Address& provider);
    /// As ports::ProviderRegistry.
    [[nodiscard]] Result<bool> is_registered(const NodeKey& node_key);
    [[nodiscard]] Result<std::vector<ports::RegisteredProvider>> registered(const Address& after, std::size_t limit);
    /// See read_payees.
    [[nodiscard]] Result<ports::PayeeStates> payees(const std::vector<Address>& addresses);
    /// See read_volumes.
    [[nodiscard]] Result<ports::SalesVolumes> volumes(const std::vector<ports::SalesKey>& pairs);
    /// See ChainTables::dump_hash.
    [[nodiscard]] Result<Hash32> dump_hash();

private:
    ChainStore(sys::Database database, std::uint64_t depth);
    [[nodiscard]] Result<std::optional<ports::BlockRef>> head_locked();
    [[nodiscard]] Result<std::optional<Hash32>> hash_locked(std::uint64_t number);
    [[nodiscard]] Result<> apply(const Block& block);
    [[nodiscard]] Result<std::uint64_t> floor_locked();
    [[nodiscard]] Result<> prune(std::uint64_t head);

    std::mutex mutex_;
    sys::Database database_;
    std::uint64_t depth_;
    std::unique_ptr<ChainTables> tables_;
};

}  // namespace myst::chain
