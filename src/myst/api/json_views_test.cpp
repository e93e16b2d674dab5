#include "myst/api/json_views.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "myst/api/test_support/fake_control.hpp"

namespace myst::api {
namespace {

namespace json = boost::json;
using test_support::sample_connection;
using test_support::sample_proposal;

json::object parsed(const std::string& text) {
    return json::parse(text).as_object();
}

TEST(JsonViews, AConnectionInFull) {
    const auto object = parsed(body_of(sample_connection()));
    EXPECT_EQ(object.at("v"), 1);
    EXPECT_EQ(object.at("state"), "connected");
    EXPECT_EQ(object.at("paid"), "18000000000000000");
    EXPECT_EQ(object.at("deposit_left"), "1240000000000000000");
    EXPECT_EQ(object.at("bytes_left"), 13'314'398'617);
    EXPECT_EQ(object.at("traffic").at("down"), 188'743'680);
    EXPECT_EQ(object.at("session"), "44444444444444444444444444444444");
    EXPECT_EQ(object.at("connect_time_ms"), 83);
    EXPECT_EQ(object.at("proposal").at("tariff").at("per_gib"), "100000000000000000");
    EXPECT_EQ(object.at("proposal").at("published"), "2023-11-14T22:13:20Z");
    EXPECT_EQ(object.at("proposal").at("published_unix"), 1'700'000'000);
}

TEST(JsonViews, WhatIsNotThereIsNull) {
    auto status = sample_connection();
    status.bytes_left = pay::kUnlimitedBytes;
    EXPECT_TRUE(parsed(body_of(status)).at("bytes_left").is_null());
    const auto idle = parsed(body_of(node::ConnectionStatus{}));
    EXPECT_EQ(idle.at("state"), "disconnected");
    EXPECT_TRUE(idle.at("proposal").is_null());
    EXPECT_TRUE(idle.at("session").is_null());
    const auto withdrawn = parsed(body_of(node::WithdrawResult{{}, true, Amount(5), {}}));
    EXPECT_TRUE(withdrawn.at("available_at").is_null());
    EXPECT_TRUE(withdrawn.at("available_at_unix").is_null());
}

TEST(JsonViews, LargeNumbersStayExact) {
    node::ConnectionStatus status;
    status.traffic.up = ~std::uint64_t{0};
    status.paid = Amount::max();
    const auto text = body_of(status);
    EXPECT_NE(text.find("\"up\":18446744073709551615"), std::string::npos) << text;
    EXPECT_NE(text.find("\"paid\":\"79228162514264337593543950335\""), std::string::npos) << text;
}

TEST(JsonViews, AddressesCarryTheirChecksum) {
    node::WalletInfo wallet;
    wallet.address = *Address::parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
    EXPECT_EQ(parsed(body_of(wallet)).at("address"), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
}

TEST(JsonViews, UntrustedTextStaysText) {
    auto proposal = sample_proposal();
    proposal.name = "\"},{\"x\":\"\n<script>";
    const auto object = parsed(body_of(node::OfferPage{{{proposal, {}}}, ""}));
    EXPECT_EQ(object.at("proposals").at(0).at("name"), json::string_view(proposal.name.data(), proposal.name.size()));
}

TEST(JsonViews, AnErrorHasCodeMessageAndCure) {
    const auto object = parsed(error_body(Error{ErrorCode::insufficient_funds, "too little", "deposit more"}));
    EXPECT_EQ(object.at("v"), 1);
    EXPECT_EQ(object.at("error").at("code"), "insufficient_funds");
    EXPECT_EQ(object.at("error").at("message"), "too little");
    EXPECT_EQ(object.at("error").at("cure"), "deposit more");
}

}  // namespace
}  // namespace myst::api
