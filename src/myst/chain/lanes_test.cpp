#include <gtest/gtest.h>

#include <set>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/codec/abi.hpp"

namespace myst::chain {
namespace {

using testing::account_at;
using testing::encode_event;

TEST(LanesCalls, SelectorAndArguments) {
    const auto data = call::deposit(account_at(0), Amount(5));
    ASSERT_EQ(data.size(), 4U + 64);
    EXPECT_EQ(to_hex(BytesView(data).first(4)), codec::abi::selector("deposit(address,uint96)").hex());
    EXPECT_EQ(to_hex(BytesView(data).subspan(4)),
              "000000000000000000000000aa00000000000000000000000000000000000001"
              "0000000000000000000000000000000000000000000000000000000000000005");
    // Published selectors of ERC-20 and EIP-2612.
    EXPECT_EQ(to_hex(BytesView(call::balance_of(account_at(0))).first(4)), "70a08231");
    EXPECT_EQ(to_hex(BytesView(call::approve(account_at(0), Amount(1))).first(4)), "095ea7b3");
    EXPECT_EQ(to_hex(BytesView(call::nonces(account_at(0))).first(4)), "7ecebe00");
    EXPECT_EQ(to_hex(call::domain_separator()), "3644e515");
}

TEST(LanesCalls, SettlePacksItems) {
    codec::SignedVoucher voucher;
    voucher.voucher = {account_at(1), 3, Amount(7), Amount(9)};
    const auto data = call::settle(account_at(1), {voucher, voucher});
    // selector, provider, offset, count, two items of three words
    EXPECT_EQ(data.size(), 4U + 32 * (3 + 6));
    EXPECT_EQ(to_hex(BytesView(data).subspan(4 + 96, 32)),
              "000000000000000000000007"
              "000000000000000000000009"
              "000003"
              "0000000000");
}

TEST(LanesCalls, SettleTicksPacksItems) {
    codec::SignedTickVoucher voucher;
    voucher.tick_voucher = {{account_at(1), 3, Amount(7), Amount(9)}, Hash32{{1}}, 0x0102030405060708, 64};
    const auto data = call::settle_ticks(account_at(1), {{voucher, {5, Hash32{{0xab}}}}});
    // selector, provider, offset, count, one item of five words
    ASSERT_EQ(data.size(), 4U + 32 * (3 + 5));
    EXPECT_EQ(to_hex(BytesView(data).first(4)),
              codec::abi::selector("settleTicks(address,(uint256,uint256,bytes32,bytes32,bytes32)[])").hex());
    EXPECT_EQ(to_hex(BytesView(data).subspan(4 + 96, 96)),
              "000000000000000000000007000000000000000000000009"
              "0000030000000000"
              "0000000000000000000000000000000000000000010203040506070800400005"
              "ab00000000000000000000000000000000000000000000000000000000000000");
}

TEST(LanesViews, AreStrict) {
    const auto words = [](std::initializer_list<std::uint64_t> values) {
        codec::abi::Encoder encoder;
        for (const auto each : values) encoder.uint(Uint256(each));
        return encoder.finish();
    };
    const auto account = view::account(words({10, 4, 1700, 0}));
    ASSERT_TRUE(account);
    EXPECT_EQ(*account, (ports::AccountState{Amount(10), Amount(4), UnixTime(seconds(1700))}));
    EXPECT_FALSE(view::account(words({10, 4, 1700})));
    EXPECT_FALSE(view::account(words({10, 4, 1700, 0, 0})));
    EXPECT_FALSE(view::account(words({10, 4, std::uint64_t{1} << 40, 0})));
    EXPECT_FALSE(view::lane(words({1, 1, 0, 1U << 24})));
    EXPECT_TRUE(view::lane(words({1, 1, 0, (1U << 24) - 1})));
    const Bytes huge(32, 0xff);
    EXPECT_FALSE(view::amount(huge));
    EXPECT_EQ(*view::balance(huge), Amount::max());
    EXPECT_FALSE(view::address(huge));
    EXPECT_FALSE(view::account({}));
}

TEST(LanesEvents, DecodeWhatIsEncoded) {
    std::vector<LanesEvent> events;
    testing::LanesModel model;
    for (std::uint32_t choice = 0; choice < 3000; ++choice) {
        model.random_operation(choice * 2654435761U, UnixTime(seconds(1'700'000'000)), events);
    }
    std::set<std::size_t> kinds;
    for (const auto& event : events) {
        kinds.insert(event.index());
        const auto log = encode_event(event, account_at(0));
        const auto decoded = decode_event(log);
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(decoded->index(), event.index());
        const auto again = encode_event(*decoded, account_at(0));
        EXPECT_EQ(again.topics, log.topics);
        EXPECT_EQ(again.data, log.data);
    }
    EXPECT_EQ(kinds.size(), std::variant_size_v<LanesEvent>);
    EXPECT_EQ(event_topics().size(), std::variant_size_v<LanesEvent>);
}

TEST(LanesEvents, RefuseWhatDoesNotFit) {
    const auto good = encode_event(Deposited{account_at(0), account_at(1), Amount(1), Amount(2)}, account_at(9));
    ASSERT_TRUE(decode_event(good));
    auto log = good;
    log.topics.clear();
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.topics.pop_back();
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.topics.push_back({});
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.topics[1].bytes[0] = 1;
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.data.push_back(0);
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.data.resize(32);
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.data[0] = 1;
    EXPECT_FALSE(decode_event(log));
    log = good;
    log.topics[0].bytes[0] ^= 1;
    EXPECT_FALSE(decode_event(log));
}

TEST(LanesEvents, RefuseHalfAnEntry) {
    Log log;
    log.topics = {codec::abi::event_topic("Settled(address,uint256,uint256,uint256[])"),
                  codec::abi::address_word(account_at(1))};
    log.data = codec::abi::Encoder().uint(Uint256(1)).uint(Uint256(0)).static_array({Hash32{}}, 1).finish();
    EXPECT_FALSE(decode_event(log));
}

TEST(RevertReason, NamesKnownErrors) {
    const auto reason = [](std::string_view signature, const codec::abi::Encoder& arguments) {
        return revert_reason(arguments.call(signature));
    };
    EXPECT_EQ(reason("NothingExiting()", {}), "NothingExiting");
    EXPECT_EQ(reason("InsufficientFree(uint96)", codec::abi::Encoder().amount(Amount(12))), "InsufficientFree(12)");
    EXPECT_EQ(reason("Error(string)", codec::abi::Encoder().dynamic_bytes(as_bytes("no\nway"))), "no?way");
    EXPECT_EQ(reason("Panic(uint256)", codec::abi::Encoder().uint(Uint256(17))), "panic 17");
    EXPECT_EQ(reason("Strange(uint8)", {}), "error " + codec::abi::selector("Strange(uint8)").hex0x());
    EXPECT_EQ(revert_reason({}), "reverted without a reason");
}

TEST(EthJson, Quantities) {
    EXPECT_EQ(quantity(0), "0x0");
    EXPECT_EQ(quantity(255), "0xff");
    EXPECT_EQ(*as_u64("0x10"), 16U);
    EXPECT_EQ(*as_u64("0xffffffffffffffff"), ~std::uint64_t{0});
    for (const auto* text : {"", "0x", "10", "0x1g", "-0x1", "0x10000000000000000"}) EXPECT_FALSE(as_u64(text)) << text;
    EXPECT_FALSE(as_u64(16));
    EXPECT_FALSE(as_uint256(boost::json::value("0x1" + std::string(64, '0'))));
    EXPECT_TRUE(as_uint256(boost::json::value("0x" + std::string(64, 'f'))));
}

TEST(EthJson, BloomHasWhatWasAdded) {
    Bloom bloom;
    EXPECT_FALSE(bloom_has(bloom, account_at(1).view()));
    bloom_add(bloom, account_at(1).view());
    EXPECT_TRUE(bloom_has(bloom, account_at(1).view()));
    EXPECT_FALSE(bloom_has(bloom, account_at(2).view()));
}

}  // namespace
}  // namespace myst::chain
