// Reads all records that a filter matches, page by page, though a relay answers with 500 at most.
#pragma once

#include <set>

#include "myst/ports/record_network.hpp"

namespace myst::node {

/// Newest first. Control thread; the network outlives it.
class RecordPages {
public:
    RecordPages(ports::RecordNetwork& records, codec::Filter query) : records_(records), query_(std::move(query)) {}

    /// The records of the next page that no page before it had. After a failure the same page may be asked for again.
    [[nodiscard]] Task<Result<std::vector<codec::Event>>> next();
    /// There is nothing further back, or as many pages were read as one search may.
    [[nodiscard]] bool at_end() const { return at_end_; }

private:
    static constexpr std::size_t kPage = 500;  ///< records; what a relay answers to one question

    void go_back(const std::vector<codec::Event>& events);

    ports::RecordNetwork& records_;
    codec::Filter query_;
    std::size_t page_ = kPage;  ///< size of the next one
    std::size_t pages_ = 0;     ///< that were read
    bool at_end_ = false;
    std::set<Hash32> seen_;
};

}  // namespace myst::node
