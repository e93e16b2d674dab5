// The stores that are compared, behind one interface: what the node's database needs of one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "myst/db/record_table.hpp"

namespace myst::bench {

/// One thread. Admission and signatures are done before.
class StoreEngine {
public:
    virtual ~StoreEngine() = default;
    /// By the rules of the kinds: replaces, or leaves what is older. On disk when it returns. How many were stored.
    virtual std::size_t put(const std::vector<db::SharedRecord>& records, UnixTime now) = 0;
    /// JSON of what matches a filter with kinds and tags, and has not expired: newest first, then lowest id.
    [[nodiscard]] virtual std::vector<std::string> query(const codec::Filter& filter, UnixTime now) = 0;
    /// Deletes what expired before `now`, less the time for which versions are remembered; how many.
    virtual std::size_t purge(UnixTime now) = 0;
};

[[nodiscard]] std::unique_ptr<StoreEngine> open_engine(const std::string& name, const std::filesystem::path& folder);

}  // namespace myst::bench
