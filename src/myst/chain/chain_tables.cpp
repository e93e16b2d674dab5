#include "myst/chain/chain_tables.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/check.hpp"
#include "myst/chain/table_cells.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain {
namespace {

/// Positions in `tables_`.
constexpr std::size_t kAccounts = 0;
constexpr std::size_t kOwners = 1;
constexpr std::size_t kLanes = 2;
constexpr std::size_t kProviders = 3;
constexpr std::size_t kSales = 4;
constexpr std::size_t kPayees = 5;

std::int64_t time_cell(UnixTime time) {
    return time.time_since_epoch().count();
}

UnixTime time_of(std::int64_t value) {
    return UnixTime(seconds(value));
}

Bytes pair_key(const Address& first, const Address& second) {
    Bytes key(first.bytes.begin(), first.bytes.end());
    key.insert(key.end(), second.bytes.begin(), second.bytes.end());
    return key;
}

/// A column of a value: a time or number, or a byte string.
struct Column {
    std::string name;
    bool integer = false;
};

std::string key_list(const std::vector<std::string>& keys, std::string_view suffix, std::string_view between) {
    std::string out;
    for (const auto& key : keys) out += fmt::format("{}{}{}", out.empty() ? "" : between, key, suffix);
    return out;
}

std::string value_list(const std::vector<Column>& values) {
    std::string out;
    for (const auto& value : values) out += fmt::format("{}{}", out.empty() ? "" : ",", value.name);
    return out;
}

std::string upsert_sql(const std::string& table, const std::vector<std::string>& keys,
                       const std::vector<Column>& values) {
    std::string marks = "?";
    for (std::size_t i = 1; i < keys.size() + values.size(); ++i) marks += ",?";
    std::string updates;
    for (const auto& each : values) {
        updates += fmt::format("{}{}=excluded.{}", updates.empty() ? "" : ",", each.name, each.name);
    }
    return fmt::format("INSERT INTO {}({},{}) VALUES({}) ON CONFLICT DO UPDATE SET {}", table, key_list(keys, "", ","),
                       value_list(values), marks, updates);
}

}  // namespace

