#include "myst/wireguard/keypair_slots.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard {
namespace {

using test::SeededRng;

class KeypairTest : public testing::Test {
protected:
    SeededRng rng{5};
    ManualClock clock;
    IndexTable indexes{rng};
    KeypairSlots slots{indexes};

    KeypairPtr make(bool initiator) {
        const auto index = indexes.add(PeerId{1}, clock.now());
        SessionKeys keys{make_private_key(rng), make_private_key(rng)};
        auto keypair =
            std::make_shared<Keypair>(PeerId{1}, std::move(keys), Keypair::Indexes{index, 7}, initiator, clock.now());
        indexes.attach(index, keypair);
        return keypair;
    }
    KeypairPtr add(bool initiator) {
        auto keypair = make(initiator);
        initiator ? slots.add_as_initiator(keypair, clock.now()) : slots.add_as_responder(keypair, clock.now());
        return keypair;
    }
    bool gone(const KeypairPtr& keypair) {
        return !keypair->alive(clock.now()) && indexes.find(keypair->indexes().local) == nullptr;
    }
};

TEST_F(KeypairTest, ResponderKeyIsNextUntilItIsUsed) {
    const auto key = add(false);
    EXPECT_EQ(slots.current(), nullptr);
    EXPECT_EQ(slots.next(), key);
    EXPECT_TRUE(slots.confirm(*key, clock.now()));
    EXPECT_EQ(slots.current(), key);
    EXPECT_EQ(slots.next(), nullptr);
    EXPECT_FALSE(slots.confirm(*key, clock.now())) << "once";
}

TEST_F(KeypairTest, TheFormerCurrentStaysAsPreviousAndTheOneBeforeGoes) {
    const auto first = add(true);
    const auto second = add(true);
    EXPECT_EQ(slots.previous(), first);
    EXPECT_EQ(slots.current(), second);
    const auto third = add(false);
    EXPECT_TRUE(gone(first)) << "a new unconfirmed key drops the previous one";
    EXPECT_TRUE(slots.confirm(*third, clock.now()));
    EXPECT_EQ(slots.previous(), second);
    EXPECT_EQ(slots.current(), third);
}

TEST_F(KeypairTest, CrossedInitiationsKeepBothSessions) {
    const auto old = add(true);
    const auto theirs = add(false);
    const auto ours = add(true);
    EXPECT_EQ(slots.current(), ours);
    EXPECT_EQ(slots.previous(), theirs);
    EXPECT_EQ(slots.next(), nullptr);
    EXPECT_TRUE(gone(old));
}

TEST_F(KeypairTest, RetiredKeysAreWipedAndDoNothing) {
    const auto key = add(true);
    EXPECT_TRUE(key->can_send(clock.now()));
    slots.clear(clock.now());
    EXPECT_TRUE(gone(key));
    EXPECT_TRUE(key->send_key().equals(Secret<32>{}));
    EXPECT_TRUE(key->receive_key().equals(Secret<32>{}));
    EXPECT_FALSE(key->take_counters(1));
    EXPECT_FALSE(key->can_send(clock.now()));
}

TEST_F(KeypairTest, KeysOlderThan180SecondsNeitherSendNorReceive) {
    const auto key = add(true);
    clock.advance(milliseconds(179'999));
    EXPECT_TRUE(key->alive(clock.now()));
    EXPECT_TRUE(key->can_send(clock.now()));
    clock.advance(milliseconds(1));
    EXPECT_FALSE(key->alive(clock.now()));
    EXPECT_FALSE(key->can_send(clock.now()));
}

TEST_F(KeypairTest, CountersEndAtRejectAfterMessages) {
    EXPECT_EQ(kRejectAfterMessages, 18'446'744'073'709'543'423ULL) << "2^64 - 2^13 - 1";
    const auto key = add(true);
    EXPECT_EQ(key->take_counters(3), 0U);
    EXPECT_EQ(key->take_counters(1), 3U);
    key->skip_counters_for_test(kRejectAfterMessages - 2);
    EXPECT_FALSE(key->take_counters(3));
    EXPECT_EQ(key->take_counters(2), kRejectAfterMessages - 2);
    EXPECT_FALSE(key->can_send(clock.now()));
    EXPECT_FALSE(key->take_counters(1));
    EXPECT_TRUE(key->alive(clock.now())) << "it still opens what comes";
}

/// Gives the numbers of a list.
class ListedRng final : public Rng {
public:
    explicit ListedRng(std::vector<std::uint8_t> numbers) : numbers_(std::move(numbers)) {}
    void fill(std::span<std::uint8_t> out) override {
        std::fill(out.begin(), out.end(), std::uint8_t{0});
        out.front() = numbers_.at(position_++);
    }

private:
    std::vector<std::uint8_t> numbers_;
    std::size_t position_ = 0;
};

TEST(IndexTable, IndexesAreUniqueAndRestAfterUse) {
    ListedRng rng({1, 1, 1, 2, 1, 2, 3, 1});
    ManualClock clock;
    IndexTable table(rng);
    EXPECT_EQ(table.add(PeerId{1}, clock.now()), 1U);
    EXPECT_EQ(table.add(PeerId{2}, clock.now()), 2U) << "1 is in use";
    EXPECT_EQ(table.find(2)->peer, PeerId{2});
    table.remove(1, clock.now());
    EXPECT_EQ(table.find(1), nullptr) << "leads nowhere at once";
    clock.advance(milliseconds(179'999));
    EXPECT_EQ(table.add(PeerId{1}, clock.now()), 3U) << "1 rests";
    clock.advance(milliseconds(1));
    EXPECT_EQ(table.add(PeerId{1}, clock.now()), 1U);
}

TEST(IndexTable, RestingIndexesAreBounded) {
    SeededRng rng(9);
    ManualClock clock;
    IndexTable table(rng);
    const auto first = table.add(PeerId{1}, clock.now());
    table.remove(first, clock.now());
    for (std::size_t i = 0; i < IndexTable::kMaxResting; ++i)
        table.remove(table.add(PeerId{1}, clock.now()), clock.now());
    EXPECT_FALSE(table.resting(first));
}

}  // namespace
}  // namespace myst::wireguard
