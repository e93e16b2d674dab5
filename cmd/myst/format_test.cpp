#include "format.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "reply_values.hpp"
#include "views.hpp"

namespace myst::console {
namespace {

TEST(Format, Bytes) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(1023), "1023 B");
    EXPECT_EQ(format_bytes(1024), "1.0 KiB");
    EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1.0 MiB");
    EXPECT_EQ(format_bytes(192'937'984), "184.0 MiB");
    EXPECT_EQ(format_bytes(13'314'398'617), "12.4 GiB");
    EXPECT_EQ(format_bytes(~std::uint64_t{0}), "16.0 EiB");
    EXPECT_EQ(format_rate(64'172'851), "61.2 MiB/s");
}

TEST(Format, Amounts) {
    EXPECT_EQ(format_amount(*parse_tokens("0.018")), "0.018 MYSTT");
    EXPECT_EQ(format_short_amount(*parse_tokens("0.018")), "0.0180 MYSTT");
    EXPECT_EQ(format_short_amount(*parse_tokens("12.00009")), "12.0000 MYSTT");
    EXPECT_EQ(format_short_amount(*parse_tokens("7")), "7.0000 MYSTT");
    EXPECT_EQ(format_ether("1234567890123456789"), "1.234567890123456789 ETH");
    EXPECT_EQ(format_ether("0"), "0 ETH");
    EXPECT_EQ(format_ether("1"), "0.000000000000000001 ETH");
    EXPECT_EQ(format_ether("20000000000000000000"), "20 ETH");
    EXPECT_EQ(format_ether("?"), "?");
}

TEST(Format, Durations) {
    EXPECT_EQ(format_duration(59), "59 s");
    EXPECT_EQ(format_duration(61), "1 min 1 s");
    EXPECT_EQ(format_duration(3723), "1 h 2 min 3 s");
}

TEST(Format, LabelsStandInAColumn) {
    EXPECT_EQ(labelled("Paid", "x"), "    Paid:                   x\n");
}

TEST(Format, ColumnsAreAsWideAsTheirLongestCell) {
    EXPECT_EQ(format_table({{"A", "LONG", "C"}, {"größe", "x", "y z"}}),
              "A      LONG  C\n"
              "größe  x     y z\n");
    EXPECT_EQ(format_table({}), "");
}

TEST(Views, WhatIsMissingReadsAsAQuestionMark) {
    const auto body = boost::json::parse(R"({"v":1,"a":{"b":"5"},"n":-3,"f":1})");
    EXPECT_EQ(text_at(body, "x"), "?");
    EXPECT_EQ(text_at(at(body, "x"), "y"), "?");
    EXPECT_EQ(amount_at(at(body, "a"), "b"), "0.000000000000000005 MYSTT");
    EXPECT_EQ(amount_at(body, "n"), "?");
    EXPECT_EQ(number_at(body, "n"), 0U);
    EXPECT_FALSE(flag_at(body, "f"));
    EXPECT_TRUE(items_at(body, "a").empty());
    for (const auto verb : {Verb::status, Verb::wallet_balance, Verb::proposals, Verb::provider_sessions,
                            Verb::provider_limits, Verb::provider_settle}) {
        Options options;
        options.verb = verb;
        options.verbose = true;
        EXPECT_NE(view_of(options, body), "");
    }
}

}  // namespace
}  // namespace myst::console
