// How fast a relay, ours or another, takes records, finds them and hands them out: `bench_relay URL RECORDS` prints a
// JSON object. The relay is empty before, and another process; relay.py starts it.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <span>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "db_workload.hpp"
#include "measure.hpp"
#include "myst/base/amount.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/db/relay_message.hpp"
#include "myst/db/web_socket.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"

namespace {

using namespace myst;
using namespace myst::bench;
using SteadyClock = std::chrono::steady_clock;
using Socket = std::unique_ptr<db::WebSocket>;

constexpr std::size_t kAuthors = 16;  ///< connections that bring records at the same time
constexpr std::size_t kAtOnce = 16;   ///< records under way at a time, of each
constexpr std::size_t kQueries = 500;
constexpr std::size_t kFollowers = 64;    ///< connections with one subscription each
constexpr std::size_t kFollowed = 1'000;  ///< records, each of which all of them get
// Other relays end a connection that sends so many messages a minute; ours would only read more slowly.
constexpr std::size_t kRecordsOfConnection = 1'000;
constexpr std::size_t kQueriesOfConnection = 20;

double milliseconds_of(nanoseconds time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

[[noreturn]] void give_up(std::string_view what) {
    std::cerr << "bench_relay: " << what << '\n';
    std::exit(EXIT_FAILURE);
}

Task<Socket> dial(db::RelayUrl url) {
    auto connecting = db::connect_web_socket(std::move(url), {});
    auto socket = co_await std::move(connecting);
    if (!socket) give_up(socket.error().describe());
    co_return std::move(*socket);
}

Task<> say(db::WebSocket* socket, std::string text) {
    auto message = std::make_shared<const std::string>(std::move(text));
    const auto written = co_await socket->write(std::move(message));
    if (!written) give_up(written.error().describe());
}

Task<std::string> hear(db::WebSocket* socket) {
    auto text = co_await socket->read();
    if (!text) give_up(text.error().describe());
    co_return std::move(*text);
}

/// Records on their way to the relay, not more than `window` at a time.
struct Flow {
    std::size_t window;
    EventSignal moved;
    std::size_t sent = 0;
    std::size_t answered = 0;
};

using Texts = std::span<const std::string>;

Task<> send_all(db::WebSocket* socket, Texts texts, Flow* flow) {
    for (const auto& text : texts) {
        while (flow->sent - flow->answered >= flow->window) co_await flow->moved.wait();
        ++flow->sent;
        co_await say(socket, db::encode_event(text));
    }
}

Task<> hear_all(db::WebSocket* socket, std::size_t count, Flow* flow) {
    while (flow->answered < count) {
        const auto answer = co_await hear(socket);
        if (!answer.starts_with(R"(["OK",)") || answer.find(",true") == std::string::npos) give_up(answer);
        ++flow->answered;
        flow->moved.notify();
    }
}

Task<> publish_all(db::RelayUrl url, Texts texts, std::size_t window) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    while (!texts.empty()) {
        const auto some = texts.first(std::min(texts.size(), kRecordsOfConnection));
        texts = texts.subspan(some.size());
        const auto socket = co_await dial(url);
        Flow flow{window, EventSignal(executor)};
        TaskGroup both(executor);
        both.spawn("sender", send_all(socket.get(), some, &flow));
        both.spawn("listener", hear_all(socket.get(), some.size(), &flow));
        co_await both.join();
    }
}

Task<> publish_together(db::RelayUrl url, Texts texts) {
    TaskGroup group(co_await asio::this_coro::executor);
    const std::size_t share = texts.size() / kAuthors + 1;
    for (std::size_t at = 0; at < texts.size(); at += share) {
        group.spawn("author", publish_all(url, texts.subspan(at, std::min(share, texts.size() - at)), kAtOnce));
    }
    co_await group.join();
}

/// Asks, and reads to the end of what is stored; returns how many records came.
Task<std::size_t> request(db::WebSocket* socket, std::string name, codec::Filter filter) {
    std::vector<codec::Filter> filters{std::move(filter)};
    co_await say(socket, db::encode_req(name, filters));
    for (std::size_t records = 0;; ++records) {
        const auto text = co_await hear(socket);
        if (text.starts_with(R"(["EOSE")")) co_return records;
        if (!text.starts_with(R"(["EVENT")")) give_up(text);
    }
}

Task<> ask_all(db::RelayUrl url, std::vector<nanoseconds>& times) {
    Socket socket;
    for (std::size_t i = 0; i < kQueries; ++i) {
        if (i % kQueriesOfConnection == 0) socket = co_await dial(url);
        const auto start = SteadyClock::now();
        auto filter = question(i);
        const auto records = co_await request(socket.get(), "q", std::move(filter));
        times.push_back(SteadyClock::now() - start);
        if (records != kPageOfQuery) give_up("a query brought " + std::to_string(records) + " records");
        co_await say(socket.get(), db::encode_close("q"));
    }
    std::sort(times.begin(), times.end());
}

Task<> follow(db::WebSocket* socket, std::size_t count) {
    while (count > 0) {
        const auto text = co_await hear(socket);
        if (!text.starts_with(R"(["EVENT")")) give_up(text);
        --count;
    }
}

/// How long it takes until all followers have got all records.
Task<nanoseconds> fan_out(db::RelayUrl url, const std::vector<std::string>& texts) {
    std::vector<Socket> followers;
    for (std::size_t i = 0; i < kFollowers; ++i) {
        auto socket = co_await dial(url);
        codec::Filter filter;
        filter.kinds = {codec::kProposalKind};
        filter.limit = 1;
        std::ignore = co_await request(socket.get(), "live", std::move(filter));
        followers.push_back(std::move(socket));
    }
    TaskGroup group(co_await asio::this_coro::executor);
    const auto start = SteadyClock::now();
    for (const auto& socket : followers) group.spawn("follower", follow(socket.get(), texts.size()));
    group.spawn("author", publish_all(url, texts, kAtOnce));
    co_await group.join();
    co_return SteadyClock::now() - start;
}

Task<> measure_all(db::RelayUrl url, std::size_t records, boost::json::object& figures) {
    const auto now = std::chrono::time_point_cast<seconds>(std::chrono::system_clock::now());
    const auto stored = proposals(records, now);
    const auto live = proposals(kFollowed, now, records);
    const auto start = SteadyClock::now();
    co_await publish_together(url, stored);
    figures["ingest_per_s"] = rate(records, SteadyClock::now() - start);
    std::vector<nanoseconds> times;
    co_await ask_all(url, times);
    figures["query_p50_ms"] = milliseconds_of(times[times.size() / 2]);
    figures["query_p99_ms"] = milliseconds_of(times[times.size() * 99 / 100]);
    const auto took = co_await fan_out(url, live);
    figures["fan_out_per_s"] = rate(kFollowers * kFollowed, took);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto records = arguments.size() == 2 ? parse_u64(arguments[1]).value_or(0) : 0;
    const auto url = db::RelayUrl::parse(arguments.empty() ? "" : arguments[0]);
    if (!url || records < kCountries * kPageOfQuery) {
        std::cerr << "usage: bench_relay URL RECORDS (4000 or more)\n";
        return EXIT_FAILURE;
    }
    asio::io_context context;
    boost::json::object figures;
    CHECK(run_task(context, measure_all(*url, records, figures)) == nullptr);
    std::cout << boost::json::serialize(figures) << '\n';
    return EXIT_SUCCESS;
}
