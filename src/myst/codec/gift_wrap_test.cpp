#include "myst/codec/gift_wrap.hpp"

#include <gtest/gtest.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/crypto/nip44.hpp"
#include "myst/crypto/system_rng.hpp"
#include "vectors/load.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

const UnixTime kNow{seconds(1'700'000'000)};

crypto::PrivateKey key_of(std::uint8_t n) {
    return crypto::PrivateKey::from(std::array<std::uint8_t, 32>{n}).value();
}

Event message() {
    Event rumor;
    rumor.kind = 14;
    rumor.created_at = kNow;
    rumor.tags = {{"p", key_of(2).node_key().hex()}, {"subject", "\"quoted\""}};
    rumor.content = "ünïcödé\n";
    return rumor;
}

class GiftWrap : public ::testing::Test {
protected:
    UnsignedGift gift(Event rumor = message()) {
        const GiftTimes times{kNow - seconds(100), kNow - seconds(5'000), kNow + seconds(86'400)};
        return wrap_gift(std::move(rumor), author, recipient.node_key(), times, rng).value();
    }
    /// A wrap around any text, as `from` would make it.
    Event wrapped(const std::string& text, const crypto::PrivateKey& from) {
        Event wrap;
        wrap.kind = kGiftWrapKind;
        wrap.content = crypto::nip44_encrypt(from, recipient.node_key(), text, rng).value();
        sign_event(wrap, from, Hash32{});
        return wrap;
    }
    /// A wrap around a seal of `sealer` around any text.
    Event wrapped_seal(const std::string& text, const crypto::PrivateKey& sealer, std::vector<Tag> tags = {}) {
        Event seal;
        seal.kind = kSealKind;
        seal.tags = std::move(tags);
        seal.content = crypto::nip44_encrypt(sealer, recipient.node_key(), text, rng).value();
        sign_event(seal, sealer, Hash32{});
        return wrapped(to_json(seal), key_of(9));
    }
    /// The JSON of a message of `from`, with a signature or without.
    static std::string text_of(const crypto::PrivateKey& from, bool with_signature) {
        auto rumor = message();
        sign_event(rumor, from, Hash32{});
        auto object = json::parse(to_json(rumor)).as_object();
        if (!with_signature) object.erase("sig");
        return json::serialize(object);
    }

    const crypto::PrivateKey author = key_of(1);
    const crypto::PrivateKey recipient = key_of(2);
    crypto::SystemRng rng;
};

TEST_F(GiftWrap, TheExampleOfTheSpecificationOpens) {
    const auto example = test::load_json("gift_wrap.json");
    const auto wrap = parse_event(json::serialize(example.at("wrap"))).value();
    ASSERT_TRUE(verify_event(wrap));
    const auto rumor = unwrap_gift(wrap, test::private_key(example, "recipientKey"));
    ASSERT_TRUE(rumor) << rumor.error().message;
    EXPECT_EQ(rumor->id.hex(), test::text(example, "rumorId"));
    EXPECT_EQ(rumor->pubkey, test::private_key(example, "authorKey").node_key());
    EXPECT_EQ(rumor->content, "Are you going to the party tonight?");
}

TEST_F(GiftWrap, ComesOutAsItWentIn) {
    const auto wrap = sign_gift(gift(), rng).value();
    EXPECT_TRUE(verify_event(wrap));
    const auto rumor = unwrap_gift(wrap, recipient);
    ASSERT_TRUE(rumor) << rumor.error().message;
    auto expected = message();
    expected.pubkey = author.node_key();
    expected.id = event_id(expected);
    EXPECT_EQ(*rumor, expected);
}

TEST_F(GiftWrap, ShowsNothingOfItsAuthor) {
    const auto first = sign_gift(gift(), rng).value();
    const auto second = sign_gift(gift(), rng).value();
    EXPECT_NE(first.pubkey, second.pubkey);
    EXPECT_EQ(to_json(first).find(author.node_key().hex()), std::string::npos);
    EXPECT_EQ(first.created_at, kNow - seconds(5'000));
    EXPECT_EQ(first.tag("p"), recipient.node_key().hex());
    EXPECT_EQ(first.expiration(), kNow + seconds(86'400));
}

TEST_F(GiftWrap, MayCarryWork) {
    auto with_work = gift();
    ASSERT_TRUE(add_work(with_work.wrap, 8, 0, 1U << 16));
    const auto wrap = sign_gift(std::move(with_work), rng).value();
    EXPECT_EQ(proven_work(wrap), 8U);
    EXPECT_TRUE(unwrap_gift(wrap, recipient));
}

TEST_F(GiftWrap, OpensForItsRecipientOnly) {
    const auto wrap = sign_gift(gift(), rng).value();
    EXPECT_FALSE(unwrap_gift(wrap, author));
    EXPECT_FALSE(unwrap_gift(wrap, key_of(3)));
    auto damaged = wrap;
    damaged.content[damaged.content.size() / 2] ^= 1;
    EXPECT_FALSE(unwrap_gift(damaged, recipient));
}

TEST_F(GiftWrap, NobodySpeaksInAnothersName) {
    EXPECT_TRUE(unwrap_gift(wrapped_seal(text_of(author, false), author), recipient));
    EXPECT_FALSE(unwrap_gift(wrapped_seal(text_of(author, false), key_of(3)), recipient));
    Event unsigned_seal = parse_event(crypto::nip44_decrypt(recipient, key_of(9).node_key(),
                                                            wrapped_seal(text_of(author, false), author).content)
                                          .value())
                              .value();
    unsigned_seal.sig = {};
    EXPECT_FALSE(unwrap_gift(wrapped(to_json(unsigned_seal), key_of(9)), recipient));
}

TEST_F(GiftWrap, WhatIsNotAMessageInASealIsRefused) {
    auto wrong_id = json::parse(text_of(author, false)).as_object();
    wrong_id["content"] = "another";
    EXPECT_FALSE(unwrap_gift(wrapped_seal(json::serialize(wrong_id), author), recipient));
    EXPECT_FALSE(unwrap_gift(wrapped_seal(text_of(author, true), author), recipient)) << "it could be shown around";
    EXPECT_FALSE(unwrap_gift(wrapped_seal(text_of(author, false), author, {{"p", "x"}}), recipient));
    EXPECT_FALSE(unwrap_gift(wrapped_seal("[]", author), recipient));
    EXPECT_FALSE(unwrap_gift(wrapped_seal(std::string(40, '['), author), recipient));
    EXPECT_FALSE(unwrap_gift(wrapped("nonsense", author), recipient));
    auto other_kind = sign_gift(gift(), rng).value();
    other_kind.kind = 1;
    EXPECT_FALSE(unwrap_gift(other_kind, recipient));
    auto too_long = message();
    too_long.content = std::string(60'000, 'x');
    const GiftTimes times{kNow, kNow, kNow + seconds(60)};
    EXPECT_FALSE(wrap_gift(too_long, author, recipient.node_key(), times, rng));
}

}  // namespace
}  // namespace myst::codec
