#include "myst/chain/test_support/node_process.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <boost/json/parse.hpp>

#include "myst/base/check.hpp"

namespace myst::chain::testing {
namespace {

const std::string kContracts = MYST_SOURCE_DIR "/contracts/";

std::string artifact(const std::string& contract) {
    return kContracts + "out/" + contract + ".sol/" + contract + ".json";
}

/// Nodes report calls and blocks, and would stop at a full pipe.
void discard_output(int output) {
    std::array<char, 4096> chunk{};
    while (::read(output, chunk.data(), chunk.size()) > 0) {
    }
}

}  // namespace

NodeProcess::NodeProcess(const std::string& program, std::vector<std::string> arguments, std::string_view sign) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (auto& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    std::array<int, 2> pipe{};
    CHECK(::pipe(pipe.data()) == 0);
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(pipe[1], STDOUT_FILENO);
        ::dup2(pipe[1], STDERR_FILENO);
        ::close(pipe[0]);
        ::close(pipe[1]);
        ::execv(program.c_str(), argv.data());
        ::_exit(127);
    }
    ::close(pipe[1]);
    output_ = pipe[0];
    for (;;) {
        const auto found = text_.find(sign);
        const auto end = found == std::string::npos ? found : text_.find_first_of(" \n", found + sign.size());
        if (end != std::string::npos) {
            url_ = "http://" + text_.substr(found + sign.size(), end - found - sign.size());
            drain_ = std::thread(discard_output, output_);
            return;
        }
        std::array<char, 4096> chunk{};
        const auto size = ::read(output_, chunk.data(), chunk.size());
        if (size <= 0) return;
        text_.append(chunk.data(), static_cast<std::size_t>(size));
    }
}

NodeProcess::~NodeProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    if (drain_.joinable()) drain_.join();
    ::close(output_);
}

std::optional<std::string> contracts_missing() {
    for (const auto* contract : {"MystToken", "Lanes"}) {
        if (!std::filesystem::exists(artifact(contract)))
            return "the contracts are not compiled: run contracts/build.sh";
    }
    return std::nullopt;
}

Bytes creation_code(const std::string& contract, const Bytes& arguments) {
    std::ifstream file(artifact(contract));
    std::ostringstream text;
    text << file.rdbuf();
    const auto parsed = boost::json::parse(text.str());
    auto code = parse_hex(std::string_view(parsed.at("bytecode").at("object").as_string())).value();
    code.insert(code.end(), arguments.begin(), arguments.end());
    return code;
}

}  // namespace myst::chain::testing
