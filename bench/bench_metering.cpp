// What a meter and gate add to the data path: `bench_metering RESULT.json` (docs/performance.md, "Metering"). Needs
// root and /dev/net/tun; everything happens in namespaces of its own.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "measure.hpp"
#include "myst/dataplane/test_support/carrier.hpp"
#include "myst/dataplane/test_support/inner_socket.hpp"
#include "results_file.hpp"

namespace {

using namespace myst;
using namespace myst::bench;
using dataplane::test::Carrier;

constexpr std::size_t kRounds = 6'000;
constexpr std::size_t kCalls = 2;     ///< of sendto for a batch
constexpr std::size_t kPerCall = 32;  ///< datagrams
constexpr std::size_t kPackets = kCalls * kPerCall;
constexpr std::uint32_t kPayer = 0x0a090001;  // 10.9.0.1
constexpr std::uint32_t kWorld = 0x0a090003;  // 10.9.0.3
constexpr std::uint16_t kPort = 7'000;
constexpr std::size_t kHeaders = 20 + 8;
constexpr std::size_t kFull = Carrier::kMtu;  ///< bytes of a packet
constexpr std::size_t kSmall = 64 + kHeaders;

/// A socket in a namespace that sends batches of equal datagrams. What it receives is lost when its buffer is full.
class Source {
public:
    Source(const sys::NetworkNamespace& where, std::uint32_t address)
        : socket_(
              where.run([]() -> Result<sys::Fd> { return sys::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); })
                  .value()) {
        const auto bound = dataplane::test::inner_socket_address(address, kPort);
        CHECK(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&bound), sizeof bound) == 0);
    }
    void send(std::uint32_t to, std::size_t size) const {
        const int segment = static_cast<int>(size);
        CHECK(::setsockopt(socket_.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0);
        const Bytes bytes(kPerCall * size, 0x5a);
        const auto address = dataplane::test::inner_socket_address(to, kPort);
        for (std::size_t i = 0; i < kCalls; ++i) {
            CHECK(::sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                           sizeof address) == static_cast<ssize_t>(bytes.size()));
        }
    }

private:
    sys::Fd socket_;
};

/// Processor time of two batches that differ in nothing but the meter.
struct Pair {
    std::int64_t without = 0;
    std::int64_t with = 0;
};

/// Medians over the rounds.
struct Figure {
    double batch_ns = 0;  ///< without a meter
    double fraction = 0;  ///< that a meter adds
    double low = 0;       ///< where the median fraction is at 90 %
    double high = 0;
    [[nodiscard]] boost::json::object json() const {
        return {{"batch_ns", batch_ns}, {"fraction", fraction}, {"interval", {low, high}}};
    }
};

Figure figure_of(const std::vector<Pair>& rounds) {
    std::vector<double> without;
    std::vector<double> added;
    for (const auto& pair : rounds) {
        without.push_back(static_cast<double>(pair.without));
        added.push_back(static_cast<double>(pair.with) / static_cast<double>(pair.without) - 1);
    }
    std::sort(without.begin(), without.end());
    std::sort(added.begin(), added.end());
    // As many values as this lie between the median of a sample and that of all.
    constexpr double kDeviations = 1.645;  // 90 % of a normal distribution
    const auto middle = rounds.size() / 2;
    const auto away = static_cast<std::size_t>(kDeviations * std::sqrt(static_cast<double>(rounds.size())) / 2);
    return {without[middle], added[middle], added[middle - away], added[middle + away]};
}

