// The small parts: addresses, queues, memories.
#include <gmock/gmock.h>

#include "myst/base/backoff.hpp"
#include "myst/db/catch_up.hpp"
#include "myst/db/db_fixtures.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/outgoing_queue.hpp"
#include "myst/db/peer_fixtures.hpp"
#include "myst/db/relay_requests.hpp"
#include "myst/db/relay_url.hpp"
#include "myst/db/version_filter.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const UnixTime kNow = at(1'700'000'000);

TEST(RelayUrl, IsBroughtIntoNormalForm) {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"ws://example.org", "ws://example.org"},
        {"WSS://Example.ORG:443/", "wss://example.org"},
        {"wss://example.org:8443/a/b?c=d", "wss://example.org:8443/a/b?c=d"},
        {"ws://127.0.0.1:7777", "ws://127.0.0.1:7777"},
        {"ws://[::1]:80/", "ws://[::1]"},
        {"ws://example.org?x", "ws://example.org/?x"},
    };
    for (const auto& [text, normal] : table) {
        const auto url = RelayUrl::parse(text);
        ASSERT_TRUE(url) << text << ": " << url.error().message;
        EXPECT_EQ(url->text(), normal);
    }
}

TEST(RelayUrl, RefusesWhatIsNoRelay) {
    for (const char* text : {"", "example.org", "http://example.org", "ws://", "ws://:80", "ws://user:pw@example.org",
                             "ws://example.org/#x", "ws://example.org:0", "ws://example.org:70000", "ws:///path",
                             "ws://exa mple.org", "ws://example.org\r\nHost: x"}) {
        EXPECT_FALSE(RelayUrl::parse(text)) << text;
    }
    EXPECT_FALSE(RelayUrl::parse("ws://example.org/" + std::string(2048, 'x')));
}

TEST(RelayUrl, AListKeepsEachAddressOnce) {
    const auto urls = parse_relay_urls({"ws://a.example", "ws://A.example:80/", "ws://b.example"});
    ASSERT_TRUE(urls);
    EXPECT_EQ(urls->size(), 2U);
    EXPECT_FALSE(parse_relay_urls({"ws://a.example", "nonsense"}));
}

TEST(SeenIds, ForgetsTheOldestFirst) {
    SeenIds seen(2);
    Hash32 a{{1}}, b{{2}}, c{{3}};
    EXPECT_TRUE(seen.insert(a));
    EXPECT_FALSE(seen.insert(a));
    EXPECT_TRUE(seen.insert(b));
    EXPECT_TRUE(seen.insert(c));
    EXPECT_FALSE(seen.contains(a));
    EXPECT_TRUE(seen.contains(b));
    EXPECT_TRUE(seen.contains(c));
}

TEST(CatchUp, JoinsStoredAndLiveRecordsWithoutRepetition) {
    const auto both = make_record(key_of(1), 1, kNow, {}, "both");
    const auto live = make_record(key_of(1), 1, kNow, {}, "live");
    CatchUp catch_up(2);
    EXPECT_TRUE(catch_up.hold(both));
    EXPECT_TRUE(catch_up.hold(live));
    catch_up.note(both->event().id);
    EXPECT_THAT(catch_up.finish(), ElementsAre(live));
    EXPECT_FALSE(catch_up.hold(both));
    EXPECT_FALSE(catch_up.overflowed());
}

TEST(CatchUp, SaysThatItOverflowed) {
    CatchUp catch_up(1);
    EXPECT_TRUE(catch_up.hold(make_record(key_of(1), 1, kNow, {}, "a")));
    EXPECT_TRUE(catch_up.hold(make_record(key_of(1), 1, kNow, {}, "b")));
    EXPECT_TRUE(catch_up.overflowed());
    EXPECT_EQ(catch_up.finish().size(), 1U);
}

