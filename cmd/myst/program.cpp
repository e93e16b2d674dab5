#include "program.hpp"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "myst/base/check.hpp"

namespace myst::console::test_support {
namespace {

struct Ends {
    int ours = -1;
    int theirs = -1;
};

Ends make_pipe() {
    int fds[2] = {-1, -1};
    CHECK(::pipe2(fds, O_CLOEXEC) == 0);
    return {fds[0], fds[1]};
}

Ends make_terminal() {
    Ends ends;
    CHECK(::openpty(&ends.ours, &ends.theirs, nullptr, nullptr, nullptr) == 0);
    CHECK(::fcntl(ends.ours, F_SETFD, FD_CLOEXEC) == 0);
    return ends;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (auto& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

Program::Program(std::vector<std::string> arguments, Output output, std::vector<std::string> environment) {
    arguments.insert(arguments.begin(), MYST_BINARY);
    environment.emplace_back("PATH=/usr/bin:/bin");
    auto argv = pointers(arguments);
    auto envp = pointers(environment);
    const auto out = output == Output::terminal ? make_terminal() : make_pipe();
    const auto err = make_pipe();
    const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
        ::dup2(input, STDIN_FILENO);
        ::dup2(out.theirs, STDOUT_FILENO);
        ::dup2(err.theirs, STDERR_FILENO);
        ::execve(MYST_BINARY, argv.data(), envp.data());
        ::_exit(127);
    }
    ::close(input);
    ::close(out.theirs);
    ::close(err.theirs);
    out_ = out.ours;
    err_ = err.ours;
}

Program::~Program() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(err_);
}

/// False at the end of the output; a terminal reports that as an error.
bool Program::read_some() {
    char buffer[4096];
    const auto got = ::read(out_, buffer, sizeof buffer);
    if (got <= 0) return false;
    result_.out.append(buffer, static_cast<std::size_t>(got));
    return true;
}

void Program::wait_for(std::string_view text) {
    while (result_.out.find(text) == std::string::npos && read_some()) {
    }
}

void Program::send_signal(int number) const {
    CHECK(::kill(pid_, number) == 0);
}

ProgramResult Program::finish() {
    while (read_some()) {
    }
    char buffer[4096];
    for (auto got = ::read(err_, buffer, sizeof buffer); got > 0; got = ::read(err_, buffer, sizeof buffer)) {
        result_.err.append(buffer, static_cast<std::size_t>(got));
    }
    int status = 0;
    CHECK(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    return result_;
}

Daemon::Daemon() {
    std::ofstream(directory() + "/api-token") << api::test_support::kToken;
    std::ofstream(directory() + "/api-address") << server.url() << "\n";
}

std::vector<std::string> Daemon::with_globals(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--data-dir", directory()});
    return arguments;
}

ProgramResult Daemon::myst(std::vector<std::string> arguments) const {
    return Program(with_globals(std::move(arguments))).finish();
}

}  // namespace myst::console::test_support
