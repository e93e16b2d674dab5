// Every verb through the built program, against a real API server with a scripted node behind it.
#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "program.hpp"

namespace myst::console {
namespace {

namespace json = boost::json;
using test_support::Daemon;
using test_support::Program;
using test_support::ProgramResult;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The one JSON object on standard output.
json::object json_of(const ProgramResult& result) {
    json::error_code ec;
    const auto value = json::parse(result.out, ec);
    EXPECT_FALSE(ec) << result.out;
    EXPECT_TRUE(!ec && value.is_object()) << result.out;
    if (ec || !value.is_object()) return {};
    EXPECT_EQ(value.at("v"), 1);
    return value.get_object();
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> result;
    std::istringstream stream(text);
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

struct Case {
    const char* arguments;
    std::vector<std::string> shown;
    const char* change;  ///< what the node was asked to do; empty: nothing
    const char* member;  ///< of the JSON answer
};

class ConsoleVerb : public testing::TestWithParam<Case> {
protected:
    Daemon daemon_;
};

TEST_P(ConsoleVerb, ShowsItsAnswer) {
    const auto& verb = GetParam();
    const auto result = daemon_.myst(words(verb.arguments));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    for (const auto& text : verb.shown) EXPECT_THAT(result.out, HasSubstr(text));
    EXPECT_THAT(result.out, testing::Not(HasSubstr("?")));
    EXPECT_THAT(result.out, testing::Not(HasSubstr("\033")));
    const auto changes = daemon_.node.changes();
    EXPECT_EQ(changes, *verb.change ? std::vector<std::string>{verb.change} : std::vector<std::string>{});
}

TEST_P(ConsoleVerb, AnswersInJson) {
    const auto& verb = GetParam();
    auto arguments = words(verb.arguments);
    arguments.emplace_back("--json");
    const auto result = daemon_.myst(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(json_of(result).contains(verb.member)) << result.out;
}

TEST_P(ConsoleVerb, ReportsAFailureWithItsCure) {
    daemon_.node.fail_with(Error{ErrorCode::unavailable, "the chain is away", "check chain.endpoints"});
    const auto people = daemon_.myst(words(GetParam().arguments));
    EXPECT_EQ(people.exit_code, 1);
    EXPECT_EQ(people.out, "");
    EXPECT_EQ(people.err, "myst: the chain is away\n    check chain.endpoints\n");
    auto arguments = words(GetParam().arguments);
    arguments.emplace_back("--json");
    const auto machine = daemon_.myst(arguments);
    EXPECT_EQ(machine.exit_code, 1);
    EXPECT_EQ(json_of(machine).at("error").at("code"), "unavailable");
    EXPECT_EQ(json_of(machine).at("error").at("cure"), "check chain.endpoints");
}

TEST_P(ConsoleVerb, HasAnExitCodeForLackOfFunds) {
    daemon_.node.fail_with(Error{ErrorCode::insufficient_funds, "the deposit is used up", "deposit more"});
    EXPECT_EQ(daemon_.myst(words(GetParam().arguments)).exit_code, 4);
}

INSTANTIATE_TEST_SUITE_P(
    Verbs, ConsoleVerb,
    testing::Values(
        Case{"status",
             {"Connected\n", "\n    Provider:               Elbe (abab", "61.2 MiB/s", "180.0 MiB down, 4.0 MiB up",
              "0.018 MYSTT", "1.24 MYSTT (12.4 GiB left)", "block 42 (chain 31337)", "1 of 2 connected", "on offer",
              "the base fee is too high", "1 of 2 usable, 2 must agree"},
             "",
             "connection"},
        Case{"status -v",
             {"Version:", "0.1.0", "ws://192.0.2.8:7777 not connected: connection refused", "83 ms",
              "ws://192.0.2.7:7777 connected; from a record of a registered provider, network 192.0.0.0/16, "
              "1234 records in common",
              "following at block 42 of 43, 1 behind, 7 ranges audited", "Open transactions:      2", "rpc.example:443",
              "lagging", "35 ms", "timed out"},
             "",
             "chain"},
        Case{"wallet create",
             {"Created\n", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "deposit"},
             "wallet_create",
             "signer"},
        Case{"wallet address",
             {"    Wallet:                 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n"},
             "",
             "address"},
        Case{"wallet balance", {"1.234567890123456789 ETH", "100 MYSTT", "2.5 MYSTT"}, "", "deposit"},
        Case{"wallet deposit 2.5", {"Deposited\n", "2.5 MYSTT", "0x9999"}, "deposit 2500000000000000000", "free"},
        Case{"wallet deposit 2500 --units", {"Deposited\n"}, "deposit 2500", "free"},
        Case{
            "wallet withdraw", {"Announced\n", "2 MYSTT", "2023-11-15T22:13:20Z", "again"}, "withdraw all", "paid_out"},
        Case{"wallet withdraw 0.5", {"Announced\n"}, "withdraw 500000000000000000", "available_at"},
        Case{"wallet reservations",
             {"RESERVED", "0x3333333333333333333333333333333333333333", "0.75 MYSTT", "0.125 MYSTT", "(not requested)",
              "from 2023-11-15T22:13:20Z"},
             "",
             "reservations"},
        Case{"wallet release 0x3333333333333333333333333333333333333333",
             {"Announced\n", "0.75 MYSTT", "2023-11-15T22:13:20Z",
              "run \"myst wallet release 0x3333333333333333333333333333333333333333\" again"},
             "release 0x3333333333333333333333333333333333333333",
             "released"},
        Case{"proposals",
             {"COUNTRY", "DE", "Hamburg", "0.1 MYSTT", "0.002 MYSTT", "5 MYSTT", "11", "1.75 MYSTT", "wireguard",
              "Elbe", "abababab"},
             "",
             "proposals"},
        Case{"connect --no-wait", {"Disconnected\n"}, "connect", "state"},
        Case{"disconnect", {"Disconnected\n"}, "disconnect", "state"},
        Case{"provider start", {"On offer\n", "Registered:", "0.25 MYSTT"}, "provider_start", "running"},
        Case{"provider stop", {"Off\n"}, "provider_stop", "running"},
        Case{"provider status", {"On offer\n", "1.5 MYSTT"}, "", "earned"},
        Case{"provider sessions", {"SESSION", "11111111", "ended: the consumer left", "open\n"}, "", "sessions"},
        Case{"provider limits",
             {"at most 0.02 MYSTT", "0.01 MYSTT on a payer's signature", "2 % of the sum", "168 h 0 min 0 s",
              "0.29 MYSTT", "0.00077 MYSTT", "no session, leaves at 2023-11-15T22:13:20Z, due: leaving\n",
              "in session\n"},
             "",
             "on_signature"},
        Case{"provider settle", {"Settled\n", "0.2475 MYSTT", "91000"}, "settle", "gas_used"},
        Case{"provider revoke --yes --reason stolen",
             {"Revoked\n", "cdcdcd", "ws://192.0.2.7:7777", "new key"},
             "revoke stolen",
             "told"},
        Case{"provider unregister", {"Left\n", "100 MYSTT", "0x5757"}, "unregister", "left"}),
    [](const testing::TestParamInfo<Case>& parameter) {
        std::string name = parameter.param.arguments;
        std::replace_if(
            name.begin(), name.end(), [](char c) { return c == ' ' || c == '-' || c == '.'; }, '_');
        return name;
    });

TEST(Console, FiltersReachTheNode) {
    const Daemon daemon;
    const auto result = daemon.myst({"proposals", "--country", "nl", "--service", "wireguard", "--max-price", "0.5",
                                     "--max-price-hour", "0.01", "--limit", "7"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto filter = daemon.node.last_filter();
    EXPECT_EQ(filter.country, "NL");
    EXPECT_EQ(filter.service, "wireguard");
    EXPECT_EQ(filter.max_per_gib, *parse_tokens("0.5"));
    EXPECT_EQ(filter.max_per_hour, *parse_tokens("0.01"));
    EXPECT_EQ(daemon.node.last_query().limit, 7U);
}

TEST(Console, OrderAndWhatTheChainSaysReachTheNode) {
    const Daemon daemon;
    const auto result = daemon.myst({"proposals", "--city", "Berlin", "--min-stake", "0.5", "--min-reputation", "9",
                                     "--max-age", "600", "--sort", "stake", "--worst-first"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto query = daemon.node.last_query();
    EXPECT_EQ(query.filter.city, "Berlin");
    EXPECT_EQ(query.filter.min_stake, *parse_tokens("0.5"));
    EXPECT_EQ(query.filter.min_reputation, 9U);
    EXPECT_EQ(query.filter.max_age, seconds(600));
    EXPECT_EQ(query.order, node::OfferOrder::stake);
    EXPECT_TRUE(query.reversed);
}

TEST(Console, PagesAreReadOneByOneOrAll) {
    const Daemon daemon;
    std::vector<node::Proposal> offers(5, api::test_support::sample_proposal());
    for (std::size_t i = 0; i < offers.size(); ++i) offers[i].name = "offer" + std::to_string(i);
    daemon.node.set_proposals(offers);
    const auto first = daemon.myst({"proposals", "--limit", "2"});
    EXPECT_THAT(first.out, HasSubstr("offer1"));
    EXPECT_THAT(first.out, Not(HasSubstr("offer2")));
    EXPECT_THAT(first.out, HasSubstr("--cursor 2\n"));
    const auto last = daemon.myst({"proposals", "--limit", "2", "--cursor", "4"});
    EXPECT_THAT(last.out, HasSubstr("offer4"));
    EXPECT_THAT(last.out, Not(HasSubstr("--cursor")));
    const auto all = daemon.myst({"proposals", "--limit", "2", "--all", "--json"});
    EXPECT_EQ(json_of(all).at("proposals").as_array().size(), 5U);
    EXPECT_TRUE(json_of(all).at("next").is_null());
    EXPECT_EQ(json_of(all).at("proposals").at(4).at("name"), "offer4");
}

TEST(Console, WhatANodeWithoutAnIndexCannotKnowIsADash) {
    const Daemon daemon;
    daemon.node.forget_sales();
    EXPECT_THAT(daemon.myst({"proposals"}).out, HasSubstr("5 MYSTT  -           -        -       -        wireguard"));
}

TEST(Console, NoOfferIsSaid) {
    const Daemon daemon;
    daemon.node.set_proposals({});
    EXPECT_EQ(daemon.myst({"proposals"}).out, "No offer matches.\n");
}

TEST(Console, LatencyIsMeasuredBeforeItSorts) {
    const Daemon daemon;
    daemon.node.script_latency({{8, 7, 2}, {2, 2, 0}});
    const auto result = daemon.myst({"proposals", "--sort", "latency", "--max-latency", "250", "--country", "DE"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("COUNTRY"));
    EXPECT_THAT(result.out, HasSubstr("83 ms"));
    EXPECT_EQ(daemon.node.last_query().order, node::OfferOrder::latency);
    EXPECT_EQ(daemon.node.last_query().max_latency, milliseconds(250));
    EXPECT_EQ(daemon.node.changes(), (std::vector<std::string>{"measure", "measure"}));
}

TEST(Console, ATerminalShowsHowFarTheMeasuringIs) {
    const Daemon daemon;
    daemon.node.script_latency({{8, 7, 2}, {2, 2, 0}});
    Program list(daemon.with_globals({"proposals", "--sort", "latency"}), Program::Output::terminal);
    const auto result = list.finish();
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr("Measuring latency: 8 of 10"));
    EXPECT_THAT(result.out, HasSubstr("\r\033[KCOUNTRY")) << "the line goes";
}

TEST(Console, OffersAreWatchedUntilCtrlC) {
    Daemon daemon;
    Program watch(daemon.with_globals({"proposals", "--watch", "--country", "DE"}));
    watch.wait_for("abababab");  // the table
    EXPECT_EQ(daemon.node.last_filter().country, "DE");
    auto offer = api::test_support::sample_offer();
    offer.proposal.expires += seconds(900);
    daemon.node.tell(offer);  // a renewal
    offer.proposal.tariff.per_gib = Amount(2'000'000'000'000'000'000);
    daemon.node.tell(offer);
    daemon.node.tell(node::OfferGone{offer.proposal.provider, "wireguard"});
    offer.proposal.name = "Weser";
    daemon.node.tell(offer);
    watch.wait_for("Weser");
    watch.send_signal(SIGINT);
    const auto result = watch.finish();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> changes;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
        if (line.find("/GiB") != std::string::npos) changes.push_back(line.substr(10));
    }
    const auto at_two = "DE  Hamburg  2 MYSTT/GiB  0.002 MYSTT/h  stake 5 MYSTT  wireguard";
    EXPECT_THAT(changes, ElementsAre(StartsWith(std::string("*  ") + at_two), StartsWith(std::string("-  ") + at_two),
                                     StartsWith(std::string("+  ") + at_two + "  Weser")));
    EXPECT_THAT(result.out, StartsWith("COUNTRY"));
}

TEST(Console, WatchedOffersComeAsJsonLines) {
    Daemon daemon;
    Program watch(daemon.with_globals({"proposals", "--watch", "--json"}));
    watch.wait_for("proposals_complete");
    watch.send_signal(SIGTERM);
    const auto result = watch.finish();
    EXPECT_EQ(result.exit_code, 0);
    std::vector<std::string> kinds;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
        const auto event = json::parse(line);
        EXPECT_EQ(event.at("v"), 1);
        kinds.emplace_back(event.at("event").as_string());
    }
    EXPECT_THAT(kinds, ElementsAre("proposal", "proposals_complete"));
}

TEST(Console, AWatchEndsWithTheDaemon) {
    auto daemon = std::make_unique<Daemon>();
    Program watch(daemon->with_globals({"proposals", "--watch"}));
    watch.wait_for("abababab");
    daemon.reset();
    const auto result = watch.finish();
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_THAT(result.err, HasSubstr("the daemon stops"));
    EXPECT_THAT(result.err, HasSubstr("mystd --config FILE"));
}

TEST(Console, AWatchThatIsRefusedSaysWhy) {
    const Daemon daemon;
    daemon.node.fail_with(Error{ErrorCode::failed_precondition, "reputation is not known", "run a full node"});
    const auto people = daemon.myst({"proposals", "--watch", "--min-reputation", "3"});
    EXPECT_EQ(people.exit_code, 1);
    EXPECT_EQ(people.err, "myst: reputation is not known\n    run a full node\n");
    const auto machine = daemon.myst({"proposals", "--watch", "--json"});
    EXPECT_EQ(json_of(machine).at("error").at("code"), "failed_precondition");
    std::ofstream(daemon.directory() + "/api-token") << std::string(64, 'f');
    const auto stranger = daemon.myst({"proposals", "--watch"});
    EXPECT_EQ(stranger.exit_code, 1);
    EXPECT_THAT(stranger.err, HasSubstr("token is missing or wrong"));
}

TEST(Console, APaidOutWithdrawalIsSaid) {
    const Daemon daemon;
    daemon.node.set_withdraw({Hash32{}, true, Amount(1), {}});
    EXPECT_THAT(daemon.myst({"wallet", "withdraw"}).out, StartsWith("Paid out\n"));
}

TEST(Console, NamesOfStrangersAreMadeHarmless) {
    const Daemon daemon;
    auto proposal = api::test_support::sample_proposal();
    proposal.name = "\033]0;owned\007";
    daemon.node.set_proposals({proposal});
    const auto result = daemon.myst({"proposals"});
    EXPECT_THAT(result.out, HasSubstr("?]0;owned?"));
}

TEST(Console, AMistakeOnTheCommandLineIsUsage) {
    const Daemon daemon;
    const std::vector<std::vector<std::string>> mistakes = {
        {},
        {"dance"},
        {"wallet"},
        {"provider"},
        {"wallet", "deposit"},
        {"wallet", "release"},
        {"wallet", "deposit", "-1"},
        {"wallet", "deposit", "1e3"},
        {"wallet", "deposit", "2.5", "--units"},
        {"status", "--colour"},
        {"proposals", "--limit", "0"},
        {"proposals", "--sort", "name"},
        {"provider", "revoke"},
        {"proposals", "--all", "--cursor", "1"},
        {"proposals", "--watch", "--all"},
        {"proposals", "--watch", "--max-latency", "9"},
        {"proposals", "--max-latency", "10001"},
        {"proposals", "--watch", "--sort", "age"},
        {"connect", "--min-reputation", "48"},
        {"proposals", "--max-price", "cheap"},
        {"status", "--watch", "--json"},
        {"connect", "--watch", "--no-wait"},
        {"status", "extra"},
        {"status", "--api", "http://evil.test:4449"},
        {"status", "--api", "http://127.0.0.1:4449@evil.test"},
        {"status", "--token", "abc"},
    };
    for (const auto& arguments : mistakes) {
        const auto result = daemon.myst(arguments);
        EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(arguments) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_NE(result.err, "");
    }
    EXPECT_TRUE(daemon.node.changes().empty());
}

TEST(Console, HelpAndVersionSucceed) {
    const auto help = Program({"--help"}).finish();
    EXPECT_EQ(help.exit_code, 0);
    for (const auto* text :
         {"status", "wallet", "proposals", "connect", "disconnect", "provider", "--json", "Exit codes"}) {
        EXPECT_THAT(help.out, HasSubstr(text));
    }
    EXPECT_EQ(Program({"wallet", "deposit", "--help"}).finish().exit_code, 0);
    const auto version = Program({"--version"}).finish();
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_THAT(version.out, StartsWith("myst "));
}

TEST(Console, AnAbsentDaemonHasAnExitCodeAndAWayOut) {
    std::vector<std::string> arguments;
    ProgramResult result;
    {
        const Daemon daemon;
        arguments = daemon.with_globals({"status"});
        std::ofstream(daemon.directory() + "/api-address") << "http://127.0.0.1:1\n";
        result = Program(arguments).finish();
        EXPECT_EQ(result.exit_code, 5) << result.err;
        EXPECT_THAT(result.err, HasSubstr("not reachable"));
        EXPECT_THAT(result.err, HasSubstr("mystd --config FILE"));
        const auto machine = daemon.myst({"status", "--json"});
        EXPECT_EQ(machine.exit_code, 5);
        EXPECT_EQ(json_of(machine).at("error").at("code"), "unavailable");
    }
    result = Program(arguments).finish();
    EXPECT_EQ(result.exit_code, 5) << "a daemon that never ran has written no token";
    EXPECT_THAT(result.err, HasSubstr("mystd --config FILE"));
}

TEST(Console, AWrongTokenIsExplainedAndNotShown) {
    const Daemon daemon;
    const std::string wrong(64, 'f');
    std::ofstream(daemon.directory() + "/api-token") << wrong;
    const auto result = daemon.myst({"status"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("token is missing or wrong"));
    EXPECT_THAT(result.err, testing::Not(HasSubstr(wrong)));
}

TEST(Console, AddressAndTokenCanBeGivenByOptions) {
    const Daemon daemon;
    const auto result = Program({"--api", daemon.server.url() + "/", "--token-file", daemon.directory() + "/api-token",
                                 "wallet", "address"})
                            .finish();
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Console, DisconnectingNothingHasAnExitCode) {
    const Daemon daemon;
    daemon.node.fail_with(Error{ErrorCode::failed_precondition, "there is no connection", ""});
    EXPECT_EQ(daemon.myst({"disconnect"}).exit_code, 3);
}

}  // namespace
}  // namespace myst::console
