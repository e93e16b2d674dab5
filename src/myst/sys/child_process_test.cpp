#include "myst/sys/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

#include "myst/sys/fd.hpp"

namespace myst::sys {
namespace {

constexpr milliseconds kLong{10000};

ChildSettings shell(const std::string& script) {
    return {.program = "/bin/sh", .arguments = {"-c", script}, .environment = {"ONLY=this"}, .log_name = "test"};
}

/// What a script prints until it ends.
std::string output_of(const std::string& script) {
    auto child = ChildProcess::start(shell(script));
    if (!child) return child.error().describe();
    EXPECT_TRUE(child->wait_for_end(kLong));
    return child->last_output();
}

TEST(ChildProcess, RunsWithACleanEnvironmentAndNoDescriptorsOfOurs) {
    ::setenv("MYST_TEST_SECRET", "hunter2", 1);
    const Fd leak(::open("/dev/zero", O_RDONLY));  // on purpose without O_CLOEXEC
    ASSERT_TRUE(leak.valid());
    const auto environment = output_of("exec /usr/bin/env");
    EXPECT_NE(environment.find("ONLY=this"), std::string::npos);
    EXPECT_EQ(environment.find("MYST_TEST_SECRET"), std::string::npos);
    EXPECT_EQ(output_of("ls -l /proc/self/fd").find("/dev/zero"), std::string::npos);
    EXPECT_NE(output_of("readlink /proc/self/fd/0").find("/dev/null"), std::string::npos);
    ::unsetenv("MYST_TEST_SECRET");
}

TEST(ChildProcess, SaysWhyItCannotStart) {
    EXPECT_EQ(ChildProcess::start({.program = "sh", .arguments = {}, .environment = {}, .log_name = ""}).error().code,
              ErrorCode::invalid_argument);
    const auto missing =
        ChildProcess::start({.program = "/nonexistent/x", .arguments = {}, .environment = {}, .log_name = ""});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    EXPECT_NE(missing.error().message.find("/nonexistent/x"), std::string::npos);
}

TEST(ChildProcess, StopsThePoliteAndTheStubborn) {
    auto polite = ChildProcess::start(
        shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do read -r x < /dev/zero & wait; done"));
    ASSERT_TRUE(polite);
    while (polite->last_output().find("ready") == std::string::npos) std::this_thread::yield();
    EXPECT_TRUE(polite->running());
    const auto pid = polite->pid();
    polite->stop(kLong);
    EXPECT_FALSE(polite->running());
    EXPECT_EQ(::kill(pid, 0), -1) << "reaped";
    auto stubborn = ChildProcess::start(shell("trap '' TERM; echo ready; while :; do :; done"));
    ASSERT_TRUE(stubborn);
    while (stubborn->last_output().find("ready") == std::string::npos) std::this_thread::yield();
    stubborn->stop(milliseconds(50));
    EXPECT_FALSE(stubborn->running());
}

TEST(ChildProcess, KeepsOnlyTheEndOfALongOutput) {
    const auto text = output_of("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done");
    EXPECT_LE(text.size(), 2048U);
    EXPECT_NE(text.find("line 499"), std::string::npos);
    EXPECT_EQ(text.find("line 0\n"), std::string::npos);
}

TEST(ChildProcess, DiesWithTheThreadThatStartedIt) {
    Result<ChildProcess> child = fail(ErrorCode::internal, "not started");
    std::thread([&child] { child = ChildProcess::start(shell("while :; do :; done")); }).join();
    ASSERT_TRUE(child);
    EXPECT_TRUE(child->wait_for_end(kLong));
}

}  // namespace
}  // namespace myst::sys
