#include "fan_out.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <sstream>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>

#include <fmt/format.h>

#include "db_workload.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/sqlite_record_store.hpp"
#include "myst/db/web_socket.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::bench {
namespace {

constexpr std::size_t kSubscribers = 10'000;
constexpr std::size_t kUpdatesPerSecond = 100;
constexpr std::size_t kUpdates = 1'000;
constexpr std::size_t kConnecting = 64;   ///< connections that are made at a time
constexpr std::size_t kSpareFiles = 200;  ///< open files beside the connections
constexpr std::string_view kTimeBegin = R"(name\":\")";

std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

/// How many connections this program and its child may have open each.
std::size_t possible_subscribers() {
    rlimit files{};
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    return std::min<std::size_t>(kSubscribers, files.rlim_max - kSpareFiles);
}

/// The other process; its standard input and output are one socket.
class Child {
public:
    Child(asio::io_context& context, std::uint16_t port, std::size_t count) : socket(context) {
        std::array<int, 2> ends{};
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        const auto port_text = std::to_string(port);
        const auto count_text = std::to_string(count);
        pid_ = fork();
        CHECK(pid_ >= 0);
        if (pid_ == 0) {
            dup2(ends[1], STDIN_FILENO);
            dup2(ends[1], STDOUT_FILENO);
            execl("/proc/self/exe", "bench_db", "--subscribers", port_text.c_str(), count_text.c_str(), nullptr);
            _exit(EXIT_FAILURE);
        }
        ::close(ends[1]);
        socket.assign(asio::local::stream_protocol(), ends[0]);
    }
    ~Child() { waitpid(pid_, nullptr, 0); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// What the child says in one line.
    Task<std::string> line() {
        std::string text;
        const auto [error, size] = co_await asio::async_read_until(socket, asio::dynamic_buffer(text), '\n', no_throw);
        CHECK(!error);
        text.resize(size - 1);
        co_return text;
    }
    asio::local::stream_protocol::socket socket;

private:
    pid_t pid_ = -1;
};

/// One update every hundredth of a second, whatever the one before took.
Task<> send_updates(db::RecordHub& hub, const Clock& clock) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < kUpdates; ++i) {
        const auto due = start + i * nanoseconds(seconds(1)) / kUpdatesPerSecond;
        const auto wait = std::chrono::ceil<milliseconds>(due - std::chrono::steady_clock::now());
        if (wait.count() > 0) co_await sleep_for(wait);
        auto record = db::Record::verify_json(proposal(i, clock.unix_now(), std::to_string(now_ns())));
        CHECK(record);
        auto receipt = co_await hub.submit(std::move(*record));
        CHECK(receipt.fresh);
    }
}

Task<> serve_subscribers(asio::io_context& context, db::RecordHub& hub, db::RelayServer& server, const Clock& clock,
                         FanOut& result) {
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn("relay", server.run());
    const auto memory_before = resident_bytes();
    Child child(context, server.local_port(), result.subscribers);
    const auto ready = co_await child.line();
    CHECK(ready == "ready");
    CHECK(hub.followers() == result.subscribers);
    result.bytes_per_subscriber = (resident_bytes() - memory_before) / result.subscribers;
    const auto used_before = processor_time();
    const auto start = std::chrono::steady_clock::now();
    co_await send_updates(hub, clock);
    using Seconds = std::chrono::duration<double>;
    result.processor_share = Seconds(processor_time() - used_before) / (std::chrono::steady_clock::now() - start);
    co_await sleep_for(milliseconds(1'000));  // for what is still on its way
    child.socket.shutdown(asio::local::stream_protocol::socket::shutdown_send);
    std::istringstream told(co_await child.line());
    told >> result.deliveries >> result.p50_ms >> result.p99_ms;
    CHECK(told);
    group.cancel();
    co_await group.join();
}

std::vector<codec::Filter> interest(std::size_t number) {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {codec::kProposalKind};
    filters[0].tags['c'] = {country_of(number)};
    return filters;
}

/// One subscriber: notes how late each update is, until it is cancelled.
Task<> listen(db::RelayUrl url, std::size_t number, std::size_t& subscribed, std::vector<nanoseconds>& delays) {
    db::WebSocketSettings settings;
    settings.handshake_timeout = milliseconds(60'000);
    auto connecting = db::connect_web_socket(std::move(url), std::move(settings));
    auto socket = co_await std::move(connecting);
    CHECK(socket);
    auto request = std::make_shared<const std::string>(db::encode_req("live", interest(number)));
    auto written = co_await (*socket)->write(std::move(request));
    CHECK(written);
    auto stored = co_await (*socket)->read();
    CHECK(stored && stored->starts_with(R"(["EOSE")"));
    ++subscribed;
    for (;;) {
        const auto text = co_await (*socket)->read();
        CHECK(text);
        const auto at = text->find(kTimeBegin);
        CHECK(at != std::string::npos);
        std::int64_t sent = 0;
        std::from_chars(text->data() + at + kTimeBegin.size(), text->data() + text->size(), sent);
        delays.emplace_back(now_ns() - sent);
    }
}

Task<> listen_to_all(db::RelayUrl url, std::size_t count, std::vector<nanoseconds>& delays) {
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup group(executor);
    std::size_t subscribed = 0;
    for (std::size_t i = 0; i < count; ++i) {
        while (i >= subscribed + kConnecting) co_await sleep_for(milliseconds(1));
        group.spawn("subscriber", listen(url, i, subscribed, delays));
    }
    while (subscribed < count) co_await sleep_for(milliseconds(1));  // NOLINT(bugprone-infinite-loop): listen counts
    std::cout << "ready" << std::endl;  // NOLINT(performance-avoid-endl): the other side waits for it
    asio::posix::stream_descriptor input(executor, dup(STDIN_FILENO));
    std::array<char, 1> nothing{};
    std::ignore = co_await input.async_read_some(asio::buffer(nothing), no_throw);
    group.cancel();
    co_await group.join();
}

}  // namespace

FanOut measure_fan_out() {
    FanOut result;
    result.subscribers = possible_subscribers();
    result.updates_per_second = kUpdatesPerSecond;
    asio::io_context context;
    auto store = db::SqliteRecordStore::open({});
    CHECK(store);
    const SystemClock clock;
    db::RecordHub hub(**store, clock, {});
    WorkerPool workers(1);
    db::RelayServer::Settings settings;
    settings.address = "127.0.0.1";
    settings.port = 0;
    settings.limits.connections = result.subscribers;
    settings.limits.connections_per_ip = result.subscribers;
    auto server = db::RelayServer::open(context.get_executor(), hub, workers, clock, settings);
    CHECK(server);
    CHECK(run_task(context, serve_subscribers(context, hub, **server, clock, result)) == nullptr);
    return result;
}

int run_subscribers(std::uint16_t port, std::size_t count) {
    cpu_set_t all;
    CPU_ZERO(&all);
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF); ++i) CPU_SET(static_cast<std::size_t>(i), &all);
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
    const auto url = db::RelayUrl::parse(fmt::format("ws://127.0.0.1:{}", port));
    CHECK(url);
    std::vector<nanoseconds> delays;
    asio::io_context context;
    CHECK(run_task(context, listen_to_all(*url, count, delays)) == nullptr);
    CHECK(!delays.empty());
    std::sort(delays.begin(), delays.end());
    std::cout << fmt::format("{} {} {}\n", delays.size(), percentile_ms(delays, 50), percentile_ms(delays, 99));
    return EXIT_SUCCESS;
}

}  // namespace myst::bench
