#include "myst/sys/test_support/fault_relay.hpp"

#include <array>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <random>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>

#include "myst/base/bytes.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::sys::testing {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr std::size_t kLargestDatagram = 65'536;
constexpr unsigned kThousand = 1'000;
constexpr unsigned kMillion = 1'000'000;

std::size_t index(Way way) {
    return way == Way::forth ? 0 : 1;
}

std::mt19937_64 dice_of(std::uint64_t seed, std::uint64_t stream, Way way) {
    std::seed_seq mixed{seed, seed >> 32, stream, static_cast<std::uint64_t>(index(way))};
    return std::mt19937_64(mixed);
}

milliseconds up_to(milliseconds most, std::uint64_t number) {
    return milliseconds(number % (static_cast<std::uint64_t>(most.count()) + 1));
}

Bytes first_of(const Bytes& buffer, std::size_t size) {
    return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)};
}

template <class T>
void spawn(T& object, Task<> task) {
    asio::co_spawn(object.get_executor(), std::move(task), [](std::exception_ptr) {});
}

}  // namespace

// ---- datagrams -----------------------------------------------------------------------------------------------------

struct DatagramRelay::State {
    /// Somebody who has sent, and the socket that stands for him before the target.
    struct Client {
        udp::endpoint address;
        udp::socket upstream;
    };
    struct Parcel {
        std::shared_ptr<Client> client;
        Bytes content;
        MonotonicTime due{};
        bool twice = false;
    };
    /// All that goes one way.
    struct Path {
        Path(asio::io_context& context, std::uint64_t seed, Way way)
            : dice(dice_of(seed, 0, way)), changed(context.get_executor()) {}
        DatagramFaults faults;
        DatagramCounters counters;
        std::mt19937_64 dice;
        std::deque<Parcel> queue;
        std::optional<Parcel> held;  ///< until the next one has gone
        MonotonicTime last_due{};
        EventSignal changed;
    };

    State(asio::io_context& context, udp::endpoint to, std::uint64_t seed, const udp::endpoint& listen)
        : socket(context, listen),
          target(std::move(to)),
          paths{Path(context, seed, Way::forth), Path(context, seed, Way::back)} {}

    [[nodiscard]] Path& path(Way way) { return paths[index(way)]; }
    void stop();
    std::shared_ptr<Client> client_at(const std::shared_ptr<State>& self, const udp::endpoint& address);
    void take(Way way, std::shared_ptr<Client> client, Bytes content);
    void forward(Way way, const Parcel& parcel);

    SystemClock clock;
    udp::socket socket;
    udp::endpoint target;
    std::array<Path, 2> paths;
    std::map<udp::endpoint, std::shared_ptr<Client>> clients;
    bool stopped = false;
};

namespace {

/// Reads what clients send, or the target answers to one of them.
template <class State>
Task<> receive_forth(std::shared_ptr<State> state) {
    Bytes buffer(kLargestDatagram);
    udp::endpoint from;
    while (!state->stopped) {
        const auto [ec, size] = co_await state->socket.async_receive_from(asio::buffer(buffer), from, no_throw);
        if (ec) continue;
        auto client = state->client_at(state, from);
        state->take(Way::forth, std::move(client), first_of(buffer, size));
    }
}

template <class State, class Client>
Task<> receive_back(std::shared_ptr<State> state, std::shared_ptr<Client> client) {
    Bytes buffer(kLargestDatagram);
    while (!state->stopped) {
        const auto [ec, size] = co_await client->upstream.async_receive(asio::buffer(buffer), no_throw);
        if (ec) continue;
        state->take(Way::back, client, first_of(buffer, size));
    }
}

/// Sends what is due, in the order of the queue.
template <class State>
Task<> deliver(std::shared_ptr<State> state, Way way) {
    auto& path = state->path(way);
    while (!state->stopped) {
        if (path.queue.empty()) {
            co_await path.changed.wait();
            continue;
        }
        const auto left = path.queue.front().due - state->clock.now();
        if (left > left.zero()) {
            const auto pause = std::chrono::ceil<milliseconds>(left);
            std::ignore = co_await path.changed.wait(pause);
            continue;
        }
        state->forward(way, path.queue.front());
        path.queue.pop_front();
    }
}

}  // namespace

void DatagramRelay::State::stop() {
    stopped = true;
    boost::system::error_code ignored;
    socket.close(ignored);
    for (auto& [address, client] : clients) client->upstream.close(ignored);
    clients.clear();
    for (auto& path : paths) path.changed.notify();
}

std::shared_ptr<DatagramRelay::State::Client> DatagramRelay::State::client_at(const std::shared_ptr<State>& self,
                                                                              const udp::endpoint& address) {
    auto& client = clients[address];
    if (!client) {
        udp::socket upstream(socket.get_executor(), udp::endpoint(address.address(), 0));
        upstream.connect(target);
        client = std::make_shared<Client>(Client{address, std::move(upstream)});
        spawn(socket, receive_back(self, client));
    }
    return client;
}

