// Waiting for a connection and watching it.
#include <csignal>

#include <gmock/gmock.h>
#include <boost/json/parse.hpp>

#include "program.hpp"

namespace myst::console {
namespace {

using api::test_support::sample_connection;
using node::ConnectionState;
using test_support::Daemon;
using test_support::Program;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

node::ConnectionStatus in_state(ConnectionState state, std::string step = "", std::string last_error = "") {
    node::ConnectionStatus status;
    status.state = state;
    status.step = std::move(step);
    status.last_error = std::move(last_error);
    return status;
}

TEST(Connect, WaitsAndTellsTheStepsOnStandardError) {
    const Daemon daemon;
    daemon.node.script_connection({in_state(ConnectionState::connecting, "asking providers"),
                                   in_state(ConnectionState::connecting, "asking providers"),
                                   in_state(ConnectionState::connecting, "setting up the tunnel"),
                                   sample_connection()});
    const auto result = daemon.myst({"connect", "--country", "de", "--provider", std::string(64, 'a')});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "asking providers\nsetting up the tunnel\n");
    EXPECT_THAT(result.out, StartsWith("Connected\n"));
    EXPECT_THAT(result.out, HasSubstr("    Connect time:           83 ms\n"));
    EXPECT_EQ(daemon.node.last_filter().country, "DE");
    EXPECT_TRUE(daemon.node.last_filter().provider);
}

TEST(Connect, AnswersInJsonWhenConnected) {
    const Daemon daemon;
    daemon.node.script_connection({in_state(ConnectionState::connecting, "asking"), sample_connection()});
    const auto result = daemon.myst({"connect", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(boost::json::parse(result.out).at("state"), "connected");
}

TEST(Connect, AFailedAttemptIsNotConnected) {
    const Daemon daemon;
    daemon.node.script_connection({in_state(ConnectionState::connecting, "asking"),
                                   in_state(ConnectionState::disconnected, "", "no provider answered")});
    const auto result = daemon.myst({"connect"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("myst: no provider answered\n"));
}

TEST(Connect, ARefusedCommandEndsAtOnce) {
    const Daemon daemon;
    daemon.node.fail_with(Error{ErrorCode::insufficient_funds, "no deposit", "myst wallet deposit AMOUNT"});
    const auto result = daemon.myst({"connect"});
    EXPECT_EQ(result.exit_code, 4);
    EXPECT_THAT(result.err, HasSubstr("no deposit"));
}

TEST(Watch, PrintsLinesUntilTheConnectionEnds) {
    const Daemon daemon;
    auto later = sample_connection();
    later.traffic.down += std::uint64_t{1} << 30;
    daemon.node.script_connection({sample_connection(), later, in_state(ConnectionState::disconnected)});
    const auto result = daemon.myst({"status", "--watch"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out,
              "61.2 MiB/s  ↓ 180.0 MiB  ↑ 4.0 MiB  paid 0.0180 MYSTT  12.4 GiB left\n"
              "61.2 MiB/s  ↓ 1.2 GiB  ↑ 4.0 MiB  paid 0.0180 MYSTT  12.4 GiB left\n"
              "Disconnected\n");
}

TEST(Watch, ALostConnectionHasAnExitCode) {
    const Daemon daemon;
    daemon.node.script_connection(
        {sample_connection(), in_state(ConnectionState::disconnected, "", "the provider vanished")});
    const auto result = daemon.myst({"status", "--watch"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, HasSubstr("the provider vanished"));
}

TEST(Watch, ABlockedConnectionSaysWhyAndWhatToDo) {
    const Daemon daemon;
    daemon.node.script_connection(
        {sample_connection(), in_state(ConnectionState::blocked, "myst disconnect opens", "the provider vanished")});
    const auto result = daemon.myst({"status", "--watch"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, HasSubstr("the provider vanished"));
    EXPECT_THAT(result.err, HasSubstr("myst disconnect opens"));
    EXPECT_THAT(result.out, Not(HasSubstr("Disconnected")));
}

TEST(Connect, AnAttemptThatEndsBlockedIsNotConnected) {
    const Daemon daemon;
    daemon.node.script_connection(
        {in_state(ConnectionState::connecting, "asking"),
         in_state(ConnectionState::blocked, "myst disconnect opens", "no provider answered")});
    const auto result = daemon.myst({"connect"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, HasSubstr("no provider answered"));
}

TEST(Watch, WithoutAConnectionThereIsNothingToWatch) {
    const Daemon daemon;
    EXPECT_EQ(daemon.myst({"status", "--watch"}).exit_code, 3);
}

TEST(Watch, CtrlCEndsTheWatchAndKeepsTheConnection) {
    const Daemon daemon;
    daemon.node.script_connection({sample_connection()});
    Program program(daemon.with_globals({"connect", "--watch"}));
    program.wait_for("12.4 GiB left\n");
    program.wait_for("paid 0.0180");
    program.send_signal(SIGINT);
    const auto result = program.finish();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("Connected\n"));
    EXPECT_EQ(daemon.node.changes(), std::vector<std::string>{"connect"});
}

TEST(Watch, ATerminalShowsOneLineThatIsRewritten) {
    const Daemon daemon;
    daemon.node.script_connection({sample_connection(), sample_connection(), in_state(ConnectionState::disconnected)});
    Program program(daemon.with_globals({"status", "--watch"}), Program::Output::terminal);
    const auto result = program.finish();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith("\r61.2 MiB/s"));
    EXPECT_THAT(result.out, HasSubstr("GiB left\033[K\r61.2 MiB/s"));
}

TEST(Colour, IsForTerminalsThatWantIt) {
    const Daemon daemon;
    Program plain(daemon.with_globals({"status"}), Program::Output::terminal);
    EXPECT_THAT(plain.finish().out, StartsWith("\033[1;32mConnected\033[0m"));
    Program without(daemon.with_globals({"status"}), Program::Output::terminal, {"NO_COLOR=1"});
    EXPECT_THAT(without.finish().out, StartsWith("Connected"));
}

}  // namespace
}  // namespace myst::console