const std::vector<std::string>& chain_schema() {
    static const std::vector<std::string> kSchema = {R"(
        CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE blocks(number INTEGER PRIMARY KEY, hash BLOB NOT NULL, parent BLOB NOT NULL,
                            time INTEGER NOT NULL);
        CREATE TABLE accounts(signer BLOB PRIMARY KEY, free BLOB NOT NULL, exiting BLOB NOT NULL,
                              exit_at INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE owners(signer BLOB PRIMARY KEY, owner BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE lanes(signer BLOB NOT NULL, provider BLOB NOT NULL, paid BLOB NOT NULL, cap BLOB NOT NULL,
                           release_at INTEGER NOT NULL, epoch INTEGER NOT NULL,
                           PRIMARY KEY(signer, provider)) WITHOUT ROWID;
        CREATE INDEX lanes_by_provider ON lanes(provider);
        CREATE TABLE providers(provider BLOB PRIMARY KEY, node_key BLOB NOT NULL, stake BLOB NOT NULL,
                               leave_at INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX providers_by_node_key ON providers(node_key);
        CREATE TABLE journal(entry INTEGER PRIMARY KEY, block INTEGER NOT NULL, place INTEGER NOT NULL,
                             key BLOB NOT NULL, old BLOB);
        CREATE INDEX journal_by_block ON journal(block);
    )",
                                                     // Digests exist from the first block on or not at all.
                                                     R"(
        CREATE TABLE log_digests(block INTEGER PRIMARY KEY, digest BLOB NOT NULL);
        DELETE FROM meta; DELETE FROM blocks; DELETE FROM accounts; DELETE FROM owners; DELETE FROM lanes;
        DELETE FROM providers; DELETE FROM journal;
    )",
                                                     // So do counts of sales.
                                                     R"(
        CREATE TABLE sales(provider BLOB NOT NULL, signer BLOB NOT NULL, settlements INTEGER NOT NULL,
                           volume BLOB NOT NULL, PRIMARY KEY(provider, signer)) WITHOUT ROWID;
        CREATE TABLE payees(provider BLOB PRIMARY KEY, settlements INTEGER NOT NULL, payers INTEGER NOT NULL,
                            volume BLOB NOT NULL, weight BLOB NOT NULL) WITHOUT ROWID;
        DELETE FROM meta; DELETE FROM blocks; DELETE FROM accounts; DELETE FROM owners; DELETE FROM lanes;
        DELETE FROM providers; DELETE FROM journal; DELETE FROM log_digests;
    )"};
    return kSchema;
}

/// A table with keys made of addresses, and the statements it needs.
struct ChainTables::Table {
    Table(sys::Database& database, std::size_t place, const std::string& name, std::vector<std::string> keys,
          std::vector<Column> columns)
        : id(place),
          key_count(keys.size()),
          values(std::move(columns)),
          select(database.prepare(
              fmt::format("SELECT {} FROM {} WHERE {}", value_list(values), name, key_list(keys, "=?", " AND ")))),
          remove(database.prepare(fmt::format("DELETE FROM {} WHERE {}", name, key_list(keys, "=?", " AND ")))),
          upsert(database.prepare(upsert_sql(name, keys, values))),
          scan(database.prepare(fmt::format("SELECT {},{} FROM {} ORDER BY {}", key_list(keys, "", ","),
                                            value_list(values), name, key_list(keys, "", ",")))) {}

    /// Binds the parts of a key from position 1.
    void bind_key(sys::Statement& statement, BytesView key) const {
        CHECK(key.size() == key_count * Address::kSize);
        statement.reset();
        for (std::size_t i = 0; i < key_count; ++i) {
            statement.bind(static_cast<int>(i + 1), key.subspan(i * Address::kSize, Address::kSize));
        }
    }
    /// The values of the row that `statement` is at, beginning at `column`.
    [[nodiscard]] Row row_at(const sys::Statement& statement, int column) const {
        Row row;
        for (const auto& each : values) {
            if (each.integer) {
                row.emplace_back(statement.integer(column++));
            } else {
                row.emplace_back(statement.blob(column++));
            }
        }
        return row;
    }
    /// Whether a row, for instance from the journal, has the shape of this table.
    [[nodiscard]] bool fits(const Row& row) const {
        if (row.size() != values.size()) return false;
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (std::holds_alternative<std::int64_t>(row[i]) != values[i].integer) return false;
        }
        return true;
    }

    std::size_t id;
    std::size_t key_count;
    std::vector<Column> values;
    sys::Statement select;
    sys::Statement remove;
    sys::Statement upsert;
    sys::Statement scan;
};

ChainTables::ChainTables(sys::Database& database)
    : database_(database), journal_(database.prepare("INSERT INTO journal(block,place,key,old) VALUES(?,?,?,?)")) {
    const auto add = [this](std::size_t id, const char* name, std::vector<std::string> keys,
                            std::vector<Column> values) {
        tables_.push_back(std::make_unique<Table>(database_, id, name, std::move(keys), std::move(values)));
    };
    add(kAccounts, "accounts", {"signer"}, {{"free"}, {"exiting"}, {"exit_at", true}});
    add(kOwners, "owners", {"signer"}, {{"owner"}});
    add(kLanes, "lanes", {"signer", "provider"}, {{"paid"}, {"cap"}, {"release_at", true}, {"epoch", true}});
    add(kProviders, "providers", {"provider"}, {{"node_key"}, {"stake"}, {"leave_at", true}});
    add(kSales, "sales", {"provider", "signer"}, {{"settlements", true}, {"volume"}});
    add(kPayees, "payees", {"provider"}, {{"settlements", true}, {"payers", true}, {"volume"}, {"weight"}});
}

