#include "myst/sys/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "myst/base/log.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::sys {
namespace {

constexpr std::size_t kMaxLine = 512;
constexpr std::size_t kMaxTail = 2048;
constexpr milliseconds kDestructorGrace{1000};

struct Pipe {
    Fd read;
    Fd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("create a pipe", errno);
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

/// Everything the child needs, prepared before fork: after it only async-signal-safe calls are allowed.
struct Plan {
    const char* program = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    int output = -1;
    int error_pipe = -1;
    int null = -1;
    pid_t parent = 0;
};

[[noreturn]] void give_up(int error_pipe) {
    const int error = errno;
    std::ignore = ::write(error_pipe, &error, sizeof(error));
    ::_exit(127);
}

[[noreturn]] void become(const Plan& plan) {
    constexpr int kErrorFd = 3;
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::setpgid(0, 0);
    // Out of the way of 0…3 first, in case our own descriptors have those numbers.
    const int output = ::fcntl(plan.output, F_DUPFD, 10);
    const int null = ::fcntl(plan.null, F_DUPFD, 10);
    const int error_pipe = ::fcntl(plan.error_pipe, F_DUPFD, 10);
    if (output < 0 || null < 0 || error_pipe < 0) give_up(plan.error_pipe);
    if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) give_up(error_pipe);
    if (::dup3(error_pipe, kErrorFd, O_CLOEXEC) < 0) give_up(error_pipe);
    if (::close_range(kErrorFd + 1, ~0U, 0) != 0) give_up(kErrorFd);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(kErrorFd);
    if (::getppid() != plan.parent) ::_exit(127);  // the parent died before prctl took effect
    ::execve(plan.program, plan.arguments, plan.environment);
    give_up(kErrorFd);
}

/// The errno with which the child failed before or in execve; 0 if the program runs.
int exec_error(int fd) {
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(fd, &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    return got == static_cast<ssize_t>(sizeof(error)) ? error : 0;
}

}  // namespace

struct ChildProcess::State {
    pid_t pid = -1;
    Fd pidfd;
    Fd output;
    std::string log_name;
    std::thread reader;
    mutable std::mutex mutex;  // guards tail, which the reader thread writes
    std::string tail;
    bool reaped = false;

    void keep(std::string line) {
        if (line.empty()) return;
        log::debug("{}: {}", log_name, line);
        const std::lock_guard lock(mutex);
        tail += line + "\n";
        if (tail.size() > kMaxTail) tail.erase(0, tail.size() - kMaxTail);
    }
    void read_output() {
        std::array<char, 1024> buffer{};
        std::string line;
        while (true) {
            const auto got = ::read(output.get(), buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
                if (c != '\n' && line.size() < kMaxLine) line += c;
                if (c == '\n') keep(std::exchange(line, {}));
            }
        }
        keep(line);
    }
    bool wait_for_end(milliseconds limit) const {
        pollfd entry{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
        return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
    }
    void reap() {
        if (std::exchange(reaped, true)) return;
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        if (reader.joinable()) reader.join();
    }
};

ChildProcess::ChildProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this != &other) {
        if (state_) stop(kDestructorGrace);
        state_ = std::move(other.state_);
    }
    return *this;
}

ChildProcess::~ChildProcess() {
    if (state_) stop(kDestructorGrace);
}

Result<ChildProcess> ChildProcess::start(const ChildSettings& settings) {
    if (!settings.program.starts_with('/')) {
        return fail(ErrorCode::invalid_argument, "program \"" + settings.program + "\" is not an absolute path");
    }
    auto output = make_pipe();
    if (!output) return forward_error(output);
    auto errors = make_pipe();
    if (!errors) return forward_error(errors);
    const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null.valid()) return fail_errno("open /dev/null", errno);
    std::vector<std::string> arguments{settings.program};
    arguments.insert(arguments.end(), settings.arguments.begin(), settings.arguments.end());
    const auto argument_list = pointers(arguments);
    const auto environment_list = pointers(settings.environment);
    const Plan plan{.program = settings.program.c_str(),
                    .arguments = argument_list.data(),
                    .environment = environment_list.data(),
                    .output = output->write.get(),
                    .error_pipe = errors->write.get(),
                    .null = null.get(),
                    .parent = ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("start " + settings.program, errno);
    if (pid == 0) become(plan);
    output->write.reset();
    errors->write.reset();
    auto state = std::make_unique<State>();
    state->pid = pid;
    state->pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (const int error = exec_error(errors->read.get()); error != 0) {
        state->reap();
        return fail_errno("start " + settings.program, error);
    }
    state->log_name = settings.log_name;
    state->output = std::move(output->read);
    state->reader = std::thread([raw = state.get()] { raw->read_output(); });
    return ChildProcess(std::move(state));
}

pid_t ChildProcess::pid() const {
    return state_->pid;
}

bool ChildProcess::running() {
    return !wait_for_end(milliseconds(0));
}

bool ChildProcess::wait_for_end(milliseconds limit) {
    if (state_->reaped) return true;
    if (!state_->wait_for_end(limit)) return false;
    state_->reap();
    return true;
}

std::string ChildProcess::last_output() const {
    const std::lock_guard lock(state_->mutex);
    return state_->tail;
}

void ChildProcess::stop(milliseconds grace) {
    if (state_->reaped) return;
    ::kill(state_->pid, SIGTERM);
    if (!state_->wait_for_end(grace)) log::warn("{} did not end in {} ms, killing it", state_->log_name, grace.count());
    ::kill(-state_->pid, SIGKILL);  // the whole group, also what the program itself started
    state_->reap();
}

}  // namespace myst::sys