TEST(VersionFilter, LetsEachRecordThroughOnceAndNeverGoesBack) {
    VersionFilter versions(10);
    const auto first = make_event(key_of(1), 30'001, kNow, {{"d", "x"}}, "1");
    const auto second = make_event(key_of(1), 30'001, kNow + seconds(1), {{"d", "x"}}, "2");
    const auto middle = make_event(key_of(1), 30'001, kNow, {{"d", "x"}}, "between");
    const auto regular = make_event(key_of(1), 1, kNow);
    EXPECT_TRUE(versions.admit(first, kNow));
    EXPECT_FALSE(versions.admit(first, kNow));
    EXPECT_TRUE(versions.admit(second, kNow));
    EXPECT_FALSE(versions.admit(middle, kNow));
    EXPECT_TRUE(versions.admit(regular, kNow));
    EXPECT_FALSE(versions.admit(make_event(key_of(1), 1, kNow, {expires(kNow)}), kNow));
}

TEST(VersionFilter, AnExpiredNewerVersionStillHidesOlderOnes) {
    VersionFilter versions(10);
    EXPECT_FALSE(versions.admit(make_event(key_of(1), 30'001, kNow, {{"d", "x"}, expires(kNow)}), kNow));
    EXPECT_FALSE(versions.admit(make_event(key_of(1), 30'001, kNow - seconds(1), {{"d", "x"}}), kNow));
}

TEST(MergeAnswers, KeepsTheValidRecordsInOrder) {
    const auto old_version = make_record(key_of(1), 30'001, kNow, {{"d", "x"}});
    const auto new_version = make_record(key_of(1), 30'001, kNow + seconds(2), {{"d", "x"}});
    const auto other = make_record(key_of(2), 30'001, kNow + seconds(1), {{"d", "x"}});
    const auto expired = make_record(key_of(3), 1, kNow, {expires(kNow)});
    const std::vector<SharedRecord> answers = {old_version, other, new_version, other, expired};
    EXPECT_THAT(merge_answers(answers, kNow, 10), ElementsAre(new_version, other));
    EXPECT_THAT(merge_answers(answers, kNow, 1), ElementsAre(new_version));
    EXPECT_THAT(merge_answers({}, kNow, 1), IsEmpty());
}

TEST(Backoff, DoublesWithJitterUpToItsLimit) {
    crypto::SystemRng rng;
    Backoff backoff(milliseconds(100), milliseconds(350), rng);
    for (const int step : {100, 200, 350, 350}) {
        const auto pause = backoff.next();
        EXPECT_GE(pause.count(), step / 2);
        EXPECT_LE(pause.count(), step);
    }
    backoff.reset();
    EXPECT_LE(backoff.next().count(), 100);
}

/// Attempts that a thousand clients, started in the same moment, make in each tenth of a second until the relay they
/// all want has been up for a while: from `up` on it lets everybody in.
std::vector<std::size_t> storm(milliseconds up, milliseconds first, milliseconds last) {
    SeededRng rng(1);
    ManualClock clock;
    struct Client {
        Backoff backoff;
        MonotonicTime due;
        bool connected = false;
    };
    std::vector<Client> clients;
    for (int i = 0; i < 1'000; ++i) {
        Backoff backoff(first, last, rng);
        const auto due = clock.now() + backoff.start();
        clients.push_back({backoff, due});
    }
    const auto opening = clock.now() + up;
    std::vector<std::size_t> attempts;
    for (auto tenth = milliseconds(0); tenth < milliseconds(20'000); tenth += milliseconds(100)) {
        clock.advance(milliseconds(100));
        std::size_t now = 0;
        for (auto& client : clients) {
            for (; !client.connected && client.due < clock.now(); ++now) {
                client.connected = client.due >= opening;
                client.due += client.backoff.next();
            }
        }
        attempts.push_back(now);
    }
    EXPECT_TRUE(std::all_of(clients.begin(), clients.end(), [](const Client& client) { return client.connected; }));
    return attempts;
}

TEST(RestartStorm, AttemptsAreSpreadOverTheWholePause) {
    const auto settings = watchful({}).client;
    EXPECT_TRUE(settings.spread_start) << "full nodes do not begin in the same moment";
    for (const int up : {0, 2'000, 10'000}) {
        const auto attempts = storm(milliseconds(up), settings.first_retry, settings.last_retry);
        // Evenly, the first would be 200 in each tenth of a second; with later ones among them, some more.
        EXPECT_LT(*std::max_element(attempts.begin(), attempts.end()), 400U) << up;
    }
}

TEST(LiveSubscription, ResumesWhereItStopped) {
    detail::LiveSubscription live;
    live.filters = std::vector<codec::Filter>(2);
    live.filters[1].since = kNow;
    EXPECT_EQ(live.resume_filters(seconds(60), kNow), live.filters) << "nothing seen yet: everything is asked for";
    live.last_seen = kNow - seconds(100);
    auto resumed = live.resume_filters(seconds(60), kNow);
    EXPECT_EQ(resumed[0].since, kNow - seconds(160));
    EXPECT_EQ(resumed[1].since, kNow) << "never further back than asked for";
    live.last_seen = kNow + seconds(900);
    EXPECT_EQ(live.resume_filters(seconds(60), kNow)[0].since, kNow - seconds(60))
        << "an author with a clock ahead of ours hides nobody else";
}

SharedText text_of(std::size_t size) {
    return std::make_shared<const std::string>(size, 'x');
}

TEST(OutgoingQueue, IsBoundedByCountAndBytes) {
    Loop loop;
    OutgoingQueue by_count(loop.executor(), 2, 1000);
    EXPECT_TRUE(by_count.push(text_of(1)));
    EXPECT_TRUE(by_count.push(text_of(1)));
    EXPECT_FALSE(by_count.push(text_of(1)));
    OutgoingQueue by_bytes(loop.executor(), 100, 10);
    EXPECT_TRUE(by_bytes.push(text_of(50))) << "one message always fits";
    EXPECT_FALSE(by_bytes.push(text_of(1)));
    by_bytes.clear();
    EXPECT_TRUE(by_bytes.push(text_of(10)));
}

Task<> fill_and_drain(OutgoingQueue& queue) {
    EXPECT_TRUE(queue.push(text_of(1)));
    EXPECT_TRUE(queue.push(text_of(2)));
    EXPECT_FALSE(co_await queue.wait_for_room(milliseconds(1)));
    auto first = co_await queue.pop();
    EXPECT_EQ(first->size(), 1U);
    EXPECT_TRUE(co_await queue.wait_for_room(milliseconds(1)));
    auto second = co_await queue.pop();
    EXPECT_EQ(second->size(), 2U);
}

TEST(OutgoingQueue, ReportsRoomAsItDrains) {
    Loop loop;
    OutgoingQueue queue(loop.executor(), 2, 1000);
    loop.run(fill_and_drain(queue));
}

}  // namespace
}  // namespace myst::db::test
