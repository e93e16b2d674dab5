#include "commands.hpp"

#include <fmt/format.h>

#include "all_pages.hpp"
#include "api_client.hpp"
#include "connection_watch.hpp"
#include "latency_progress.hpp"
#include "offer_watch.hpp"
#include "reply_values.hpp"
#include "request.hpp"
#include "views.hpp"

namespace myst::console {
namespace {

void print(const Options& options, const Reply& reply) {
    if (options.json) {
        fmt::print("{}\n", reply.text);
    } else {
        fmt::print("{}", view_of(options, reply.body));
    }
}

/// Ending a connection that does not exist has an exit code of its own.
Failure explain(const Options& options, Failure failure) {
    const auto code = failure.error.code;
    const bool was_none = code == ErrorCode::failed_precondition || code == ErrorCode::not_found;
    if (options.verb == Verb::disconnect && was_none) failure.exit = Exit::not_connected;
    return failure;
}

Task<Outcome<>> after_connect(const Options& options, ApiClient& api) {
    auto reply = co_await wait_connected(api);
    if (!reply) co_return tl::unexpected<Failure>(std::move(reply).error());
    if (options.json) {
        fmt::print("{}\n", reply->text);
    } else {
        fmt::print("{}", view_connected(reply->body));
    }
    std::fflush(stdout);
    if (options.watch) co_return co_await watch_connection(api);
    co_return Outcome<>{};
}

}  // namespace

Task<Outcome<>> run_command(Options options) {
    auto request = request_of(options);
    if (!request) co_return tl::unexpected<Failure>(std::move(request).error());
    auto api = ApiClient::open(options);
    if (!api) co_return tl::unexpected<Failure>(std::move(api).error());
    if (options.verb == Verb::status && options.watch) co_return co_await watch_connection(*api);
    if (options.verb == Verb::proposals && options.watch) co_return co_await watch_offers(options, *api);
    if (options.verb == Verb::proposals && needs_latency(options)) {
        auto measured = co_await measure_latency(options, *api);
        if (!measured) co_return measured;
    }
    if (options.verb == Verb::proposals && options.all) {
        auto all = co_await read_all_pages(options, *api);
        if (!all) co_return tl::unexpected<Failure>(std::move(all).error());
        print(options, *all);
        co_return Outcome<>{};
    }
    auto reply = co_await api->call(std::move(request->method), std::move(request->path), std::move(request->body),
                                    request->timeout);
    if (!reply) co_return tl::unexpected<Failure>(explain(options, std::move(reply).error()));
    if (options.verb == Verb::connect && !options.no_wait) co_return co_await after_connect(options, *api);
    print(options, *reply);
    co_return Outcome<>{};
}

}  // namespace myst::console
