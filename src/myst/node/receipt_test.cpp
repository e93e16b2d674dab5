#include "myst/node/receipt_record.hpp"

#include <gtest/gtest.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/node/complaints.hpp"
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node::test {
namespace {

const ports::ChainIdentity kChain{31337, Address{{7}}, Address{{8}}};
constexpr UnixTime kTime{seconds(1'700'001'234)};

SettledReceipt sample(ReceiptOutcome outcome = ReceiptOutcome::good) {
    return {{}, Address{{5}}, 3, Amount(1'000'000), 17, outcome, kTime};
}

TEST(ReceiptRecord, RoundTripsWithTheTimeRoundedToTheHour) {
    CountingRng rng;
    const auto payer = crypto::PrivateKey::generate(rng);
    const auto event = make_receipt(sample(), kChain, payer, rng);
    ASSERT_TRUE(codec::verify_event(event));
    EXPECT_LE(event.content.size(), codec::kMaxReceiptContent);
    auto expected = sample();
    expected.payer = payer.address();
    expected.time = UnixTime(seconds(1'700'001'234 / 3600 * 3600));
    const auto read = read_receipt(event, kChain);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, expected);
    EXPECT_EQ(claim_of(event, kChain)->receipt, expected);
}

TEST(ReceiptRecord, ALaterOneReplacesAnEarlierOneAndNoOtherKeyShows) {
    CountingRng rng;
    const auto payer = crypto::PrivateKey::generate(rng);
    const auto good = make_receipt(sample(), kChain, payer, rng);
    const auto bad = make_receipt(sample(ReceiptOutcome::bad), kChain, payer, rng);
    EXPECT_EQ(good.pubkey, bad.pubkey);
    EXPECT_EQ(good.tag("d"), bad.tag("d"));
    EXPECT_GT(bad.created_at, good.created_at) << "within one hour a complaint stands";
    EXPECT_NE(good.pubkey, payer.node_key());
    auto elsewhere = sample();
    elsewhere.payee = Address{{6}};
    EXPECT_NE(make_receipt(elsewhere, kChain, payer, rng).pubkey, good.pubkey);
}

TEST(ReceiptRecord, IsOnlyBelievedFromItsPayerForItsAuthor) {
    CountingRng rng;
    const auto payer = crypto::PrivateKey::generate(rng);
    const auto stranger = crypto::PrivateKey::generate(rng);
    const auto good = make_receipt(sample(), kChain, payer, rng);
    auto stolen = good;  // the same words under another author, where the payer could not replace them
    codec::sign_event(stolen, stranger, Hash32{});
    EXPECT_TRUE(claim_of(stolen, kChain));
    EXPECT_FALSE(read_receipt(stolen, kChain));
    auto other_chain = kChain;
    other_chain.chain_id = 1;
    EXPECT_FALSE(read_receipt(good, other_chain));
    const std::pair<const char*, const char*> changes[] = {
        {"\"good\"", "\"bad\""},
        {"\"mib\":17", "\"mib\":18"},
        {"\"1000000\"", "\"1000001\""},
        {"\"epoch\":3", "\"epoch\":4"},
    };
    for (const auto& [from, to] : changes) {
        auto changed = good;
        const auto at = changed.content.find(from);
        ASSERT_NE(at, std::string::npos) << from;
        changed.content.replace(at, std::string_view(from).size(), to);
        EXPECT_TRUE(claim_of(changed, kChain)) << to;
        EXPECT_FALSE(read_receipt(changed, kChain)) << to;
    }
    auto later = good;
    later.created_at += seconds(5);
    EXPECT_FALSE(read_receipt(later, kChain));
    for (const auto* content : {"", "{}", "[]", R"({"v":1})"}) {
        auto broken = good;
        broken.content = content;
        EXPECT_FALSE(claim_of(broken, kChain)) << content;
    }
}

class Complaints : public SessionTest {
protected:
    /// The payer of this number says something of the payee.
    void say(unsigned payer, ReceiptOutcome outcome, seconds ago, const Address& payee) {
        auto receipt = sample(outcome);
        receipt.payee = payee;
        receipt.time = world_.clock.unix_now() - ago;
        world_.bus.stored.push_back(make_receipt(receipt, world_.chain.identity(), payer_[payer], world_.rng));
    }
    void settle(unsigned payer, const Address& payee, const char* tokens) {
        world_.chain.volume[{payee, payer_[payer].address()}] = *parse_tokens(tokens);
    }
    std::map<Address, Amount> complaints(std::vector<Address> payees) {
        std::map<Address, Amount> found;
        EXPECT_TRUE(world_.run(read(std::move(payees), found)));
        return found;
    }

    std::vector<crypto::PrivateKey> payer_ = [this] {
        std::vector<crypto::PrivateKey> keys;
        for (int i = 0; i < 4; ++i) keys.push_back(crypto::PrivateKey::generate(world_.rng));
        return keys;
    }();
    const Address first_{{1}};
    const Address second_{{2}};

private:
    Task<> read(std::vector<Address> payees, std::map<Address, Amount>& found) {
        Context context{world_.context.get_executor(),
                        world_.clock,
                        world_.rng,
                        world_.workers,
                        *consumer_->keys,
                        world_.chain,
                        world_.bus,
                        *consumer_->ledger,
                        consumer_->driver,
                        {}};
        auto result = co_await read_complaints(context, std::move(payees));
        EXPECT_TRUE(result) << (result ? "" : result.error().message);
        if (result) found = std::move(*result);
    }
};

TEST_F(Complaints, WeighWhatTheirPayersHaveSettled) {
    say(0, ReceiptOutcome::bad, seconds(7200), first_);
    settle(0, first_, "0.25");
    say(1, ReceiptOutcome::bad, seconds(7200), first_);
    settle(1, first_, "7");
    say(2, ReceiptOutcome::bad, seconds(7200), first_);  // has settled nothing
    say(3, ReceiptOutcome::good, seconds(7200), first_);
    settle(3, first_, "2");
    say(3, ReceiptOutcome::bad, seconds(7200), second_);
    settle(3, second_, "0.5");
    const auto found = complaints({first_, second_, Address{{3}}});
    EXPECT_EQ(found, (std::map<Address, Amount>{{first_, *parse_tokens("1.25")}, {second_, *parse_tokens("0.5")}}));
    EXPECT_EQ(complaints({second_}).size(), 1U);
}

TEST_F(Complaints, AreHeldOfAFewPayeesAtATime) {
    std::vector<Address> payees;
    for (std::uint8_t i = 1; i <= 130; ++i) {
        payees.push_back(Address{{i}});
        say(0, ReceiptOutcome::bad, seconds(9'000), payees.back());
        settle(0, payees.back(), "0.25");
    }
    EXPECT_EQ(complaints(payees).size(), payees.size());
    EXPECT_EQ(world_.chain.most_pairs, 64U) << "asked about in one question";
}

TEST_F(Complaints, AreFoundBehindAsManyReceiptsOfOneSecondAsFillPages) {
    say(0, ReceiptOutcome::bad, seconds(9'000), first_);
    settle(0, first_, "0.25");
    auto empty = make_receipt(sample(), world_.chain.identity(), payer_[1], world_.rng);
    empty.tags.front() = {"d", first_.hex0x()};
    empty.created_at = world_.clock.unix_now();
    for (std::uint32_t i = 0; i < 1'200; ++i) {
        auto& copy = world_.bus.stored.emplace_back(empty);
        copy.id = Hash32{};
        copy.id.bytes[0] = static_cast<std::uint8_t>(1 + i / 256);
        copy.id.bytes[1] = static_cast<std::uint8_t>(i % 256);
    }
    EXPECT_EQ(complaints({first_}), (std::map<Address, Amount>{{first_, *parse_tokens("0.25")}}));
}

TEST_F(Complaints, AreTakenBackByALaterReceiptOfTheSamePayerOnly) {
    say(0, ReceiptOutcome::bad, seconds(9'000), first_);
    settle(0, first_, "0.25");
    ASSERT_EQ(complaints({first_}).size(), 1U);
    auto forged = make_receipt(sample(), world_.chain.identity(), payer_[0], world_.rng);
    forged.tags.front() = {"d", first_.hex0x()};
    forged.created_at = world_.clock.unix_now();
    codec::sign_event(forged, payer_[1], Hash32{});
    world_.bus.stored.push_back(forged);
    EXPECT_EQ(complaints({first_}).size(), 1U) << "a stranger has spoken in the payer's name";
    say(0, ReceiptOutcome::good, seconds(0), first_);
    EXPECT_TRUE(complaints({first_}).empty());
}

TEST_F(SessionTest, AReceiptCarriesTheWorkThatRelaysAskOfStrangers) {
    world_.pow_bits = 8;
    auto settings = consumer_settings().consumer;
    settings.publish_receipts = true;
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(disconnect()));
    const auto receipt = std::find_if(world_.bus.stored.begin(), world_.bus.stored.end(),
                                      [](const codec::Event& event) { return event.kind == codec::kReceiptKind; });
    ASSERT_NE(receipt, world_.bus.stored.end());
    EXPECT_TRUE(codec::verify_event(*receipt));
    EXPECT_EQ(codec::proven_work(*receipt), 8U);
    EXPECT_TRUE(read_receipt(*receipt, world_.chain.identity())) << "the work has broken the payer's signature";
}

TEST_F(SessionTest, AReceiptIsPublishedOnlyIfTheSettingsSaySo) {
    const auto receipts = [this] {
        std::vector<codec::Event> found;
        for (const auto& event : world_.bus.stored) {
            if (event.kind == codec::kReceiptKind) found.push_back(event);
        }
        return found;
    };
    for (const bool allowed : {false, true}) {
        auto settings = consumer_settings().consumer;
        settings.publish_receipts = allowed;
        set_up_consumer(settings);
        ASSERT_TRUE(world_.run(connect()));
        ASSERT_TRUE(world_.run(disconnect()));
        EXPECT_EQ(receipts().size(), allowed ? 1U : 0U);
    }
    const auto receipt = read_receipt(receipts().front(), world_.chain.identity());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->payer, consumer_->keys->signer()->address());
    EXPECT_EQ(receipt->payee, provider_->keys->wallet()->address());
    EXPECT_EQ(receipt->outcome, ReceiptOutcome::good);
    EXPECT_FALSE(receipt->total.is_zero());
    EXPECT_NE(receipts().front().pubkey, consumer_->keys->node().node_key());
}

}  // namespace
}  // namespace myst::node::test
