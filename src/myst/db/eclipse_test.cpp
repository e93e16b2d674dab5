// What a node gets of an honest peer in bad company, and after a long absence; over real loopback connections.
#include <gmock/gmock.h>

#include "myst/db/replication_fixtures.hpp"
#include "myst/sys/test_support/fault_relay.hpp"

namespace myst::db::test {
namespace {

namespace ip = asio::ip;
using sys::testing::StreamRelay;
using sys::testing::Way;

/// A NEG-MSG that says "I have these, and nothing else".
std::string claim(const std::vector<SharedRecord>& records) {
    std::string hex = "61000002" + to_hex(std::array{static_cast<std::uint8_t>(records.size())});
    for (const auto& record : records) hex += record->event().id.hex();
    return R"(["NEG-MSG","$",")" + hex + R"("])";
}

/// Five liars and an honest peer.
struct Company {
    explicit Company(World& world) : records(series(world.now(), 0, 20)), honest(world) {
        for (int i = 0; i < 5; ++i) liars.push_back(std::make_unique<OddRelay>(world));
        liars[0]->to_neg_open = R"(["NEG-MSG","$","61"])";  // "we are equal"
        liars[1]->to_neg_open = claim(records);             // hands out nothing
        liars[2]->to_neg_open = claim(records);
        liars[2]->mute = true;
        liars[3]->to_neg_open = claim(records);
        liars[3]->stored = records;
        liars[3]->forges = true;
        liars[4]->to_neg_open = "";  // never answers
    }
    [[nodiscard]] std::vector<RelayUrl> urls() const {
        std::vector<RelayUrl> all;
        for (const auto& liar : liars) all.push_back(liar->url());
        all.push_back(honest.url());
        return all;
    }
    std::vector<SharedRecord> records;
    std::vector<std::unique_ptr<OddRelay>> liars;
    TestRelay honest;
};

Task<> eclipsed(World& world, Company& company, Follower& follower) {
    for (const auto& liar : company.liars) world.loop.group.spawn("liar", liar->run());
    co_await put_all(*company.honest.store, company.records, world.now());
    world.loop.group.spawn("network", follower.network->run());
    // The honest peer is last: by then each record has been asked of somebody who does not give it.
    co_await until([&] { return company.liars[2]->queries > 0; });
    company.honest.start();
    co_await until_it_has(follower.hub, company.records.size());
    const auto here = co_await content_of(follower.hub);
    const auto there = co_await content_of(company.honest.hub);
    EXPECT_TRUE(here == there);
}

TEST(Eclipse, ALyingMajorityHidesNothingThatOneHonestPeerHas) {
    World world;
    Company company(world);
    // Who waits for those that never answer waits longer than this test lasts.
    Follower follower(world, company.urls(), milliseconds(300'000), milliseconds(300'000));
    world.loop.run(eclipsed(world, company, follower));
}

/// A line to a relay that counts.
std::unique_ptr<StreamRelay> line_to(World& world, const TestRelay& relay) {
    const ip::tcp::endpoint target(ip::address_v4::loopback(), relay.server->local_port());
    return std::make_unique<StreamRelay>(world.loop.context, target, 1);
}

RelayUrl url_of(const StreamRelay& line) {
    return loopback_url(line.endpoint().port());
}

std::uint64_t bytes_over(const StreamRelay& line) {
    return line.counters(Way::forth).bytes + line.counters(Way::back).bytes;
}

struct Absence {
    TestRelay& one;
    TestRelay& other;
    std::unique_ptr<StreamRelay> line_to_one;  ///< goes before the loop is left, which waits for it
    std::unique_ptr<StreamRelay> line_to_other;
    Follower& follower;
};

Task<> a_day_later(World& world, Absence absence) {
    auto before = series(world.now(), 0, 600);
    co_await put_all(*absence.follower.store, before, world.now());
    co_await put_all(*absence.one.store, before, world.now());
    co_await put_all(*absence.other.store, std::move(before), world.now());
    world.clock.advance(seconds(24 * 3600));
    // Half of the authors are still there, others have come.
    const auto missed = series(world.now(), 300, 1'200);
    co_await put_all(*absence.one.store, missed, world.now());
    co_await put_all(*absence.other.store, missed, world.now());
    world.loop.group.spawn("network", absence.follower.network->run());
    co_await until_it_has(absence.follower.hub, missed.size());
    const auto here = co_await content_of(absence.follower.hub);
    const auto there = co_await content_of(absence.one.hub);
    EXPECT_TRUE(here == there);
    const auto bytes = bytes_over(*absence.line_to_one) + bytes_over(*absence.line_to_other);
    EXPECT_LE(bytes, 2 * bytes_of(missed));
    ::testing::Test::RecordProperty("difference", static_cast<int>(bytes_of(missed)));
    ::testing::Test::RecordProperty("transferred", static_cast<int>(bytes));
}

TEST(Replication, ADayAwayCostsAtMostTwiceWhatWasMissed) {
    World world;
    TestRelay one(world);
    TestRelay other(world);
    one.start();
    other.start();
    auto line_to_one = line_to(world, one);
    auto line_to_other = line_to(world, other);
    Follower follower(world, {url_of(*line_to_one), url_of(*line_to_other)});
    Absence absence{one, other, std::move(line_to_one), std::move(line_to_other), follower};
    world.loop.run(a_day_later(world, std::move(absence)));
}

}  // namespace
}  // namespace myst::db::test
