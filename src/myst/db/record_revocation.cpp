// What a revocation does to the records of its author.
#include "myst/codec/record_kinds.hpp"
#include "myst/db/record_table.hpp"

namespace myst::db {

Result<bool> RecordTable::is_revoked(const NodeKey& author) {
    auto found = find_revocation_.with(codec::kRevocationKind, author).step();
    find_revocation_.reset();
    return found;
}

Result<PutOutcome> RecordTable::put_first_revocation(const Record& record, UnixTime now, const AuthorShare& share) {
    const auto address = address_of(record.event());
    const auto before = stored_;
    if (auto done = remove_revoked(record.event().pubkey); !done) return forward_error(done);
    // It takes the place of what is gone. Where nothing was here it needs room like any record, and may be refused.
    if (stored_ == before) {
        if (auto room = make_room(record, &*address, now, share); !room) return forward_error(room);
    }
    if (auto done = insert(record, &*address); !done) return forward_error(done);
    return PutOutcome::stored;
}

Result<> RecordTable::remove_revoked(const NodeKey& author) {
    auto query =
        database_.prepare("SELECT seq FROM records WHERE substr(author,1,8)=substr(?1,1,8) AND author=?1 AND kind<>?2");
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
    // Nothing of this author is taken again, so what he has deleted need not be remembered. Gift wraps that others
    // wrote to him ('w') stay deleted.
    auto forget = database_.prepare("DELETE FROM deletions WHERE author=? AND substr(target,1,1)<>x'77'");
    return forget.with(author).run();
}

}  // namespace myst::db