/// A payer and a provider; the provider's data path is measured.
class Bench {
public:
    Bench() {
        payer_.set_up({"10.9.0.1"});
        provider_.set_up({"10.9.0.2", "10.9.0.3"});
        up_.emplace(left_, kPayer);
        down_.emplace(right_, kWorld);
        payer_.introduce(provider_, {"10.9.0.2/32", "10.9.0.3/32"});
        peer_ = provider_.introduce(payer_, {"10.9.0.1/32"});
        meter_->set_allowance(wireguard::Meter::kMaxAllowance);
        up_->send(kWorld, 100);
        while (provider_.device().peer(peer_)->keypairs().current() == nullptr) turn();
        while (turn()) continue;
    }
    /// One batch each way with a meter and one without, which of them first by turns. `size`: of an inner packet.
    void play_round(std::size_t size, Pair& received, Pair& sent) {
        turn();  // what the timers want
        first_ = !first_;
        for (const bool metered : {first_, !first_}) {
            provider_.device().set_meter(peer_, metered ? meter_ : nullptr);
            (metered ? received.with : received.without) = receive(size);
            (metered ? sent.with : sent.without) = send(size);
        }
    }
    [[nodiscard]] const wireguard::Meter& meter() const { return *meter_; }

private:
    bool turn() {
        const bool more = payer_.turn();
        return provider_.turn() || more;
    }
    template <class Work>
    static std::int64_t time_of(Work work) {
        const auto begin = processor_time();
        work();
        return (processor_time() - begin).count();
    }
    /// The kernel may deliver a part of a batch a moment later.
    static void receive_all(Carrier& to, const Carrier& from, std::size_t size) {
        const auto message = wireguard::kKeepaliveSize + std::min<std::size_t>((size + 15) / 16 * 16, Carrier::kMtu);
        auto& received = to.device().peer(to.peer_of(from))->counters().received_bytes;
        const auto wanted = received + kPackets * message;
        const auto deadline = std::chrono::steady_clock::now() + seconds(10);
        while (received < wanted) {
            if (!to.receive()) CHECK(std::chrono::steady_clock::now() < deadline);
        }
    }
    [[nodiscard]] std::int64_t receive(std::size_t size) {
        up_->send(kWorld, size - kHeaders);
        while (payer_.send()) continue;
        return time_of([&] { receive_all(provider_, payer_, size); });
    }
    [[nodiscard]] std::int64_t send(std::size_t size) {
        down_->send(kPayer, size - kHeaders);
        const auto time = time_of([&] {
            while (provider_.send()) continue;
        });
        receive_all(payer_, provider_, size);
        return time;
    }

    sys::NetworkNamespace left_ = sys::NetworkNamespace::create().value();
    sys::NetworkNamespace right_ = sys::NetworkNamespace::create().value();
    Carrier payer_{left_, "left", {}};
    Carrier provider_{right_, "right", {}};
    std::optional<Source> up_;
    std::optional<Source> down_;
    std::shared_ptr<wireguard::Meter> meter_ = std::make_shared<wireguard::Meter>(
        wireguard::MeterSettings{wireguard::IpAddress::parse("10.9.0.2").value(), true});
    wireguard::PeerId peer_{};
    bool first_ = false;  ///< whether the batch with a meter comes first
};

struct Figures {
    Figure received;
    Figure sent;
    Figure both;
};

Figures measure_batches(Bench& bench, std::size_t size) {
    const auto before = bench.meter().read();
    std::vector<Pair> received(kRounds);
    std::vector<Pair> sent(kRounds);
    std::vector<Pair> both;
    for (std::size_t i = 0; i < kRounds; ++i) {
        bench.play_round(size, received[i], sent[i]);
        both.push_back({received[i].without + sent[i].without, received[i].with + sent[i].with});
    }
    const auto after = bench.meter().read();
    CHECK(after.received.bytes - before.received.bytes == kRounds * kPackets * size);
    CHECK(after.sent.bytes - before.sent.bytes == kRounds * kPackets * size);
    return {figure_of(received), figure_of(sent), figure_of(both)};
}

Result<> run(const std::string& result) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto loopback = links->link("lo");
    if (!loopback) return forward_error(loopback);
    if (auto done = links->set_up(loopback->index); !done) return done;
    pin_to_one_processor();
    Bench bench;
    boost::json::object saved;
    std::cout << fmt::format("| {:<30} | {:>10} | {:>10} | {:>20} |\n|---|---|---|---|\n",
                             fmt::format("batch of {} packets", kPackets), "without, µs", "added, %", "at 90 %");
    for (const auto size : {kFull, kSmall}) {
        const auto figures = measure_batches(bench, size);
        for (const auto& [name, figure] : {std::pair("received", figures.received), std::pair("sent", figures.sent),
                                           std::pair("both ways", figures.both)}) {
            const auto what = fmt::format("{}, {} bytes", name, size);
            std::cout << fmt::format("| {:<30} | {:>10.1f} | {:>10.2f} | {:>20} |\n", what, figure.batch_ns / 1e3,
                                     figure.fraction * 100,
                                     fmt::format("{:.2f} to {:.2f}", figure.low * 100, figure.high * 100));
        }
        const boost::json::object object{
            {"received", figures.received.json()}, {"sent", figures.sent.json()}, {"both", figures.both.json()}};
        saved[std::to_string(size)] = object;
        if (size == kFull) save_figures(result, {{"metering_cost_fraction", figures.both.fraction}});
    }
    save_figures(result, {{"metering", saved}});
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bench_metering RESULT.json\n";
        return EXIT_FAILURE;
    }
    auto where = sys::NetworkNamespace::create();
    if (!where) {
        std::cerr << where.error().describe() << '\n';
        return EXIT_FAILURE;
    }
    const auto done = where->run([&] { return run(argv[1]); });
    if (!done) std::cerr << done.error().describe() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
