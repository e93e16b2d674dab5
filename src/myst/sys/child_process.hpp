// Helper programs: started by absolute path with nothing inherited, stopped by process id.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/base/error.hpp"

namespace myst::sys {

struct ChildSettings {
    std::string program;                   ///< absolute path
    std::vector<std::string> arguments;    ///< without the program itself; everyone on the machine can read them
    std::vector<std::string> environment;  ///< "NAME=value"; the whole of it
    std::string log_name;                  ///< in front of its output in our log, at level debug
};

/// A running program in a process group of its own (so a terminal's Ctrl-C does not reach it before our orderly end),
/// with /dev/null as input and no descriptor of ours. The kernel kills it when the thread that started it ends, also
/// by SIGKILL of our process: start it from a thread that lives as long as the program shall.
class ChildProcess {
public:
    [[nodiscard]] static Result<ChildProcess> start(const ChildSettings& settings);

    ChildProcess(ChildProcess&&) noexcept;
    ChildProcess& operator=(ChildProcess&&) noexcept;
    /// Stops the program with a grace of one second.
    ~ChildProcess();

    [[nodiscard]] pid_t pid() const;
    /// False once it has ended; it is reaped then.
    [[nodiscard]] bool running();
    /// Waits for its end, at most `limit`; true once it has ended.
    [[nodiscard]] bool wait_for_end(milliseconds limit);
    /// The last lines it wrote, at most 2 KiB, for error messages.
    [[nodiscard]] std::string last_output() const;
    /// SIGTERM, and SIGKILL if it is still there after `grace`; returns when it is gone and reaped. Idempotent.
    void stop(milliseconds grace);

private:
    struct State;
    explicit ChildProcess(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace myst::sys
