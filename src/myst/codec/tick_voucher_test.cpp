#include "myst/codec/tick_voucher.hpp"

#include <gtest/gtest.h>

#include "vectors/load.hpp"

namespace myst::codec {
namespace {

TEST(TickVoucher, MatchesTheContract) {
    const auto parsed = test::load_json("tick_voucher_eip712.json");
    ASSERT_FALSE(parsed.as_array().empty());
    for (const auto& each : parsed.as_array()) {
        SCOPED_TRACE(test::text(each, "name"));
        const auto number = [&each](const char* name) { return each.at(name).to_number<std::uint64_t>(); };
        const LaneDomain domain(number("chainId"), test::fixed<Address>(each, "contract"));
        const Voucher voucher{test::fixed<Address>(each, "provider"), static_cast<std::uint32_t>(number("epoch")),
                              *Amount::parse(test::text(each, "total")), *Amount::parse(test::text(each, "cap"))};
        const TickVoucher tick_voucher{voucher, test::fixed<Hash32>(each, "anchor"),
                                       *parse_u64(test::text(each, "tickValue")),
                                       static_cast<std::uint16_t>(number("maxTicks"))};
        const auto chain = tick_chain(domain, voucher, tick_voucher.tick_value);
        EXPECT_EQ(chain, test::fixed<Hash32>(each, "chain"));
        auto word = test::fixed<Hash32>(each, "lastWord");
        for (auto index = tick_voucher.max_ticks; index > 0; --index) {
            if (index == number("ticks")) {
                EXPECT_EQ(word, test::fixed<Hash32>(each, "preimage"));
            }
            word = previous_word(word, chain, index);
        }
        EXPECT_EQ(word, tick_voucher.anchor);
        EXPECT_EQ(tick_voucher_digest(domain, tick_voucher), test::fixed<Hash32>(each, "digest"));
        const auto result = sign_tick_voucher(domain, tick_voucher, test::private_key(each, "privateKey"));
        EXPECT_EQ(result.signature.r, test::fixed<Hash32>(each, "r"));
        EXPECT_EQ(result.signature.vs, test::fixed<Hash32>(each, "vs"));
        EXPECT_EQ(recover_signer(domain, result), test::fixed<Address>(each, "signer"));
    }
}

}  // namespace
}  // namespace myst::codec
