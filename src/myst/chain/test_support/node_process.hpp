// For integration tests: a real Ethereum node as a child process, and the code of our contracts to deploy on it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "myst/base/bytes.hpp"

namespace myst::chain::testing {

/// A running node, which ends with this object or with the test program.
class NodeProcess {
public:
    /// Starts `program` and waits until it has said `sign`, which the host and port of its HTTP server follow.
    NodeProcess(const std::string& program, std::vector<std::string> arguments, std::string_view sign);
    ~NodeProcess();
    NodeProcess(const NodeProcess&) = delete;
    NodeProcess& operator=(const NodeProcess&) = delete;

    /// Empty if it did not start.
    [[nodiscard]] const std::string& url() const { return url_; }
    /// What it said until it was ready, or ended.
    [[nodiscard]] const std::string& output() const { return text_; }

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::thread drain_;  ///< empties `output_`
    std::string text_;
    std::string url_;
};

/// Why the compiled contracts cannot be used; none if they can.
[[nodiscard]] std::optional<std::string> contracts_missing();

/// Creation code of a compiled contract, followed by its constructor's arguments.
[[nodiscard]] Bytes creation_code(const std::string& contract, const Bytes& arguments);

}  // namespace myst::chain::testing
