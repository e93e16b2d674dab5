// Publishes and watches at many nodes: `bench_network URL…`. Commands come line by line on standard input as JSON;
// each is answered by one line on standard output, see conductor.hpp. Ends with its input.
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>

#include "conductor.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/runtime/run_task.hpp"

namespace {

using namespace myst;
using namespace myst::bench;
namespace json = boost::json;

Task<> serve(Conductor* conductor, asio::posix::stream_descriptor* input) {
    std::string waiting;
    for (;;) {
        const auto [ec, size] = co_await asio::async_read_until(*input, asio::dynamic_buffer(waiting), '\n', no_throw);
        if (ec) break;
        auto command = json::parse(std::string_view(waiting).substr(0, size)).as_object();
        waiting.erase(0, size);
        auto answer = co_await conductor->carry_out(std::move(command));
        std::cout << json::serialize(answer) << std::endl;
    }
    co_await conductor->join();
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<db::RelayUrl> nodes;
    for (int i = 1; i < argc; ++i) {
        auto url = db::RelayUrl::parse(argv[i]);
        if (!url) {
            std::cerr << url.error().describe() << '\n';
            return EXIT_FAILURE;
        }
        nodes.push_back(std::move(*url));
    }
    asio::io_context context;
    crypto::SystemRng rng;
    Conductor conductor(context.get_executor(), rng, std::move(nodes));
    asio::posix::stream_descriptor input(context, ::dup(STDIN_FILENO));
    const auto failure = run_task(context, serve(&conductor, &input));
    if (failure) std::rethrow_exception(failure);
    return EXIT_SUCCESS;
}
