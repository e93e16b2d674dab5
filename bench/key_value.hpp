// An ordered store of keys and values: what LMDB and RocksDB have in common.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace myst::bench {

/// One thread. What is written can be read at once, and is on disk after `commit`. A failure ends the program.
class KeyValue {
public:
    using Visit = std::function<bool(std::string_view key, std::string_view value)>;
    virtual ~KeyValue() = default;
    [[nodiscard]] virtual std::optional<std::string> get(std::string_view key) = 0;
    virtual void put(std::string_view key, std::string_view value) = 0;
    virtual void erase(std::string_view key) = 0;
    virtual void commit() = 0;
    /// What is committed, in order, from a key on until `visit` returns false.
    virtual void each(std::string_view from, const Visit& visit) = 0;
};

[[nodiscard]] std::unique_ptr<KeyValue> open_lmdb(const std::filesystem::path& folder);
[[nodiscard]] std::unique_ptr<KeyValue> open_rocksdb(const std::filesystem::path& folder);

}  // namespace myst::bench
