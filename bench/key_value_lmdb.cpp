#include <lmdb.h>

#include <utility>

#include "key_value.hpp"
#include "myst/base/check.hpp"

namespace myst::bench {
namespace {

constexpr std::size_t kLargestFile = std::size_t{8} << 30;

MDB_val view(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};  // NOLINT(cppcoreguidelines-pro-type-const-cast): C interface
}

std::string_view text(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

class Lmdb final : public KeyValue {
public:
    explicit Lmdb(const std::filesystem::path& folder) {
        CHECK(mdb_env_create(&environment_) == 0);
        CHECK(mdb_env_set_mapsize(environment_, kLargestFile) == 0);
        CHECK(mdb_env_open(environment_, folder.c_str(), 0, 0600) == 0);  // syncs at every commit
        CHECK(mdb_dbi_open(write(), nullptr, 0, &table_) == 0);
        commit();
    }
    ~Lmdb() override {
        if (writing_ != nullptr) mdb_txn_abort(writing_);
        mdb_env_close(environment_);
    }
    Lmdb(const Lmdb&) = delete;
    Lmdb& operator=(const Lmdb&) = delete;

    std::optional<std::string> get(std::string_view key) override {
        auto wanted = view(key);
        MDB_val found{};
        const int code = mdb_get(write(), table_, &wanted, &found);
        if (code == MDB_NOTFOUND) return std::nullopt;
        CHECK(code == 0);
        return std::string(text(found));
    }
    void put(std::string_view key, std::string_view value) override {
        auto name = view(key);
        auto content = view(value);
        CHECK(mdb_put(write(), table_, &name, &content, 0) == 0);
    }
    void erase(std::string_view key) override {
        auto name = view(key);
        CHECK(mdb_del(write(), table_, &name, nullptr) == 0);
    }
    void commit() override {
        if (writing_ != nullptr) CHECK(mdb_txn_commit(std::exchange(writing_, nullptr)) == 0);
    }
    void each(std::string_view from, const Visit& visit) override {
        MDB_cursor* cursor = nullptr;
        CHECK(mdb_cursor_open(write(), table_, &cursor) == 0);
        auto key = view(from);
        MDB_val value{};
        for (int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
             code == 0 && visit(text(key), text(value));) {
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }

private:
    /// The one transaction, which reads use as well; without writes its commit does nothing.
    MDB_txn* write() {
        if (writing_ == nullptr) CHECK(mdb_txn_begin(environment_, nullptr, 0, &writing_) == 0);
        return writing_;
    }
    MDB_env* environment_ = nullptr;
    MDB_txn* writing_ = nullptr;
    MDB_dbi table_ = 0;
};

}  // namespace

std::unique_ptr<KeyValue> open_lmdb(const std::filesystem::path& folder) {
    return std::make_unique<Lmdb>(folder);
}

}  // namespace myst::bench
