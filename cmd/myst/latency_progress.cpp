#include "latency_progress.hpp"

#include <fmt/format.h>

#include "format.hpp"
#include "reply_values.hpp"
#include "request.hpp"

namespace myst::console {
namespace {

/// More than it takes; what is measured first is forgotten after a while and would be measured for ever.
constexpr int kMostRounds = 8;

void show(const std::string& line) {
    fmt::print("\r{}\033[K", line);
    std::fflush(stdout);
}

}  // namespace

bool needs_latency(const Options& options) {
    return (options.sort == "latency" || options.max_latency) && options.cursor.empty();
}

Task<Outcome<>> measure_latency(Options options, ApiClient& api) {
    const bool shows = is_terminal() && !options.json;
    std::uint64_t done = 0;
    if (shows) show("Measuring latency");
    for (int round = 0; round < kMostRounds; ++round) {
        auto request = latency_request_of(options);
        if (!request) co_return tl::unexpected<Failure>(std::move(request).error());
        auto reply = co_await api.call(std::move(request->method), std::move(request->path), std::move(request->body),
                                       request->timeout);
        if (!reply && shows) show("");
        if (!reply) co_return tl::unexpected<Failure>(std::move(reply).error());
        const auto left = number_at(reply->body, "left");
        done += number_at(reply->body, "measured");
        if (left == 0) break;
        if (shows) show(fmt::format("Measuring latency: {} of {}", done, done + left));
    }
    if (shows) show("");
    co_return Outcome<>{};
}

}  // namespace myst::console
