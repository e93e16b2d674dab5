#include "myst/codec/proof_of_work.hpp"

#include <gtest/gtest.h>

namespace myst::codec {
namespace {

/// The example of NIP-13.
Event example() {
    Event event;
    event.id = Hash32::parse("000006d8c378af1779d2feebc7603a125d99eca0ccf1085959b307f64e5dd358").value();
    event.pubkey = NodeKey::parse("a48380f4cfcc1ad5378294fcac36439770f9c878dd880ffa94bb74ea54a6f243").value();
    event.created_at = UnixTime(seconds(1'651'794'653));
    event.kind = 1;
    event.tags = {{"nonce", "776797", "20"}};
    event.content = "It's just me mining my own business";
    return event;
}

TEST(ProofOfWork, TheExampleOfTheSpecificationProves20Bits) {
    const auto event = example();
    EXPECT_EQ(event_id(event), event.id);
    EXPECT_EQ(leading_zero_bits(event.id), 21U);
    EXPECT_EQ(proven_work(event), 20U) << "one bit is luck";
}

TEST(ProofOfWork, CountsBits) {
    Hash32 id;
    EXPECT_EQ(leading_zero_bits(id), 256U);
    id.bytes[31] = 1;
    EXPECT_EQ(leading_zero_bits(id), 255U);
    id.bytes[4] = 0x1f;
    EXPECT_EQ(leading_zero_bits(id), 35U);
    id.bytes[0] = 0x80;
    EXPECT_EQ(leading_zero_bits(id), 0U);
}

TEST(ProofOfWork, WhatIsNotCommittedDoesNotCount) {
    for (const Tag& tag :
         {Tag{"nonce", "776797"}, Tag{"nonce", "776797", "22"}, Tag{"nonce", "776797", ""},
          Tag{"nonce", "776797", "-1"}, Tag{"nonce", "776797", "020"}, Tag{"nonce", "776797", "20 "},
          Tag{"nonce", "776797", "99999999999"}, Tag{"nonce", "776797", "20", "x"}, Tag{"n", "1", "20"}}) {
        auto event = example();
        event.tags = {tag};
        EXPECT_EQ(proven_work(event), 0U) << tag.back();
    }
    auto twice = example();
    twice.tags.push_back({"nonce", "1", "5"});
    EXPECT_EQ(proven_work(twice), 0U);
    auto none = example();
    none.tags.clear();
    EXPECT_EQ(proven_work(none), 0U);
}

TEST(ProofOfWork, IsFoundAndSurvivesTheSignature) {
    const auto key = crypto::PrivateKey::from(std::array<std::uint8_t, 32>{1}).value();
    auto event = example();
    event.pubkey = key.node_key();
    event.tags = {{"d", R"(["nonce","00000000000000000000","8"])"}, {"nonce", "5", "6"}};
    event.content = R"(["nonce","1"])";
    ASSERT_TRUE(add_work(event, 8, 0, 100'000));
    sign_event(event, key, Hash32{});
    ASSERT_TRUE(verify_event(event));
    EXPECT_EQ(event.tags.size(), 2U) << "the earlier nonce is replaced";
    EXPECT_EQ(proven_work(event), 8U);
    EXPECT_GE(leading_zero_bits(event.id), 8U);
    EXPECT_FALSE(add_work(event, 200, 0, 100)) << "bounded";
}

}  // namespace
}  // namespace myst::codec
