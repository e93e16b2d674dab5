#include "myst/db/peer_book.hpp"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include "myst/db/peer_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr MonotonicTime kStart{};
const UnixTime kPublished = at(1'800'000'000);

struct Book {
    explicit Book(PeerBook::Settings settings = {}) : book(settings, rng) {}
    SeededRng rng{1};
    PeerBook book;

    void learn(std::uint32_t author, const std::vector<std::string>& urls, bool registered = false,
               UnixTime published = kPublished, MonotonicTime now = kStart) {
        book.learn(author_of(author), record_of(urls, published), registered, now);
    }
    [[nodiscard]] std::vector<std::string> urls(MonotonicTime now = kStart) const {
        std::vector<std::string> result;
        for (const auto& candidate : book.candidates(now)) result.push_back(candidate.url.text());
        return result;
    }
};

TEST(PeerBook, HoldsWhatTheNewestRecordOfAnAuthorSays) {
    Book it;
    it.learn(1, {"ws://11.1.0.1:7777", "wss://relay.example"});
    EXPECT_THAT(it.urls(), UnorderedElementsAre("ws://11.1.0.1:7777", "wss://relay.example"));
    it.learn(1, {"ws://11.2.0.1:7777"}, false, kPublished - seconds(1));
    EXPECT_EQ(it.book.size(), 2U) << "an older record changes nothing";
    it.learn(1, {"ws://11.2.0.1:7777"}, false, kPublished + seconds(1));
    EXPECT_THAT(it.urls(), ElementsAre("ws://11.2.0.1:7777"));
    it.book.expire(kPublished + seconds(3600));
    EXPECT_EQ(it.book.size(), 1U);
    it.book.expire(kPublished + seconds(3601));
    EXPECT_EQ(it.book.size(), 0U);
    EXPECT_THAT(it.book.authors(), IsEmpty());
}

TEST(PeerBook, TakesNoAddressThatANodeMustNotConnectTo) {
    Book it;
    it.learn(1, {"ws://127.0.0.1:7777", "ws://10.0.0.1:7777", "ws://[::1]:7777", "ws://169.254.169.254",
                 "ws://11.0.0.1:25", "wss://relay.example:22", "ws://[::ffff:10.0.0.1]:7777"});
    EXPECT_EQ(it.book.size(), 0U);
    EXPECT_THAT(it.book.authors(), IsEmpty());
    PeerBook::Settings settings;
    settings.scope = AddressScope::any;
    Book test_network(settings);
    test_network.learn(1, {"ws://127.0.0.1:7777", "ws://10.0.0.1:7777", "ws://11.0.0.1:25"});
    EXPECT_EQ(test_network.book.size(), 2U);
}

TEST(PeerBook, AnAddressOfSeveralAuthorsStaysAsLongAsOneNamesIt) {
    Book it;
    it.learn(1, {"ws://11.1.0.1:7777"});
    it.learn(2, {"ws://11.1.0.1:7777"}, true);
    const auto candidates = it.book.candidates(kStart);
    ASSERT_EQ(candidates.size(), 1U);
    EXPECT_TRUE(candidates[0].registered);
    EXPECT_THAT(candidates[0].authors, ElementsAre(author_of(2), author_of(1))) << "registered ones first";
    it.learn(1, {"ws://11.9.0.1:7777"}, false, kPublished + seconds(1));
    EXPECT_THAT(it.urls(), UnorderedElementsAre("ws://11.1.0.1:7777", "ws://11.9.0.1:7777"));
    it.learn(2, {"ws://11.9.0.1:7777"}, true, kPublished + seconds(1));
    EXPECT_THAT(it.urls(), ElementsAre("ws://11.9.0.1:7777"));
}

TEST(PeerBook, StrangersCannotHideTheRegisteredAuthorOfAnAddress) {
    Book it;
    for (std::uint32_t stranger = 10; stranger < 20; ++stranger) it.learn(stranger, {"ws://11.1.0.1:7777"});
    EXPECT_EQ(it.book.authors().size(), 4U);
    it.learn(1, {"ws://11.1.0.1:7777"}, true);
    const auto candidates = it.book.candidates(kStart);
    ASSERT_EQ(candidates.size(), 1U);
    EXPECT_EQ(candidates[0].authors.size(), 4U);
    EXPECT_EQ(candidates[0].authors[0], author_of(1));
}

TEST(PeerBook, OneNetworkCannotFillIt) {
    Book it;
    it.learn(1, {"ws://11.1.0.1:7777"});
    it.learn(2, {"ws://12.1.0.1:7777"}, true);
    it.learn(3, {"ws://12.1.0.2:7777"});
    it.book.proved(url_of("ws://12.1.0.2:7777"));
    for (std::uint32_t n = 0; n < 500; ++n) {
        it.learn(100 + n, {fmt::format("ws://12.1.{}.{}:7777", 1 + n / 250, n % 250)});
    }
    EXPECT_EQ(it.book.size(), 33U) << "32 of the flooded group, and the other one";
    EXPECT_THAT(it.urls(), ::testing::IsSupersetOf({"ws://11.1.0.1:7777", "ws://12.1.0.1:7777", "ws://12.1.0.2:7777"}));
    EXPECT_LE(it.book.authors().size(), 33U);
}

TEST(PeerBook, AFloodOfNetworksIsBoundedAndSparesTheSmallOnes) {
    PeerBook::Settings settings;
    settings.candidates = 100;
    Book it(settings);
    for (std::uint32_t n = 0; n < 10; ++n) it.learn(n, {fmt::format("ws://11.{}.0.1:7777", n)});
    for (std::uint32_t n = 0; n < 2'000; ++n) {
        it.learn(100 + n, {fmt::format("ws://12.{}.{}.1:7777", n % 20, n / 20)});
    }
    EXPECT_EQ(it.book.size(), 100U);
    std::size_t honest = 0;
    for (const auto& url : it.urls()) honest += url.starts_with("ws://11.") ? 1 : 0;
    EXPECT_EQ(honest, 10U) << "the largest group gives way";
}

TEST(PeerBook, NamesOfOneDomainAreOneGroup) {
    Book it;
    for (std::uint32_t n = 0; n < 100; ++n) it.learn(n, {fmt::format("wss://r{}.flood.example", n)});
    EXPECT_EQ(it.book.size(), 32U);
}

TEST(PeerBook, ManyDomainsOfOneNetworkGiveWayWhenTheyAreLookedUp) {
    Book it;
    for (std::uint32_t n = 0; n < 40; ++n) it.learn(n, {fmt::format("wss://flood{}.example", n)});
    // Looked up, all of them stand for one network.
    for (std::uint32_t n = 0; n < 40; ++n) {
        it.book.looked_up(url_of(fmt::format("wss://flood{}.example", n)), asio::ip::make_address("11.5.0.1"));
    }
    EXPECT_EQ(it.book.size(), 32U);
    EXPECT_EQ(it.book.candidates(kStart).front().group, "11.5.0.0/16");
}

TEST(PeerBook, FailuresMakeLongerAndLongerPausesAndThenAnEnd) {
    Book it;
    const auto url = url_of("ws://11.1.0.1:7777");
    it.learn(1, {url.text()});
    auto now = kStart;
    for (const int minutes : {1, 2, 4, 8, 16}) {
        it.book.failed(url, now);
        EXPECT_THAT(it.urls(now + std::chrono::minutes(minutes) - milliseconds(1)), IsEmpty()) << minutes;
        now += std::chrono::minutes(minutes);
        EXPECT_THAT(it.urls(now), ElementsAre(url.text())) << minutes;
    }
    it.book.failed(url, now);
    EXPECT_EQ(it.book.size(), 0U);
    it.learn(1, {url.text()}, false, kPublished + seconds(1), now);
    EXPECT_EQ(it.book.size(), 0U) << "not taken in again at once";
    now += std::chrono::hours(6);
    it.learn(1, {url.text()}, false, kPublished + seconds(2), now);
    EXPECT_THAT(it.urls(now), ElementsAre(url.text()));
}

TEST(PeerBook, AGoodConnectionIsFollowedByARestAndANewStart) {
    Book it;
    const auto url = url_of("ws://11.1.0.1:7777");
    it.learn(1, {url.text()});
    for (int i = 0; i < 5; ++i) it.book.failed(url, kStart);
    it.book.rest(url, kStart + seconds(10));
    EXPECT_THAT(it.urls(kStart + seconds(9)), IsEmpty());
    EXPECT_THAT(it.urls(kStart + seconds(10)), ElementsAre(url.text()));
    it.book.failed(url, kStart + seconds(10));
    EXPECT_EQ(it.book.size(), 1U) << "the first failure again";
}

TEST(PeerBook, AForgersHostIsBannedWhoeverNamesIt) {
    Book it;
    it.learn(1, {"ws://11.1.0.1:7777", "ws://11.1.0.1:8888", "ws://11.1.0.2:7777"});
    it.book.ban(url_of("ws://11.1.0.1:7777"), kStart);
    EXPECT_THAT(it.urls(), ElementsAre("ws://11.1.0.2:7777"));
    it.learn(2, {"ws://11.1.0.1:9999"});
    EXPECT_THAT(it.urls(), ElementsAre("ws://11.1.0.2:7777"));
    it.learn(2, {"ws://11.1.0.1:9999"}, false, kPublished + seconds(1), kStart + std::chrono::hours(24));
    EXPECT_THAT(it.urls(kStart + std::chrono::hours(24)), ::testing::Contains("ws://11.1.0.1:9999"));
}

TEST(PeerBook, TheNodesOwnAddressIsLeftAloneForEver) {
    Book it;
    it.learn(1, {"wss://me.example", "wss://me.example/other"});
    it.book.is_self(url_of("wss://me.example"));
    const auto later = kStart + std::chrono::hours(10'000);
    it.learn(2, {"wss://me.example"}, true, kPublished, later);
    EXPECT_THAT(it.urls(later), ElementsAre("wss://me.example/other"));
}

TEST(PeerBook, WhatItRemembersOfBannedHostsIsBounded) {
    PeerBook::Settings settings;
    settings.remembered = 3;
    Book it(settings);
    for (int n = 1; n <= 5; ++n) it.book.ban(url_of(fmt::format("ws://11.{}.0.1:7777", n)), kStart + seconds(n));
    for (std::uint32_t n = 1; n <= 5; ++n) it.learn(n, {fmt::format("ws://11.{}.0.1:7777", n)});
    EXPECT_THAT(it.urls(), ElementsAre("ws://11.1.0.1:7777", "ws://11.2.0.1:7777")) << "the oldest are forgotten first";
}

}  // namespace
}  // namespace myst::db::test