ChainTables::~ChainTables() = default;

Result<std::optional<ChainTables::Row>> ChainTables::get(Table& table, BytesView key) {
    table.bind_key(table.select, key);
    auto found = table.select.step();
    if (!found) return forward_error(found);
    std::optional<Row> row;
    if (*found) row = table.row_at(table.select, 0);
    table.select.reset();
    return row;
}

Result<> ChainTables::write(Table& table, BytesView key, const std::optional<Row>& row) {
    if (!row) {
        table.bind_key(table.remove, key);
        return table.remove.run();
    }
    table.bind_key(table.upsert, key);
    int position = static_cast<int>(table.key_count) + 1;
    for (const auto& cell : *row) {
        if (const auto* number = std::get_if<std::int64_t>(&cell)) {
            table.upsert.bind(position++, *number);
        } else {
            table.upsert.bind(position++, BytesView(std::get<Bytes>(cell)));
        }
    }
    return table.upsert.run();
}

Result<> ChainTables::put(Table& table, BytesView key, std::optional<Row> row) {
    auto old = get(table, key);
    if (!old) return forward_error(old);
    if (*old == row) return {};
    journal_.with(block_, table.id, key);
    if (*old) {
        const auto packed = pack(**old);
        journal_.bind(4, BytesView(packed));
    } else {
        journal_.bind_null(4);
    }
    if (auto noted = journal_.run(); !noted) return noted;
    return write(table, key, row);
}

/// Each cell: 0 and eight bytes of a number, or 1, one byte of length and the bytes.
Bytes ChainTables::pack(const Row& row) {
    Bytes out;
    for (const auto& cell : row) {
        if (const auto* number = std::get_if<std::int64_t>(&cell)) {
            out.push_back(0);
            for (int shift = 56; shift >= 0; shift -= 8) {
                out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(*number) >> shift));
            }
        } else {
            const auto& bytes = std::get<Bytes>(cell);
            CHECK(bytes.size() < 256);
            out.push_back(1);
            out.push_back(static_cast<std::uint8_t>(bytes.size()));
            out.insert(out.end(), bytes.begin(), bytes.end());
        }
    }
    return out;
}

Result<ChainTables::Row> ChainTables::unpack(BytesView bytes) {
    Row row;
    while (!bytes.empty()) {
        if (bytes[0] == 0) {
            if (bytes.size() < 9) return damaged();
            std::uint64_t number = 0;
            for (std::size_t i = 1; i < 9; ++i) number = number << 8 | bytes[i];
            row.emplace_back(static_cast<std::int64_t>(number));
            bytes = bytes.subspan(9);
        } else {
            if (bytes.size() < 2 || bytes.size() - 2 < bytes[1]) return damaged();
            const auto content = bytes.subspan(2, bytes[1]);
            row.emplace_back(Bytes(content.begin(), content.end()));
            bytes = bytes.subspan(2 + content.size());
        }
    }
    return row;
}

Result<> ChainTables::undo_from(std::uint64_t first) {
    auto query = database_.prepare("SELECT place,key,old FROM journal WHERE block>=? ORDER BY entry DESC");
    query.with(first);
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more);
        if (!*more) break;
        const auto place = static_cast<std::size_t>(query.integer(0));
        const auto key = query.blob(1);
        if (place >= tables_.size() || key.size() != tables_[place]->key_count * Address::kSize) return damaged();
        std::optional<Row> old;
        if (!query.is_null(2)) {
            const auto packed = query.blob(2);
            auto row = unpack(packed);
            if (!row) return forward_error(row);
            if (!tables_[place]->fits(*row)) return damaged();
            old = std::move(*row);
        }
        if (auto restored = write(*tables_[place], key, old); !restored) return restored;
    }
    return database_.prepare("DELETE FROM journal WHERE block>=?").with(first).run();
}

