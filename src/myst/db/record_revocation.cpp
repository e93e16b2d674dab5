// What a revocation does to the records of its author.
#include "myst/codec/record_kinds.hpp"
#include "myst/db/record_table.hpp"

namespace myst::db {

Result<bool> RecordTable::is_revoked(const NodeKey& author) {
    auto found = find_revocation_.with(codec::kRevocationKind, author).step();
    find_revocation_.reset();
    return found;
}

Result<> RecordTable::remove_revoked(const NodeKey& author) {
    auto query = database_.prepare("SELECT seq FROM records WHERE author=? AND kind<>?");
    query.with(author, codec::kRevocationKind);
    std::vector<std::int64_t> doomed;
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more);
        if (!*more) break;
        doomed.push_back(query.integer(0));
    }
    query.reset();
    for (const auto seq : doomed) {
        if (auto done = remove(seq); !done) return done;
    }
    return {};
}

}  // namespace myst::db
