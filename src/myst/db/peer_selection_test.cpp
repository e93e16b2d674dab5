#include "myst/db/peer_selection.hpp"

#include <gmock/gmock.h>

#include <set>

#include <fmt/format.h>

#include "myst/base/random_below.hpp"
#include "myst/db/peer_fixtures.hpp"

namespace myst::db::test {
namespace {

PeerCandidate candidate(const std::string& url, std::uint32_t author, bool registered = false) {
    return {url_of(url), group_of(url_of(url)), {author_of(author)}, registered};
}

PeerInUse used(const ChosenPeer& peer) {
    return {peer.candidate.url, peer.candidate.group, peer.author, peer.candidate.registered, true};
}

PeerInUse configured(const std::string& url) {
    return {url_of(url), group_of(url_of(url)), std::nullopt, false, true};
}

/// Fills the places up; the texts of the chosen URLs.
std::vector<PeerInUse> fill(const std::vector<PeerCandidate>& candidates, std::vector<PeerInUse> in_use,
                            std::size_t places, Rng& rng) {
    for (std::size_t i = 0; i < places; ++i) {
        const auto chosen = choose_peer(candidates, in_use, rng);
        if (!chosen) break;
        in_use.push_back(used(*chosen));
    }
    return in_use;
}

TEST(RandomBelow, ReachesEveryNumberAndNoOther) {
    SeededRng rng(3);
    std::vector<int> counts(7);
    for (int i = 0; i < 7'000; ++i) ++counts.at(random_below(rng, 7));
    for (const int count : counts) EXPECT_NEAR(count, 1'000, 150);
    EXPECT_EQ(random_below(rng, 1), 0U);
}

TEST(PeerSelection, TakesOneOfEachGroupAndEachAuthor) {
    const std::vector<PeerCandidate> candidates = {
        candidate("ws://11.1.0.1:7777", 1), candidate("ws://11.1.0.2:7777", 2), candidate("ws://11.2.0.1:7777", 1),
        candidate("ws://11.3.0.1:7777", 3), candidate("ws://11.4.0.1:7777", 3)};
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SeededRng rng(seed);
        std::set<std::string> groups;
        std::set<NodeKey> authors;
        const auto peers = fill(candidates, {}, 10, rng);
        for (const auto& peer : peers) {
            EXPECT_TRUE(groups.insert(peer.group).second);
            EXPECT_TRUE(authors.insert(*peer.author).second);
        }
        EXPECT_GE(peers.size(), 2U);
        EXPECT_LE(peers.size(), 3U);
    }
}

TEST(PeerSelection, LeavesOutWhatIsConfiguredAlready) {
    SeededRng rng(1);
    const std::vector<PeerCandidate> candidates = {candidate("ws://11.1.0.1:7777", 1),
                                                   candidate("wss://relay.example", 2)};
    EXPECT_FALSE(choose_peer(candidates, {configured("ws://11.1.9.9:1"), configured("wss://relay.example")}, rng));
    const auto chosen = choose_peer(candidates, {configured("ws://11.2.0.1:1")}, rng);
    EXPECT_TRUE(chosen);
}

TEST(PeerSelection, ANameThatIsInUseIsNotChosenAgainWhateverItStoodFor) {
    SeededRng rng(1);
    auto looked_up = candidate("wss://relay.example:8443", 1);
    looked_up.group = "11.1.0.0/16";
    EXPECT_FALSE(choose_peer({looked_up}, {configured("wss://relay.example")}, rng));
}

TEST(PeerSelection, AnAuthorInUseDoesNotHideAnAddressThatAnotherNames) {
    SeededRng rng(1);
    auto both = candidate("ws://11.1.0.1:7777", 1);
    both.authors.push_back(author_of(2));
    const PeerInUse first{url_of("ws://11.2.0.1:7777"), "11.2.0.0/16", author_of(1), false, true};
    const auto chosen = choose_peer({both}, {first}, rng);
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen->author, author_of(2));
}

TEST(PeerSelection, EverySecondPlaceIsForRegisteredOnes) {
    std::vector<PeerCandidate> candidates;
    for (std::uint32_t n = 1; n <= 100; ++n) {
        candidates.push_back(candidate(fmt::format("ws://11.{}.0.1:7777", n), n, n <= 6));
    }
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SeededRng rng(seed);
        const auto peers = fill(candidates, {}, 8, rng);
        ASSERT_EQ(peers.size(), 8U);
        EXPECT_GE(std::count_if(peers.begin(), peers.end(), [](const PeerInUse& peer) { return peer.registered; }), 4);
        EXPECT_TRUE(peers.front().registered);
    }
}

TEST(PeerSelection, ManyAddressesOfFewNetworksGetFewPlaces) {
    std::vector<PeerCandidate> candidates;
    for (std::uint32_t n = 0; n < 900; ++n) {
        candidates.push_back(candidate(fmt::format("ws://66.{}.{}.1:7777", n % 3, n / 3 % 250), 1'000 + n));
    }
    for (std::uint32_t n = 0; n < 20; ++n) candidates.push_back(candidate(fmt::format("ws://11.{}.0.1:7777", n), n));
    std::size_t hostile = 0;
    for (std::uint64_t seed = 0; seed < 25; ++seed) {
        SeededRng rng(seed);
        const auto peers = fill(candidates, {}, 8, rng);
        ASSERT_EQ(peers.size(), 8U);
        hostile += static_cast<std::size_t>(std::count_if(
            peers.begin(), peers.end(), [](const PeerInUse& peer) { return peer.group.starts_with("66."); }));
    }
    // Three places at most, 8 * 3/23 on average.
    EXPECT_NEAR(static_cast<int>(hostile), 26, 13);
}

TEST(PeerSelection, APeerLeavesOnlyForAnother) {
    SeededRng rng(1);
    const std::vector<PeerCandidate> candidates = {candidate("ws://11.1.0.1:7777", 1),
                                                   candidate("ws://11.2.0.1:7777", 2)};
    auto in_use = fill(candidates, {configured("ws://12.0.0.1:1")}, 2, rng);
    EXPECT_FALSE(choose_leaver(candidates, in_use, rng)) << "both candidates are in use";
    auto more = candidates;
    more.push_back(candidate("ws://11.1.0.2:7777", 3));
    const auto leaver = choose_leaver(more, in_use, rng);
    ASSERT_TRUE(leaver);
    EXPECT_EQ(in_use.at(*leaver).group, "11.1.0.0/16") << "the only one whose place the third may take";
    in_use.at(*leaver).connected = false;
    EXPECT_FALSE(choose_leaver(more, in_use, rng)) << "one that is not connected yet does not leave";
}

/// How many exchanges a surrounded node needs until it has an honest peer.
std::size_t exchanges_until_honest(std::uint64_t seed) {
    SeededRng rng(seed);
    std::vector<PeerCandidate> liars;
    for (std::uint32_t n = 0; n < 20; ++n) {
        liars.push_back(candidate(fmt::format("ws://66.{}.0.1:7777", n), 1'000 + n));
    }
    auto in_use = fill(liars, {}, 8, rng);
    auto candidates = liars;
    candidates.push_back(candidate("ws://11.1.0.1:7777", 1));
    for (std::size_t exchanges = 1; exchanges <= 1'000; ++exchanges) {
        const auto leaver = choose_leaver(candidates, in_use, rng);
        if (!leaver) return 0;
        const auto left = in_use.at(*leaver).url;
        in_use.erase(in_use.begin() + static_cast<std::ptrdiff_t>(*leaver));
        auto others = candidates;
        std::erase_if(others, [&](const PeerCandidate& each) { return each.url == left; });  // it rests
        const auto chosen = choose_peer(others, in_use, rng);
        if (!chosen) return 0;
        in_use.push_back(used(*chosen));
        if (chosen->author == author_of(1)) return exchanges;
    }
    return 0;
}

TEST(PeerSelection, AnEclipseEndsByExchanges) {
    std::size_t sum = 0;
    constexpr std::uint64_t kRuns = 30;
    for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
        const auto exchanges = exchanges_until_honest(seed);
        ASSERT_GT(exchanges, 0U) << seed;
        sum += exchanges;
    }
    // One of 21 - 7 - 1 networks each time.
    EXPECT_NEAR(static_cast<int>(sum / kRuns), 13, 6);
}

}  // namespace
}  // namespace myst::db::test