Result<> ChainTables::forget_below(std::uint64_t first) {
    return database_.prepare("DELETE FROM journal WHERE block<?").with(first).run();
}

Result<Hash32> ChainTables::dump_hash() {
    Hash32 hash;
    for (auto& table : tables_) {
        table->scan.reset();
        for (;;) {
            auto more = table->scan.step();
            if (!more) return forward_error(more);
            if (!*more) break;
            Bytes line{static_cast<std::uint8_t>(table->id)};
            for (std::size_t i = 0; i < table->key_count; ++i) {
                const auto part = table->scan.blob(static_cast<int>(i));
                line.insert(line.end(), part.begin(), part.end());
            }
            const auto values = pack(table->row_at(table->scan, static_cast<int>(table->key_count)));
            hash = crypto::keccak256({hash.view(), line, values});
        }
        table->scan.reset();
    }
    return hash;
}

Result<ports::AccountState> ChainTables::account(const Address& signer) {
    auto row = get(*tables_[kAccounts], signer.view());
    if (!row) return forward_error(row);
    if (!*row) return ports::AccountState{};
    const auto& cells = **row;
    auto free = amount_of(std::get<Bytes>(cells[0]));
    auto exiting = amount_of(std::get<Bytes>(cells[1]));
    if (!free || !exiting) return damaged();
    return ports::AccountState{*free, *exiting, time_of(std::get<std::int64_t>(cells[2]))};
}

Result<Address> ChainTables::owner(const Address& signer) {
    auto row = get(*tables_[kOwners], signer.view());
    if (!row) return forward_error(row);
    if (!*row) return Address{};
    auto owner = Address::from(std::get<Bytes>((**row)[0]));
    if (!owner) return damaged();
    return *owner;
}

Result<ports::LaneState> ChainTables::lane(const Address& signer, const Address& provider) {
    const auto key = pair_key(signer, provider);
    auto row = get(*tables_[kLanes], key);
    if (!row) return forward_error(row);
    if (!*row) return ports::LaneState{};
    const auto& cells = **row;
    auto paid = amount_of(std::get<Bytes>(cells[0]));
    auto cap = amount_of(std::get<Bytes>(cells[1]));
    if (!paid || !cap) return damaged();
    return ports::LaneState{*paid, *cap, time_of(std::get<std::int64_t>(cells[2])),
                            static_cast<std::uint32_t>(std::get<std::int64_t>(cells[3]))};
}

Result<ports::ProviderState> ChainTables::to_provider(const Row& row) {
    auto key = NodeKey::from(std::get<Bytes>(row[0]));
    auto stake = amount_of(std::get<Bytes>(row[1]));
    if (!key || !stake) return damaged();
    return ports::ProviderState{*key, *stake, time_of(std::get<std::int64_t>(row[2]))};
}

Result<ports::ProviderState> ChainTables::provider(const Address& provider) {
    auto row = get(*tables_[kProviders], provider.view());
    if (!row) return forward_error(row);
    if (!*row) return ports::ProviderState{};
    return to_provider(**row);
}

Result<bool> ChainTables::is_registered(const NodeKey& node_key) {
    return database_.prepare("SELECT 1 FROM providers WHERE node_key=?").with(node_key).step();
}

Result<std::vector<ports::RegisteredProvider>> ChainTables::registered(const Address& after, std::size_t limit) {
    auto query = database_.prepare(
        "SELECT provider,node_key,stake,leave_at FROM providers WHERE provider>? ORDER BY provider LIMIT ?");
    query.with(after, static_cast<std::int64_t>(limit));
    std::vector<ports::RegisteredProvider> out;
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more);
        if (!*more) return out;
        auto provider = query.fixed<Address>(0);
        if (!provider) return damaged();
        auto state = to_provider(tables_[kProviders]->row_at(query, 1));
        if (!state) return forward_error(state);
        out.push_back({*provider, *state});
    }
}