/// Throws the same dice for every datagram, so that one chance does not change what the others hit.
void DatagramRelay::State::take(Way way, std::shared_ptr<Client> client, Bytes content) {
    auto& [faults, counters, dice, queue, held, last_due, changed] = path(way);
    const auto happens = [&dice = dice](unsigned chance) { return dice() % kThousand < chance; };
    const bool lost = happens(faults.loss);
    const bool flipped = happens(faults.bit_flip);
    const auto bit = dice();
    const bool twice = happens(faults.duplicate);
    const bool late = happens(faults.reorder);
    const auto jitter = up_to(faults.jitter, dice());
    ++counters.arrived;
    if (lost) {
        ++counters.lost;
        return;
    }
    if (flipped && !content.empty()) {
        ++counters.flipped;
        auto& byte = content[bit / 8 % content.size()];
        byte = static_cast<std::uint8_t>(byte ^ (1U << bit % 8));
    }
    if (twice) ++counters.duplicated;
    last_due = std::max(last_due, clock.now() + faults.delay + jitter);
    Parcel parcel{std::move(client), std::move(content), last_due, twice};
    if (late && !held) {
        ++counters.reordered;
        held = std::move(parcel);
        return;
    }
    queue.push_back(std::move(parcel));
    if (held) {
        queue.push_back(std::move(*held));
        held.reset();
    }
    changed.notify();
}

void DatagramRelay::State::forward(Way way, const Parcel& parcel) {
    boost::system::error_code ignored;  // a network does not tell, either
    const auto data = asio::buffer(parcel.content);
    for (int copies = parcel.twice ? 2 : 1; copies > 0; --copies) {
        if (way == Way::forth) {
            parcel.client->upstream.send(data, 0, ignored);
        } else {
            socket.send_to(data, parcel.client->address, 0, ignored);
        }
        ++path(way).counters.forwarded;
    }
}

DatagramRelay::DatagramRelay(asio::io_context& context, Endpoint target, std::uint64_t seed, Endpoint listen)
    : state_(std::make_shared<State>(context, std::move(target), seed, listen)) {
    spawn(context, receive_forth(state_));
    spawn(context, deliver(state_, Way::forth));
    spawn(context, deliver(state_, Way::back));
}

DatagramRelay::~DatagramRelay() {
    state_->stop();
}

DatagramRelay::Endpoint DatagramRelay::endpoint() const {
    return state_->socket.local_endpoint();
}

void DatagramRelay::set_faults(Way way, const DatagramFaults& faults) {
    state_->path(way).faults = faults;
}

const DatagramCounters& DatagramRelay::counters(Way way) const {
    return state_->path(way).counters;
}

// ---- streams -------------------------------------------------------------------------------------------------------

struct StreamRelay::State {
    /// One connection: the client's socket and the one to the target.
    struct Link {
        Link(tcp::socket accepted, std::uint64_t seed, std::uint64_t number)
            : client(std::move(accepted)),
              target(client.get_executor()),
              dice{dice_of(seed, number, Way::forth), dice_of(seed, number, Way::back)} {}
        void close() {
            boost::system::error_code ignored;
            client.close(ignored);
            target.close(ignored);
        }
        tcp::socket client;
        tcp::socket target;
        std::array<std::mt19937_64, 2> dice;
        std::array<std::uint64_t, 2> passed{};
        int open_ways = 2;
    };

    State(asio::io_context& context, tcp::endpoint to, std::uint64_t chosen_seed, const tcp::endpoint& listen)
        : acceptor(context, listen),
          target(std::move(to)),
          seed(chosen_seed),
          pauses(dice_of(chosen_seed, 0, Way::forth)),
          changed(context, asio::steady_timer::time_point::max()) {}

    /// Bytes that may pass this way until the connection is cut.
    [[nodiscard]] std::uint64_t until_cut(const Link& link, Way way) const {
        const auto& cut_after = faults_of[index(way)].cut_after;
        if (!cut_after) return std::numeric_limits<std::uint64_t>::max();
        return *cut_after - std::min(*cut_after, link.passed[index(way)]);
    }
    /// Bytes of the next piece, at most; zero when the connection is to be cut.
    [[nodiscard]] std::size_t next_piece(const Link& link, Way way) const {
        return static_cast<std::size_t>(std::min<std::uint64_t>(faults_of[index(way)].piece, until_cut(link, way)));
    }
    /// A die for each byte: what is hit does not depend on how the stream is cut into pieces.
    void flip_bits(Link& link, Way way, std::span<std::uint8_t> piece) {
        const auto chance = faults_of[index(way)].bit_flips;
        if (chance == 0) return;
        auto& dice = link.dice[index(way)];
        for (auto& byte : piece) {
            if (dice() % kMillion >= chance) continue;
            byte = static_cast<std::uint8_t>(byte ^ (1U << dice() % 8));
            ++counters[index(way)].flipped;
        }
    }
    [[nodiscard]] milliseconds pause(Way way) {
        const auto& faults = faults_of[index(way)];
        return faults.delay + up_to(faults.jitter, pauses());
    }
    Task<> wait_while_black(Way way) {
        while (!stopped && faults_of[index(way)].black_hole) std::ignore = co_await changed.async_wait(no_throw);
    }
    void close_all() {
        for (const auto& link : links) link->close();
    }

