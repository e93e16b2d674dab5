// Whatever the order, duplication and loss of messages: two stores that exchanged everything are equal.
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "myst/db/db_fixtures.hpp"
#include "myst/db/record_table.hpp"

namespace myst::db::test {
namespace {

constexpr std::int64_t kDelivered = 1'700'000'000;  ///< when the records arrive
constexpr std::int64_t kExchanged = kDelivered + 100;
constexpr std::size_t kManyItems = 100'000;

/// Records of few authors: many versions of the same addresses, equal times among them, some that expire before the
/// exchange, and contents up to some KiB.
std::vector<SharedRecord> make_pool() {
    std::vector<SharedRecord> pool;
    std::mt19937 random(1);
    for (int i = 0; i < 160; ++i) {
        const auto key = key_of(static_cast<std::uint8_t>(1 + random() % 5));
        const std::array<std::uint32_t, 3> kinds{kProposalKind, 10'002, 1};
        const auto kind = kinds[random() % kinds.size()];
        std::vector<codec::Tag> tags;
        if (kind == kProposalKind) tags.push_back({"d", random() % 2 == 0 ? "a" : "b"});
        const auto ends = random() % 4;
        if (ends == 0) tags.push_back(expires(at(kDelivered + 50)));
        if (ends == 1) tags.push_back(expires(at(kDelivered + 5'000)));
        const auto created = at(kDelivered - static_cast<std::int64_t>(random() % 6));
        std::string content(random() % 8 == 0 ? random() % 6'000 : random() % 40, 'x');
        content += std::to_string(i);
        pool.push_back(make_record(key, kind, created, std::move(tags), std::move(content)));
    }
    return pool;
}

const std::vector<SharedRecord>& pool() {
    static const auto made = make_pool();
    return made;
}

const SharedRecord& in_pool(const Hash32& id) {
    for (const auto& record : pool()) {
        if (record->event().id == id) return record;
    }
    throw std::logic_error("an id that nobody made");
}

/// A store that gets what a test sends it, and the newest versions it has seen.
struct Side {
    Side() : table(RecordTable::open(":memory:", {}).value()) {}
    RecordTable table;
    void take(const SharedRecord& record, std::int64_t now) {
        const auto outcome = table.put({record}, at(now));
        RC_ASSERT(outcome.has_value());
        RC_ASSERT(outcome->front().has_value());
    }
    [[nodiscard]] std::vector<SyncItem> items() {
        codec::Filter everything;
        auto found = table.items(everything, kManyItems, at(kExchanged)).value();
        std::sort(found.begin(), found.end());
        return found;
    }
};

/// A line that loses messages, as long as it is told to.
class Line {
public:
    explicit Line(std::uint64_t seed) : random(seed) {}
    [[nodiscard]] bool loses() { return lossy && random() % 4 == 0; }
    std::mt19937_64 random;
    bool lossy = true;
};

/// One reconciliation as replication does it. A message that is lost ends it; a record that is lost is missing after.
void reconcile(Side& asking, Side& answering, Line& line) {
    const SyncSet here(asking.items());
    const SyncSet there(answering.items());
    std::vector<Hash32> have;
    std::vector<Hash32> need;
    std::optional<Bytes> message = sync_open(here, 4096);
    while (message) {
        if (line.loses()) break;
        const auto answer = sync_answer(there, *message, 4096);
        RC_ASSERT(answer.has_value());
        if (line.loses()) break;
        auto step = sync_step(here, *answer, 4096);
        RC_ASSERT(step.has_value());
        have.insert(have.end(), step->have.begin(), step->have.end());
        need.insert(need.end(), step->need.begin(), step->need.end());
        message = std::move(step->next);
    }
    std::shuffle(have.begin(), have.end(), line.random);
    std::shuffle(need.begin(), need.end(), line.random);
    for (const auto& id : need) {
        for (auto copies = line.random() % 2; !line.loses() && copies < 2; ++copies)
            asking.take(in_pool(id), kExchanged);
    }
    for (const auto& id : have) {
        for (auto copies = line.random() % 2; !line.loses() && copies < 2; ++copies) {
            answering.take(in_pool(id), kExchanged);
        }
    }
}

/// What both must show in the end, by rules that have nothing in common with the store's; and the addresses whose
/// newest version has expired: who has seen it shows no older one, who has not still may.
struct Expected {
    std::set<Hash32> shown;
    std::set<Hash32> withdrawn;
};

Expected expected_of(const std::set<Hash32>& delivered) {
    std::map<RecordAddress, const codec::Event*> newest;
    Expected expected;
    for (const auto& id : delivered) {
        const auto& event = in_pool(id)->event();
        const auto address = address_of(event);
        if (!address) {
            if (!is_expired(event, at(kExchanged))) expected.shown.insert(id);
            continue;
        }
        auto& best = newest[*address];
        const bool newer = best == nullptr || event.created_at > best->created_at ||
                           (event.created_at == best->created_at && event.id < best->id);
        if (newer) best = &event;
    }
    for (const auto& [address, best] : newest) {
        if (!is_expired(*best, at(kExchanged))) {
            expected.shown.insert(best->id);
            continue;
        }
        for (const auto& record : pool()) {
            if (address_of(record->event()) == address) expected.withdrawn.insert(record->event().id);
        }
    }
    return expected;
}

std::set<Hash32> shown_by(Side& side, const Expected& expected) {
    std::set<Hash32> ids;
    for (const auto& item : side.items()) {
        if (!expected.withdrawn.contains(item.id)) ids.insert(item.id);
    }
    return ids;
}

RC_GTEST_PROP(Convergence, StoresThatExchangedEverythingAreEqual, (std::uint64_t seed)) {
    Line line(seed);
    Side one;
    Side other;
    std::set<Hash32> delivered;
    const auto deliveries = line.random() % 200;
    for (std::uint64_t i = 0; i < deliveries; ++i) {
        const auto& record = pool()[line.random() % pool().size()];
        delivered.insert(record->event().id);
        if (line.random() % 2 == 0)
            one.take(record, kDelivered);
        else
            other.take(record, kDelivered);
    }
    for (int i = 0; i < 3; ++i) reconcile(one, other, line);
    for (int i = 0; i < 3; ++i) reconcile(other, one, line);
    line.lossy = false;
    reconcile(one, other, line);
    const auto expected = expected_of(delivered);
    RC_ASSERT(shown_by(one, expected) == expected.shown);
    RC_ASSERT(shown_by(other, expected) == expected.shown);
}

}  // namespace
}  // namespace myst::db::test
