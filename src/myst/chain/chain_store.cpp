#include "myst/chain/chain_store.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/chain/event_apply.hpp"
#include "myst/chain/log_digest.hpp"
#include "myst/chain/payee_query.hpp"

namespace myst::chain {
namespace {

Bytes identity_bytes(const StoreIdentity& identity) {
    Bytes out;
    for (const auto number : {identity.chain.chain_id, identity.start_block}) {
        for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(number >> shift));
    }
    for (const auto part : {identity.genesis.view(), identity.chain.lanes.view(), identity.chain.token.view()}) {
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

}  // namespace

Result<std::unique_ptr<ChainStore>> ChainStore::open(const std::string& path, std::uint64_t depth) {
    auto database = sys::Database::open(path, sys::Durability::normal);
    if (!database) return forward_error(database);
    if (auto ready = database->migrate(chain_schema()); !ready) return forward_error(ready, "opening " + path);
    return std::unique_ptr<ChainStore>(new ChainStore(std::move(*database), depth));
}

ChainStore::ChainStore(sys::Database database, std::uint64_t depth)
    : database_(std::move(database)), depth_(depth), tables_(std::make_unique<ChainTables>(database_)) {}

Result<> ChainStore::claim(const StoreIdentity& identity) {
    const std::lock_guard lock(mutex_);
    const auto wanted = identity_bytes(identity);
    auto query = database_.prepare("SELECT value FROM meta WHERE name='identity'");
    auto found = query.step();
    if (!found) return forward_error(found);
    if (!*found) {
        query.reset();
        return database_.prepare("INSERT INTO meta(name,value) VALUES('identity',?)").with(wanted).run();
    }
    if (query.blob(0) == wanted) return {};
    return fail(ErrorCode::failed_precondition,
                "chain.db was built from another chain, contract or start block than the one configured",
                "correct the configuration or the endpoint, or delete chain.db to build it anew");
}

Result<std::optional<ports::BlockRef>> ChainStore::head() {
    const std::lock_guard lock(mutex_);
    return head_locked();
}

Result<std::optional<ports::BlockRef>> ChainStore::head_locked() {
    auto query = database_.prepare("SELECT number,hash,time FROM blocks ORDER BY number DESC LIMIT 1");
    auto found = query.step();
    if (!found) return forward_error(found);
    if (!*found) return std::nullopt;
    auto hash = query.fixed<Hash32>(1);
    if (!hash) return forward_error(hash, "chain.db: blocks");
    return ports::BlockRef{static_cast<std::uint64_t>(query.integer(0)), *hash, UnixTime(seconds(query.integer(2)))};
}

Result<std::optional<Hash32>> ChainStore::hash_at(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    return hash_locked(number);
}

Result<std::optional<Hash32>> ChainStore::hash_locked(std::uint64_t number) {
    auto query = database_.prepare("SELECT hash FROM blocks WHERE number=?");
    query.with(number);
    auto found = query.step();
    if (!found) return forward_error(found);
    if (!*found) return std::nullopt;
    auto hash = query.fixed<Hash32>(0);
    if (!hash) return forward_error(hash, "chain.db: blocks");
    return *hash;
}

Result<std::optional<ports::BlockRef>> ChainStore::replace_from(std::uint64_t first, const std::vector<Block>& blocks) {
    const std::lock_guard lock(mutex_);
    auto floor = floor_locked();
    if (!floor) return forward_error(floor);
    if (first < *floor) return fail(ErrorCode::failed_precondition, "chain.db cannot undo that many blocks");
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction);
    if (auto undone = tables_->undo_from(first); !undone) return forward_error(undone, "undoing blocks");
    auto dropped = database_.prepare("DELETE FROM blocks WHERE number>=?").with(first).run();
    if (!dropped) return forward_error(dropped);
    auto forgotten = database_.prepare("DELETE FROM log_digests WHERE block>=?").with(first).run();
    if (!forgotten) return forward_error(forgotten);
    auto before = head_locked();
    if (!before) return forward_error(before);
    auto last = *before;
    for (const auto& block : blocks) {
        const auto& header = block.header;
        const auto expected = last ? last->number + 1 : first;
        if (header.number != expected || (last && header.parent != last->hash)) {
            return fail(ErrorCode::invalid_data,
                        fmt::format("block {} does not follow block {}", header.number, expected - 1));
        }
        if (auto applied = apply(block); !applied) {
            return forward_error(applied, fmt::format("block {}", header.number));
        }
        last = ports::BlockRef{header.number, header.hash, header.time};
    }
    if (last) {
        if (auto pruned = prune(last->number); !pruned) return forward_error(pruned);
    }
    if (auto done = transaction->commit(); !done) return forward_error(done);
    return last;
}

Result<> ChainStore::apply(const Block& block) {
    const auto& header = block.header;
    auto insert = database_.prepare("INSERT INTO blocks(number,hash,parent,time) VALUES(?,?,?,?)");
    insert.with(header.number, header.hash, header.parent, header.time.time_since_epoch().count());
    if (auto stored = insert.run(); !stored) return stored;
    if (!block.logs.empty()) {
        auto digest = database_.prepare("INSERT INTO log_digests(block,digest) VALUES(?,?)");
        if (auto stored = digest.with(header.number, digest_of(block.logs)).run(); !stored) return stored;
    }
    tables_->begin_block(header.number);
    for (const auto& log : block.logs) {
        auto event = decode_event(log);
        if (!event) return forward_error(event);
        if (auto applied = apply_event(*tables_, *event); !applied) return applied;
    }
    return {};
}

Result<std::vector<ChainStore::AppliedBlock>> ChainStore::applied(std::uint64_t first, std::uint64_t last) {
    const std::lock_guard lock(mutex_);
    std::vector<AppliedBlock> out(static_cast<std::size_t>(last - first + 1));
    const auto read = [&](std::string_view sql, auto put) -> Result<> {
        auto query = database_.prepare(sql);
        query.with(first, last);
        for (;;) {
            auto more = query.step();
            if (!more) return forward_error(more);
            if (!*more) return {};
            auto value = query.template fixed<Hash32>(1);
            if (!value) return forward_error(value, "chain.db");
            put(out[static_cast<std::size_t>(static_cast<std::uint64_t>(query.integer(0)) - first)], *value);
        }
    };
    auto hashes = read("SELECT number,hash FROM blocks WHERE number BETWEEN ? AND ?",
                       [](AppliedBlock& block, const Hash32& hash) { block.hash = hash; });
    if (!hashes) return forward_error(hashes);
    auto digests = read("SELECT block,digest FROM log_digests WHERE block BETWEEN ? AND ?",
                        [](AppliedBlock& block, const Hash32& digest) { block.digest = digest; });
    if (!digests) return forward_error(digests);
    return out;
}

Result<std::uint64_t> ChainStore::undo_floor() {
    const std::lock_guard lock(mutex_);
    return floor_locked();
}

Result<std::uint64_t> ChainStore::floor_locked() {
    auto query = database_.prepare("SELECT value FROM meta WHERE name='undo_floor'");
    auto found = query.step();
    if (!found) return forward_error(found);
    return *found ? static_cast<std::uint64_t>(query.integer(0)) : 0;
}

Result<> ChainStore::prune(std::uint64_t head) {
    if (head < depth_) return {};
    // Stored, because the head may fall again, and what was forgotten for a higher one does not come back.
    auto old = floor_locked();
    if (!old) return forward_error(old);
    const auto floor = std::max(*old, head - depth_ + 1);
    auto update = database_.prepare("INSERT OR REPLACE INTO meta(name,value) VALUES('undo_floor',?)");
    if (auto done = update.with(floor).run(); !done) return done;
    // The header below the floor is the last one that a reorganisation can leave in place.
    auto blocks = database_.prepare("DELETE FROM blocks WHERE number<?");
    if (auto done = blocks.with(floor - 1).run(); !done) return done;
    return tables_->forget_below(floor);
}

Result<ports::AccountState> ChainStore::account(const Address& signer) {
    const std::lock_guard lock(mutex_);
    return tables_->account(signer);
}
Result<Address> ChainStore::owner(const Address& signer) {
    const std::lock_guard lock(mutex_);
    return tables_->owner(signer);
}
Result<ports::LaneState> ChainStore::lane(const Address& signer, const Address& provider) {
    const std::lock_guard lock(mutex_);
    return tables_->lane(signer, provider);
}
Result<ports::ProviderState> ChainStore::provider(const Address& provider) {
    const std::lock_guard lock(mutex_);
    return tables_->provider(provider);
}
Result<bool> ChainStore::is_registered(const NodeKey& node_key) {
    const std::lock_guard lock(mutex_);
    return tables_->is_registered(node_key);
}
Result<std::vector<ports::RegisteredProvider>> ChainStore::registered(const Address& after, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    return tables_->registered(after, limit);
}
Result<ports::PayeeStates> ChainStore::payees(const std::vector<Address>& addresses) {
    const std::lock_guard lock(mutex_);
    return read_payees(database_, addresses);
}
Result<ports::SalesVolumes> ChainStore::volumes(const std::vector<ports::SalesKey>& pairs) {
    const std::lock_guard lock(mutex_);
    return read_volumes(database_, pairs);
}
Result<Hash32> ChainStore::dump_hash() {
    const std::lock_guard lock(mutex_);
    return tables_->dump_hash();
}

}  // namespace myst::chain