    tcp::acceptor acceptor;
    tcp::endpoint target;
    std::uint64_t seed;
    std::mt19937_64 pauses;
    std::array<StreamFaults, 2> faults_of;
    std::array<StreamCounters, 2> counters;
    std::list<std::shared_ptr<Link>> links;
    std::size_t accepted = 0;
    asio::steady_timer changed;  ///< cancelled when faults change: wakes all who wait
    bool stopped = false;
};

namespace {

/// Passes on one direction until it ends or fails; false if the other direction has to end, too.
template <class State, class Link>
Task<bool> pass_on(std::shared_ptr<State> state, std::shared_ptr<Link> link, Way way) {
    auto& from = way == Way::forth ? link->client : link->target;
    auto& to = way == Way::forth ? link->target : link->client;
    auto& counters = state->counters[index(way)];
    Bytes buffer;
    for (;;) {
        const auto most = state->next_piece(*link, way);
        if (most == 0) {
            ++counters.cut;
            co_return false;
        }
        buffer.resize(most);
        const auto [read_error, size] = co_await from.async_read_some(asio::buffer(buffer), no_throw);
        if (read_error && read_error != asio::error::eof) co_return false;
        const auto pause = state->pause(way);
        if (pause > pause.zero()) co_await sleep_for(pause);
        co_await state->wait_while_black(way);
        if (read_error) break;
        // A cut may have been asked for meanwhile; what is beyond it is not passed on.
        const auto piece = std::span(buffer).first(std::min<std::uint64_t>(size, state->until_cut(*link, way)));
        state->flip_bits(*link, way, piece);
        const auto [write_error, written] =
            co_await asio::async_write(to, asio::buffer(piece.data(), piece.size()), no_throw);
        if (write_error) co_return false;
        ++counters.pieces;
        counters.bytes += written;
        link->passed[index(way)] += written;
    }
    boost::system::error_code ignored;
    to.shutdown(tcp::socket::shutdown_send, ignored);
    co_return true;
}

template <class State, class Link>
Task<> run_way(std::shared_ptr<State> state, std::shared_ptr<Link> link, Way way) {
    const bool orderly = co_await pass_on(state, link, way);
    --link->open_ways;
    if (!orderly || link->open_ways == 0) {
        link->close();
        state->links.remove(link);
    }
}

template <class State, class Link>
Task<> connect(std::shared_ptr<State> state, std::shared_ptr<Link> link) {
    co_await state->wait_while_black(Way::forth);
    boost::system::error_code failed;
    const auto client = link->client.remote_endpoint(failed);
    if (!failed) link->target.open(client.protocol(), failed);
    if (!failed) link->target.bind(tcp::endpoint(client.address(), 0), failed);
    if (!failed) {
        const auto [ec] = co_await link->target.async_connect(state->target, no_throw);
        failed = ec;
    }
    if (failed || state->stopped) {
        link->close();
        state->links.remove(link);
        co_return;
    }
    boost::system::error_code ignored;
    for (auto* socket : {&link->client, &link->target}) socket->set_option(tcp::no_delay(true), ignored);
    spawn(link->client, run_way(state, link, Way::forth));
    spawn(link->client, run_way(state, link, Way::back));
}

template <class State>
Task<> accept_all(std::shared_ptr<State> state) {
    while (!state->stopped) {
        auto [ec, socket] = co_await state->acceptor.async_accept(no_throw);
        if (ec) co_return;
        auto link = std::make_shared<typename State::Link>(std::move(socket), state->seed, ++state->accepted);
        state->links.push_back(link);
        spawn(state->acceptor, connect(state, std::move(link)));
    }
}

}  // namespace

StreamRelay::StreamRelay(asio::io_context& context, Endpoint target, std::uint64_t seed, Endpoint listen)
    : state_(std::make_shared<State>(context, std::move(target), seed, listen)) {
    spawn(context, accept_all(state_));
}

StreamRelay::~StreamRelay() {
    state_->stopped = true;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    cut();
    state_->changed.cancel();
}

StreamRelay::Endpoint StreamRelay::endpoint() const {
    return state_->acceptor.local_endpoint();
}

void StreamRelay::set_faults(Way way, const StreamFaults& faults) {
    state_->faults_of[index(way)] = faults;
    state_->changed.cancel();
}

void StreamRelay::cut() {
    state_->close_all();
}

const StreamCounters& StreamRelay::counters(Way way) const {
    return state_->counters[index(way)];
}

std::size_t StreamRelay::connections() const {
    return state_->accepted;
}

}  // namespace myst::sys::testing
