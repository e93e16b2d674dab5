#include "store_engines.hpp"

#include <algorithm>

#include "key_value.hpp"
#include "myst/base/check.hpp"
#include "myst/crypto/sha256.hpp"

namespace myst::bench {
namespace {

/// The node's own store.
class SqliteEngine final : public StoreEngine {
public:
    explicit SqliteEngine(const std::filesystem::path& folder)
        : table_(std::move(*db::RecordTable::open((folder / "records.db").string(), {}))) {}

    std::size_t put(const std::vector<db::SharedRecord>& records, UnixTime now) override {
        const auto outcomes = table_.put(records, now);
        CHECK(outcomes);
        const auto stored = [](const auto& outcome) { return outcome && *outcome == db::PutOutcome::stored; };
        return static_cast<std::size_t>(std::count_if(outcomes->begin(), outcomes->end(), stored));
    }
    std::vector<std::string> query(const codec::Filter& filter, UnixTime now) override {
        const db::QueryLimits limits;
        const auto ids = table_.find({filter}, limits.records, now);
        CHECK(ids);
        auto page = table_.load(*ids, limits.bytes);
        CHECK(page);
        return std::move(page->texts);
    }
    std::size_t purge(UnixTime now) override {
        const auto gone = table_.purge(now);
        CHECK(gone);
        return *gone;
    }

private:
    db::RecordTable table_;
};

/// A number as bytes in its own order.
std::string ordered(std::uint64_t number) {
    std::string text(8, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(number >> (56 - 8 * i));
    return text;
}

std::uint64_t number(std::string_view bytes) {
    std::uint64_t result = 0;
    for (const char byte : bytes.substr(0, 8)) result = result << 8 | static_cast<std::uint8_t>(byte);
    return result;
}

std::string text_of(BytesView bytes) {
    return {bytes.begin(), bytes.end()};
}

std::uint64_t seconds_of(UnixTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

/// Short whatever the values are: LMDB takes keys of 511 bytes.
std::string tag_key(std::string_view name, std::string_view value, std::uint32_t kind) {
    const std::string all = std::to_string(kind) + ' ' + std::string(name) + ' ' + std::string(value);
    return 't' + text_of(crypto::sha256(as_bytes(all)).view().first(8));
}

/// The same on keys and values:
/// r number → JSON; i id → number; a author, kind and name → id; e expiry, id → nothing; n → last number;
/// t tag and kind, newest first, id → expiry.
class KeyValueEngine final : public StoreEngine {
public:
    explicit KeyValueEngine(std::unique_ptr<KeyValue> store) : store_(std::move(store)) {
        last_ = number(store_->get("n").value_or(""));
    }

    std::size_t put(const std::vector<db::SharedRecord>& records, UnixTime now) override {
        std::size_t stored = 0;
        for (const auto& record : records) stored += put_one(*record, now) ? 1 : 0;
        store_->put("n", ordered(last_));
        store_->commit();
        return stored;
    }

    std::vector<std::string> query(const codec::Filter& filter, UnixTime now) override {
        auto found = find(filter, now);
        std::vector<std::string> texts;
        for (const auto& place : found) texts.push_back(load(std::string_view(place).substr(8)));
        return texts;
    }

    std::size_t purge(UnixTime now) override {
        std::vector<std::string> ids;
        const auto until = "e" + ordered(seconds_of(now - db::kVersionMemory));
        store_->each("e", [&](std::string_view key, std::string_view) {
            if (key.substr(0, 1) != "e" || key.substr(0, 9) > until) return false;
            ids.emplace_back(key.substr(9));
            return true;
        });
        for (const auto& id : ids) remove(id);
        store_->commit();
        return ids.size();
    }

private:
    static std::string address_key(const db::RecordAddress& address) {
        return 'a' + text_of(address.author.view()) + tag_key("d", address.identifier, address.kind);
    }
    static std::string expiry_of(const codec::Event& event) {
        const auto expiration = event.expiration();
        return ordered(expiration ? seconds_of(*expiration) : UINT64_MAX);
    }
    /// Calls with the key of each entry among the tags.
    template <class Use>
    static void for_each_tag(const codec::Event& event, Use use) {
        const auto place = ordered(~seconds_of(event.created_at)) + text_of(event.id.view());
        for (const auto& tag : event.tags) {
            if (tag.size() >= 2 && tag[0].size() == 1) use(tag_key(tag[0], tag[1], event.kind) + place);
        }
    }

    bool put_one(const db::Record& record, UnixTime now) {
        const auto& event = record.event();
        const auto id = text_of(event.id.view());
        if (db::is_expired(event, now) || store_->get("i" + id)) return false;
        if (const auto address = db::address_of(event)) {
            const auto key = address_key(*address);
            if (const auto current = store_->get(key)) {
                const auto version = db::Record::restore(load(*current));
                CHECK(version);
                if (db::comes_before((*version)->event(), event)) return false;
                remove(*current);
            }
            store_->put(key, id);
        }
        ++last_;
        store_->put("r" + ordered(last_), record.json());
        store_->put("i" + id, ordered(last_));
        const auto expiry = expiry_of(event);
        store_->put("e" + expiry + id, "");
        for_each_tag(event, [&](const std::string& key) { store_->put(key, expiry); });
        return true;
    }

    std::string load(std::string_view id) {
        const auto place = store_->get("i" + std::string(id));
        CHECK(place);
        auto json = store_->get("r" + *place);
        CHECK(json);
        return std::move(*json);
    }

    void remove(const std::string& id) {
        const auto record = db::Record::restore(load(id));
        CHECK(record);
        const auto& event = (*record)->event();
        const auto place = store_->get("i" + id);
        store_->erase("r" + *place);
        store_->erase("i" + id);
        store_->erase("e" + expiry_of(event) + id);
        if (const auto address = db::address_of(event)) store_->erase(address_key(*address));
        for_each_tag(event, [this](const std::string& key) { store_->erase(key); });
    }

    /// Entries of one tag, newest first: at most `limit` of those that `keep` accepts.
    void collect(const std::string& prefix, std::size_t limit, const std::function<bool(std::string_view)>& keep,
                 std::vector<std::string>& places, UnixTime now) {
        std::size_t taken = 0;
        store_->each(prefix, [&](std::string_view key, std::string_view expiry) {
            if (key.substr(0, prefix.size()) != prefix || taken == limit) return false;
            const auto place = key.substr(prefix.size());
            if (number(expiry) <= seconds_of(now) || !keep(place)) return true;
            places.emplace_back(place);
            ++taken;
            return true;
        });
    }

    /// Creation and id of what matches. Goes through the entries of the country, as the node's store does.
    std::vector<std::string> find(const codec::Filter& filter, UnixTime now) {
        constexpr char kRarest = 'c';
        const std::size_t limit = filter.limit.value_or(500);
        const auto kind = filter.kinds.at(0);
        const auto has_others = [&](std::string_view place) {
            return std::all_of(filter.tags.begin(), filter.tags.end(), [&](const auto& tag) {
                const auto& [letter, values] = tag;
                const std::string name(1, letter);
                return letter == kRarest || std::any_of(values.begin(), values.end(), [&](const auto& value) {
                           return store_->get(tag_key(name, value, kind) + std::string(place)).has_value();
                       });
            });
        };
        std::vector<std::string> places;
        for (const auto& value : filter.tags.at(kRarest)) {
            collect(tag_key(std::string(1, kRarest), value, kind), limit, has_others, places, now);
        }
        std::sort(places.begin(), places.end());
        places.erase(std::unique(places.begin(), places.end()), places.end());
        if (places.size() > limit) places.resize(limit);
        return places;
    }

    std::unique_ptr<KeyValue> store_;
    std::uint64_t last_ = 0;
};

}  // namespace

std::unique_ptr<StoreEngine> open_engine(const std::string& name, const std::filesystem::path& folder) {
    if (name == "sqlite") return std::make_unique<SqliteEngine>(folder);
    if (name == "lmdb") return std::make_unique<KeyValueEngine>(open_lmdb(folder));
    CHECK(name == "rocksdb");
    return std::make_unique<KeyValueEngine>(open_rocksdb(folder));
}

}  // namespace myst::bench
