// The tables that follow from the lanes contract's events, with a journal that can undo any block. SQLite.
// One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "myst/ports/provider_registry.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::chain {

/// Schema of chain.db, for Database::migrate.
[[nodiscard]] const std::vector<std::string>& chain_schema();

/// Rows that hold only zeros are not stored, so that "never seen" and "emptied" are the same, as on chain.
/// Every write belongs to the block given to `begin_block` and happens inside the caller's transaction.
class ChainTables {
public:
    /// `database` must have chain_schema() and outlive this.
    explicit ChainTables(sys::Database& database);
    ~ChainTables();
    ChainTables(const ChainTables&) = delete;
    ChainTables& operator=(const ChainTables&) = delete;

    [[nodiscard]] Result<ports::AccountState> account(const Address& signer);
    [[nodiscard]] Result<Address> owner(const Address& signer);
    [[nodiscard]] Result<ports::LaneState> lane(const Address& signer, const Address& provider);
    [[nodiscard]] Result<ports::ProviderState> provider(const Address& provider);
    [[nodiscard]] Result<ports::PayeeSales> payee_sales(const Address& provider);
    /// What one payer has paid to one provider, over all epochs.
    struct Sales {
        std::uint64_t settlements = 0;
        Amount volume;
    };
    [[nodiscard]] Result<Sales> sales(const Address& provider, const Address& signer);

    /// As ports::ProviderRegistry.
    [[nodiscard]] Result<bool> is_registered(const NodeKey& node_key);
    [[nodiscard]] Result<std::vector<ports::RegisteredProvider>> registered(const Address& after, std::size_t limit);

    /// Later writes are journaled under this block.
    void begin_block(std::uint64_t number);
    [[nodiscard]] Result<> put_account(const Address& signer, const ports::AccountState& state);
    [[nodiscard]] Result<> put_owner(const Address& signer, const Address& owner);
    [[nodiscard]] Result<> put_lane(const Address& signer, const Address& provider, const ports::LaneState& state);
    [[nodiscard]] Result<> put_provider(const Address& provider, const ports::ProviderState& state);
    /// Counts a settlement that brought `amount`.
    [[nodiscard]] Result<> add_sale(const Address& provider, const Address& signer, Amount amount);

    /// Restores what the tables held before block `first`, newest change first, and drops those journal entries.
    [[nodiscard]] Result<> undo_from(std::uint64_t first);
    /// Forgets how to undo blocks below `first`.
    [[nodiscard]] Result<> forget_below(std::uint64_t first);
    /// Keccak-256 over all rows of all tables in key order: equal tables, equal hash.
    [[nodiscard]] Result<Hash32> dump_hash();

private:
    struct Table;
    using Cell = std::variant<std::int64_t, Bytes>;
    using Row = std::vector<Cell>;

    [[nodiscard]] Result<std::optional<Row>> get(Table& table, BytesView key);
    [[nodiscard]] Result<> put(Table& table, BytesView key, std::optional<Row> row);
    [[nodiscard]] Result<> write(Table& table, BytesView key, const std::optional<Row>& row);
    [[nodiscard]] static Result<ports::ProviderState> to_provider(const Row& row);
    static Bytes pack(const Row& row);
    [[nodiscard]] static Result<Row> unpack(BytesView bytes);

    sys::Database& database_;
    sys::Statement journal_;
    std::vector<std::unique_ptr<Table>> tables_;
    std::uint64_t block_ = 0;
};

}  // namespace myst::chain
