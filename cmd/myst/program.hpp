// Runs the built console as users do: arguments in, text and exit code out. For tests.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "myst/api/test_support/running_server.hpp"
#include "myst/base/test_support/temporary_directory.hpp"

namespace myst::console::test_support {

struct ProgramResult {
    int exit_code = -1;
    std::string out;
    std::string err;
};

/// One running program. Its environment is PATH and what `environment` adds ("NAME=value").
class Program {
public:
    enum class Output { pipe, terminal };
    explicit Program(std::vector<std::string> arguments, Output output = Output::pipe,
                     std::vector<std::string> environment = {});
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Waits until the standard output holds `text`.
    void wait_for(std::string_view text);
    void send_signal(int number) const;
    /// Waits for the end.
    [[nodiscard]] ProgramResult finish();

private:
    bool read_some();

    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    ProgramResult result_;
};

/// A daemon's API with its two files in a directory of its own.
class Daemon {
public:
    Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Runs `myst --data-dir … arguments`.
    [[nodiscard]] ProgramResult myst(std::vector<std::string> arguments) const;
    /// The arguments with those that lead to this daemon in front.
    [[nodiscard]] std::vector<std::string> with_globals(std::vector<std::string> arguments) const;
    [[nodiscard]] const std::string& directory() const { return directory_.path(); }

    api::test_support::RunningServer server;
    api::test_support::FakeControl& node = server.node;

private:
    TemporaryDirectory directory_;
};

}  // namespace myst::console::test_support