Result<ports::PayeeSales> ChainTables::payee_sales(const Address& provider) {
    auto row = get(*tables_[kPayees], provider.view());
    if (!row) return forward_error(row);
    if (!*row) return ports::PayeeSales{};
    const auto& cells = **row;
    auto volume = amount_of(std::get<Bytes>(cells[2]));
    auto weight = amount_of(std::get<Bytes>(cells[3]));
    if (!volume || !weight) return damaged();
    return ports::PayeeSales{static_cast<std::uint64_t>(std::get<std::int64_t>(cells[0])),
                             static_cast<std::uint64_t>(std::get<std::int64_t>(cells[1])), *volume, *weight};
}

Result<ChainTables::Sales> ChainTables::sales(const Address& provider, const Address& signer) {
    const auto key = pair_key(provider, signer);
    auto row = get(*tables_[kSales], key);
    if (!row) return forward_error(row);
    if (!*row) return Sales{};
    auto volume = amount_of(std::get<Bytes>((**row)[1]));
    if (!volume) return damaged();
    return Sales{static_cast<std::uint64_t>(std::get<std::int64_t>((**row)[0])), *volume};
}

Result<> ChainTables::add_sale(const Address& provider, const Address& signer, Amount amount) {
    auto pair = sales(provider, signer);
    if (!pair) return forward_error(pair);
    auto all = payee_sales(provider);
    if (!all) return forward_error(all);
    const bool is_new = pair->settlements == 0;
    const auto weighed = std::min(pair->volume, ports::kMostWeight);
    pair->volume = pair->volume.plus_saturating(amount);
    ++pair->settlements;
    all->settlements += 1;
    all->payers += is_new ? 1 : 0;
    all->volume = all->volume.plus_saturating(amount);
    all->weight = all->weight.plus_saturating(std::min(pair->volume, ports::kMostWeight).minus_saturating(weighed));
    const auto key = pair_key(provider, signer);
    auto kept =
        put(*tables_[kSales], key, Row{static_cast<std::int64_t>(pair->settlements), amount_cell(pair->volume)});
    if (!kept) return kept;
    return put(*tables_[kPayees], provider.view(),
               Row{static_cast<std::int64_t>(all->settlements), static_cast<std::int64_t>(all->payers),
                   amount_cell(all->volume), amount_cell(all->weight)});
}

void ChainTables::begin_block(std::uint64_t number) {
    block_ = number;
}

Result<> ChainTables::put_account(const Address& signer, const ports::AccountState& state) {
    std::optional<Row> row;
    if (state != ports::AccountState{}) {
        row = Row{amount_cell(state.free), amount_cell(state.exiting), time_cell(state.exit_at)};
    }
    return put(*tables_[kAccounts], signer.view(), std::move(row));
}

Result<> ChainTables::put_owner(const Address& signer, const Address& owner) {
    return put(*tables_[kOwners], signer.view(), Row{Bytes(owner.bytes.begin(), owner.bytes.end())});
}

Result<> ChainTables::put_lane(const Address& signer, const Address& provider, const ports::LaneState& state) {
    std::optional<Row> row;
    if (state != ports::LaneState{}) {
        row = Row{amount_cell(state.paid), amount_cell(state.cap), time_cell(state.release_at),
                  std::int64_t{state.epoch}};
    }
    const auto key = pair_key(signer, provider);
    return put(*tables_[kLanes], key, std::move(row));
}

Result<> ChainTables::put_provider(const Address& provider, const ports::ProviderState& state) {
    std::optional<Row> row;
    if (state != ports::ProviderState{}) {
        row = Row{Bytes(state.node_key.bytes.begin(), state.node_key.bytes.end()), amount_cell(state.stake),
                  time_cell(state.leave_at)};
    }
    return put(*tables_[kProviders], provider.view(), std::move(row));
}

}  // namespace myst::chain
