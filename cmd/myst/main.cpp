// The console: every verb is one or a few requests to the daemon's API.
#include <csignal>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "commands.hpp"
#include "format.hpp"
#include "myst/base/log.hpp"
#include "myst/base/printable.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::console {
namespace {

void report(const Options& options, const Failure& failure) {
    const auto& error = failure.error;
    if (options.json) {
        const boost::json::object body{
            {"v", 1},
            {"error",
             {{"code", boost::json::string(to_string(error.code))}, {"message", error.message}, {"cure", error.cure}}}};
        fmt::print("{}\n", boost::json::serialize(body));
        return;
    }
    fmt::print(stderr, "myst: {}\n", printable(error.message));
    if (!error.cure.empty()) fmt::print(stderr, "    {}\n", printable(error.cure));
}

Task<> run_into(Options options, Exit& exit) {
    const Options for_report = options;
    auto done = co_await run_command(std::move(options));
    if (!done) report(for_report, done.error());
    exit = done ? Exit::ok : done.error().exit;
}

Exit run(Options options) {
    auto exit = Exit::failure;
    asio::io_context context;
    TaskGroup group(context.get_executor());
    group.spawn("command", run_into(std::move(options), exit));
    context.run();
    return exit;
}

int main_of(int argc, const char* const* argv) {
    // The reader of a pipe may leave early ("| head"); then the program ends quietly.
    std::signal(SIGPIPE, SIG_DFL);
    log::set_level(log::Level::error);
    auto options = parse_options(argc, argv);
    if (!options) return static_cast<int>(options.error());
    if (!*options) return static_cast<int>(Exit::ok);
    return static_cast<int>(run(std::move(**options)));
}

}  // namespace
}  // namespace myst::console

int main(int argc, char** argv) {
    try {
        return myst::console::main_of(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "myst: {}\n", error.what());
        return static_cast<int>(myst::console::Exit::failure);
    }
}
