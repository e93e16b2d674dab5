#include "myst/db/negentropy.hpp"

#include <set>

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "myst/crypto/sha256.hpp"

namespace myst::db::test {
namespace {

/// The n-th of a series of ids without order.
Hash32 id_of(std::uint64_t n) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
    return crypto::sha256(bytes);
}

Hash32 id_ending(std::uint8_t first, std::uint8_t last) {
    Hash32 id;
    id.bytes.front() = first;
    id.bytes.back() = last;
    return id;
}

/// What one reconciliation brought, and what it cost.
struct Outcome {
    std::vector<Hash32> have;
    std::vector<Hash32> need;
    std::size_t rounds = 0;
    std::size_t bytes = 0;
    std::size_t largest = 0;
};

Outcome reconcile(const SyncSet& client, const SyncSet& server, std::size_t frame = kSyncFrame) {
    Outcome outcome;
    std::optional<Bytes> message = sync_open(client, frame);
    while (message && outcome.rounds < 10'000) {
        ++outcome.rounds;
        const auto answer = sync_answer(server, *message, frame).value();
        outcome.bytes += message->size() + answer.size();
        outcome.largest = std::max({outcome.largest, message->size(), answer.size()});
        auto step = sync_step(client, answer, frame).value();
        outcome.have.insert(outcome.have.end(), step.have.begin(), step.have.end());
        outcome.need.insert(outcome.need.end(), step.need.begin(), step.need.end());
        message = std::move(step.next);
    }
    std::sort(outcome.have.begin(), outcome.have.end());
    std::sort(outcome.need.begin(), outcome.need.end());
    return outcome;
}

/// The ids in `a` that are not in `b`, by a way that has nothing in common with the protocol.
std::vector<Hash32> only_in(const SyncSet& a, const SyncSet& b) {
    std::set<Hash32> ids;
    for (std::size_t i = 0; i < a.size(); ++i) ids.insert(a[i].id);
    for (std::size_t i = 0; i < b.size(); ++i) ids.erase(b[i].id);
    return {ids.begin(), ids.end()};
}

void expect_exact(const SyncSet& client, const SyncSet& server, const Outcome& outcome) {
    EXPECT_EQ(outcome.have, only_in(client, server));
    EXPECT_EQ(outcome.need, only_in(server, client));
}

TEST(Negentropy, KnownMessages) {
    const SyncSet empty({});
    EXPECT_EQ(to_hex(sync_open(empty)), "6100000200");
    const SyncSet one({{100, id_ending(0xaa, 0xbb)}});
    const std::string id = "aa" + std::string(60, '0') + "bb";
    EXPECT_EQ(to_hex(sync_open(one)), "6100000201" + id);
    EXPECT_EQ(to_hex(*sync_answer(one, sync_open(empty))), "6100000201" + id);
    // An answer to a version that is not known is the one that is, alone.
    EXPECT_EQ(to_hex(*sync_answer(one, *parse_hex("62"))), "61");
    EXPECT_EQ(sync_step(one, *parse_hex("62")).error(), SyncError::version);
    EXPECT_FALSE(sync_step(one, sync_open(one))->next) << "equal sets need no further message";
}

TEST(Negentropy, KnownFingerprints) {
    const auto hex = [](const SyncSet& set) {
        const auto print = set.fingerprint(0, set.size());
        return to_hex(print);
    };
    EXPECT_EQ(hex(SyncSet({})), "7f9c9e31ac8256ca2f258583df262dbc");
    EXPECT_EQ(hex(SyncSet({{1, id_ending(0xff, 1)}})), "e1e9a3eb768e0c71a7b07a72f4a1006b");
    EXPECT_EQ(hex(SyncSet({{1, id_ending(0xff, 1)}, {2, id_ending(2, 0xff)}})), "cb55645800fa0c1f48424f4700e03b7a");
}

/// 32 items make 16 ranges of two; bounds are as short as the neighbours permit.
TEST(Negentropy, BoundsAreTheShortestThatSeparate) {
    std::vector<SyncItem> items;
    for (std::uint8_t i = 0; i < 32; ++i) items.push_back({std::uint64_t{1000} + i, id_ending(i, 0)});
    const auto by_time = to_hex(sync_open(SyncSet(items)));
    // 1002 + 1 in two digits, no prefix, a fingerprint; the next is two seconds on.
    EXPECT_EQ(by_time.substr(0, 10), "61876b0001");
    EXPECT_EQ(by_time.substr(10 + 32, 6), "030001");
    EXPECT_EQ(by_time.size(), 2 * (1 + 4 + 15 * 3 - 3 + 16 * 16 + 2 + 1));
    for (auto& item : items) item.time = 1000;
    const auto by_id = to_hex(sync_open(SyncSet(items)));
    EXPECT_EQ(by_id.substr(0, 12), "618769010201");
    EXPECT_EQ(by_id.substr(12 + 32, 8), "01010401");
}

TEST(Negentropy, BadBytesAreNamed) {
    const SyncSet set({{5, id_of(1)}});
    const auto error_of = [&](std::string_view hex) {
        const auto answer = sync_answer(set, *parse_hex(hex));
        EXPECT_FALSE(answer) << hex;
        const auto step = sync_step(set, *parse_hex(hex));
        EXPECT_FALSE(step) << hex;
        return answer ? SyncError{} : answer.error();
    };
    EXPECT_EQ(error_of(""), SyncError::truncated);
    EXPECT_EQ(error_of("40"), SyncError::version);
    EXPECT_EQ(error_of("6181"), SyncError::truncated);
    EXPECT_EQ(error_of("610000"), SyncError::truncated) << "no mode";
    EXPECT_EQ(error_of("61000003"), SyncError::mode);
    EXPECT_EQ(error_of("61000001"
                       "0011"),
              SyncError::truncated)
        << "half a fingerprint";
    EXPECT_EQ(error_of("61000002"
                       "02"
                       "00"),
              SyncError::truncated)
        << "fewer ids than announced";
    EXPECT_EQ(error_of("61000002"
                       "ffffffffffffffff7f"),
              SyncError::truncated)
        << "more ids than there is memory";
    EXPECT_EQ(error_of("61"
                       "ffffffffffffffffffff7f"
                       "0000"),
              SyncError::number);
    EXPECT_EQ(error_of("610021"), SyncError::bound) << "a prefix longer than an id";
    EXPECT_EQ(error_of("61"
                       "020105"
                       "00"
                       "010104"
                       "00"),
              SyncError::bound)
        << "downwards";
    const auto skipped = sync_answer(set, *parse_hex("61"
                                                     "020000"));
    ASSERT_TRUE(skipped);
    EXPECT_EQ(to_hex(*skipped), "61") << "what is left out is skipped";
}

std::vector<SyncItem> series(std::uint64_t from, std::uint64_t to, std::uint64_t per_second) {
    std::vector<SyncItem> items;
    for (; from < to; ++from) items.push_back({1'700'000'000 + from / per_second, id_of(from)});
    return items;
}

TEST(Negentropy, ALargeSetCostsInProportionToTheDifference) {
    const SyncSet client(series(0, 99'990, 50));
    const SyncSet server(series(10, 100'000, 50));
    const auto outcome = reconcile(client, server);
    expect_exact(client, server, outcome);
    EXPECT_LE(outcome.rounds, 5U);
    EXPECT_LT(outcome.bytes, 10'000U) << "the ids alone are 3.2 MB";
}

TEST(Negentropy, AnEmptySideLearnsAllInBoundedMessages) {
    const SyncSet empty({});
    const SyncSet full(series(0, 10'000, 3));
    for (const std::size_t frame : {std::size_t{4096}, kSyncFrame}) {
        const auto filled = reconcile(empty, full, frame);
        expect_exact(empty, full, filled);
        EXPECT_LE(filled.largest, frame);
        EXPECT_LE(filled.rounds, 2 + 10'000 * 32 / (frame - 1500));
        const auto emptied = reconcile(full, empty, frame);
        expect_exact(full, empty, emptied);
        EXPECT_LE(emptied.largest, frame);
    }
}

/// Sets with much in common, many items in one second, and ids with common beginnings.
std::vector<SyncItem> drawn(const std::vector<std::uint16_t>& numbers, bool alike) {
    std::vector<SyncItem> items;
    for (const auto n : numbers) {
        Hash32 id = id_of(n);
        if (alike) std::fill_n(id.bytes.begin(), 4, static_cast<std::uint8_t>(n % 3));
        items.push_back({alike ? std::uint64_t{n} % 3 : std::uint64_t{n} / 16, id});
    }
    return items;
}

RC_GTEST_PROP(NegentropyProperty, BothDifferencesAreExact, (bool alike)) {
    const auto numbers = rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(0, 2'000));
    const auto size = *rc::gen::inRange<std::size_t>(0, 1'500);
    const auto common = *rc::gen::container<std::vector<std::uint16_t>>(size, rc::gen::inRange<std::uint16_t>(0, 2000));
    auto mine = *numbers;
    auto theirs = *numbers;
    mine.insert(mine.end(), common.begin(), common.end());
    theirs.insert(theirs.end(), common.begin(), common.end());
    const SyncSet client(drawn(mine, alike));
    const SyncSet server(drawn(theirs, alike));
    const std::size_t frame = *rc::gen::element<std::size_t>(4096, kSyncFrame);
    const auto outcome = reconcile(client, server, frame);
    RC_ASSERT(outcome.have == only_in(client, server));
    RC_ASSERT(outcome.need == only_in(server, client));
    RC_ASSERT(outcome.largest <= frame);
    RC_ASSERT(outcome.rounds <= 60U);
}

RC_GTEST_PROP(NegentropyProperty, RandomBytesNeverCrash, (Bytes bytes)) {
    const SyncSet set(series(0, 100, 7));
    bytes.insert(bytes.begin(), 0x61);
    std::ignore = sync_answer(set, bytes, 4096);
    std::ignore = sync_step(set, bytes, 4096);
}

RC_GTEST_PROP(NegentropyProperty, AChangedByteNeverCrashesNorOverflowsTheFrame, (std::uint16_t at, std::uint8_t with)) {
    const SyncSet set(series(0, 3'000, 7));
    auto message = sync_open(SyncSet(series(1'000, 5'000, 7)), 4096);
    message[at % message.size()] = with;
    const auto answer = sync_answer(set, message, 4096);
    if (answer) RC_ASSERT(answer->size() <= 4096U);
    auto changed = *sync_answer(set, sync_open(SyncSet({})), 4096);
    changed[at % changed.size()] = with;
    const auto step = sync_step(SyncSet(series(0, 500, 7)), changed, 4096);
    if (step && step->next) RC_ASSERT(step->next->size() <= 4096U);
}

}  // namespace
}  // namespace myst::db::test
