#include "connection_watch.hpp"

#include <csignal>

#include <fmt/format.h>
#include <boost/asio/signal_set.hpp>

#include "format.hpp"
#include "myst/runtime/event_signal.hpp"
#include "reply_values.hpp"
#include "views.hpp"

namespace myst::console {
namespace {

constexpr milliseconds kFastPoll{50};
constexpr milliseconds kSlowPoll{250};
constexpr int kFastPolls = 40;
constexpr milliseconds kTerminalRefresh{500};
constexpr milliseconds kPlainRefresh{1000};

Task<Outcome<Reply>> poll(ApiClient& api) {
    std::string method = "GET";
    std::string path = "/v1/connection";
    std::string body;
    co_return co_await api.call(std::move(method), std::move(path), std::move(body));
}

Failure not_connected(const boost::json::value& connection) {
    auto reason = text_at(connection, "last_error");
    if (reason.empty()) reason = "not connected";
    auto cure = text_at(connection, "state") == "blocked" ? text_at(connection, "step") : std::string();
    return Failure{Exit::not_connected, Error{ErrorCode::unavailable, std::move(reason), std::move(cure)}};
}

/// Nothing more will come of itself.
bool is_over(const std::string& state) {
    return state == "disconnected" || state == "blocked";
}

void show(const std::string& line) {
    if (is_terminal()) {
        fmt::print("\r{}\033[K", line);
    } else {
        fmt::print("{}\n", line);
    }
    std::fflush(stdout);
}

void end_line() {
    if (is_terminal()) fmt::print("\n");
}

}  // namespace

Task<Outcome<Reply>> wait_connected(ApiClient& api) {
    std::string shown;
    for (int round = 0;; ++round) {
        auto reply = co_await poll(api);
        if (!reply) co_return reply;
        const auto state = text_at(reply->body, "state");
        if (state == "connected") co_return reply;
        if (is_over(state)) co_return tl::unexpected<Failure>(not_connected(reply->body));
        auto step = text_at(reply->body, "step");
        if (!step.empty() && step != shown) {
            fmt::print(stderr, "{}\n", step);
            shown = std::move(step);
        }
        co_await sleep_for(round < kFastPolls ? kFastPoll : kSlowPoll);
    }
}

Task<Outcome<>> watch_connection(ApiClient& api) {
    const auto executor = co_await asio::this_coro::executor;
    const auto interrupted = std::make_shared<EventSignal>(executor);
    asio::signal_set signals(executor, SIGINT, SIGTERM);
    signals.async_wait([interrupted](const boost::system::error_code& ec, int) {
        if (!ec) interrupted->notify();
    });
    bool was_connected = false;
    while (true) {
        auto reply = co_await poll(api);
        if (!reply) {
            if (was_connected) end_line();
            co_return tl::unexpected<Failure>(std::move(reply).error());
        }
        const auto state = text_at(reply->body, "state");
        if (is_over(state)) {
            if (was_connected) end_line();
            const bool as_asked =
                was_connected && state == "disconnected" && text_at(reply->body, "last_error").empty();
            if (!as_asked) co_return tl::unexpected<Failure>(not_connected(reply->body));
            fmt::print("Disconnected\n");
            co_return Outcome<>{};
        }
        was_connected = true;
        show(watch_line(reply->body));
        if (co_await interrupted->wait(is_terminal() ? kTerminalRefresh : kPlainRefresh)) {
            end_line();
            co_return Outcome<>{};
        }
    }
}

}  // namespace myst::console
