#include <rocksdb/db.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include "key_value.hpp"
#include "myst/base/check.hpp"

namespace myst::bench {
namespace {

rocksdb::Slice slice(std::string_view text) {
    return {text.data(), text.size()};
}

class RocksDb final : public KeyValue {
public:
    explicit RocksDb(const std::filesystem::path& folder) {
        rocksdb::Options options;
        options.create_if_missing = true;
        rocksdb::DB* opened = nullptr;
        CHECK(rocksdb::DB::Open(options, folder.string(), &opened).ok());
        database_.reset(opened);
    }

    std::optional<std::string> get(std::string_view key) override {
        std::string value;
        const auto status = batch_.GetFromBatchAndDB(database_.get(), {}, slice(key), &value);
        CHECK(status.ok() || status.IsNotFound());
        return status.ok() ? std::optional(std::move(value)) : std::nullopt;
    }
    void put(std::string_view key, std::string_view value) override {
        CHECK(batch_.Put(slice(key), slice(value)).ok());
    }
    void erase(std::string_view key) override { CHECK(batch_.Delete(slice(key)).ok()); }
    void commit() override {
        rocksdb::WriteOptions options;
        options.sync = true;
        CHECK(database_->Write(options, batch_.GetWriteBatch()).ok());
        batch_.Clear();
    }
    void each(std::string_view from, const Visit& visit) override {
        const std::unique_ptr<rocksdb::Iterator> iterator(database_->NewIterator({}));
        for (iterator->Seek(slice(from)); iterator->Valid(); iterator->Next()) {
            if (!visit(iterator->key().ToStringView(), iterator->value().ToStringView())) break;
        }
        CHECK(iterator->status().ok());
    }

private:
    std::unique_ptr<rocksdb::DB> database_;
    rocksdb::WriteBatchWithIndex batch_{rocksdb::BytewiseComparator(), 0, true};
};

}  // namespace

std::unique_ptr<KeyValue> open_rocksdb(const std::filesystem::path& folder) {
    return std::make_unique<RocksDb>(folder);
}

}  // namespace myst::bench
