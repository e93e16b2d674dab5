// Meters and gates in the data path, with the kernel's packets on both sides. Needs root and /dev/net/tun.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "myst/dataplane/test_support/engine.hpp"
#include "myst/dataplane/test_support/inner_socket.hpp"

namespace myst::dataplane {
namespace {

using test::Carrier;
using test::Engine;
using test::inner_socket_address;
using wireguard::Meter;
using wireguard::MeterReading;

constexpr timeval kPatience{30, 0};
constexpr std::uint32_t kPayer = 0x0a090001;   // 10.9.0.1
constexpr std::uint32_t kGarden = 0x0a090002;  // 10.9.0.2, the provider's own
constexpr std::uint32_t kWorld = 0x0a090003;   // 10.9.0.3
constexpr std::uint16_t kPort = 7'000;
constexpr std::size_t kUdpHeaders = 20 + 8;
constexpr std::size_t kFullDatagram = Carrier::kMtu - kUdpHeaders;
constexpr std::uint64_t kMiB = 1 << 20;

/// Full datagrams as fast as they go, many with each call, from several sockets.
class Flood {
public:
    struct Way {
        const sys::Fd& from;
        std::uint32_t to;
        /// Whether to wait, after so many bytes of packets. Interfaces lose what is too much.
        std::function<bool(std::uint64_t sent)> pause = [](std::uint64_t) { return false; };
    };
    explicit Flood(const std::vector<Way>& ways) {
        for (const auto& way : ways) threads_.emplace_back([this, way] { run(way); });
    }
    ~Flood() { stop(); }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;

    void stop() {
        enough_ = true;
        for (auto& thread : std::exchange(threads_, {})) thread.join();
    }

private:
    void run(const Way& way) const {
        const int segment = kFullDatagram;
        EXPECT_EQ(::setsockopt(way.from.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
        const Bytes bytes(kDatagrams * kFullDatagram, 0x5a);
        const auto address = inner_socket_address(way.to, kPort);
        std::uint64_t sent = 0;
        while (!enough_) {
            if (way.pause(sent)) {
                ::poll(nullptr, 0, 1);
                continue;
            }
            sent += kDatagrams * Carrier::kMtu;
            ::sendto(way.from.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address);
        }
    }

    static constexpr std::size_t kDatagrams = 40;  ///< of one call
    std::atomic<bool> enough_{false};
    std::vector<std::thread> threads_;
};

class MeteringTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto left = sys::NetworkNamespace::create();
        if (!left || ::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/net/tun";
        left_.emplace(*left);
        right_.emplace(sys::NetworkNamespace::create().value());
    }
    /// `coalesce`: whether the interfaces get joined packets; without, their statistics are exact.
    void connect(std::shared_ptr<Meter> payer, std::shared_ptr<Meter> provider, bool coalesce = true) {
        payer_meter_ = std::move(payer);
        provider_meter_ = std::move(provider);
        const wireguard::CoalesceSettings settings{coalesce, coalesce};
        payer_.emplace(*left_, "left", settings);
        auto aead = std::make_unique<test::CountingAead>();
        provider_aead_ = aead.get();
        provider_.emplace(*right_, "right", settings, std::move(aead));
        payer_->set_up({"10.9.0.1"});
        provider_->set_up({"10.9.0.2", "10.9.0.3"});
        payer_->device().set_meter(payer_->introduce(*provider_, {"10.9.0.2/32", "10.9.0.3/32"}), payer_meter_);
        provider_->device().set_meter(provider_->introduce(*payer_, {"10.9.0.1/32"}), provider_meter_);
        payer_engine_.emplace(*payer_);
        provider_engine_.emplace(*provider_);
    }
    /// Removes the provider's entry of the payer and adds it again.
    void replace_entry() {
        provider_engine_->change([&](Carrier& carrier) {
            carrier.device().remove_peer(carrier.peer_of(*payer_), std::chrono::steady_clock::now());
            carrier.device().set_meter(carrier.introduce(*payer_, {"10.9.0.1/32"}), provider_meter_);
        });
    }
    static std::shared_ptr<Meter> counter() { return std::make_shared<Meter>(wireguard::MeterSettings{{}, false}); }
    static std::shared_ptr<Meter> gate() {
        return std::make_shared<Meter>(wireguard::MeterSettings{wireguard::IpAddress::parse("10.9.0.2").value(), true});
    }

    /// Bound to the address, with patience.
    [[nodiscard]] sys::Fd socket(const sys::NetworkNamespace& where, int type, std::uint32_t address,
                                 std::uint16_t port) const {
        auto made = where.run([&]() -> Result<sys::Fd> { return sys::Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)); });
        const auto bound = inner_socket_address(address, port);
        EXPECT_EQ(::bind(made->get(), reinterpret_cast<const sockaddr*>(&bound), sizeof bound), 0);
        for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
            ::setsockopt(made->get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
        }
        return std::move(*made);
    }
    static bool send(const sys::Fd& from, std::uint32_t to, std::size_t size) {
        const Bytes bytes(size, 0x5a);
        const auto address = inner_socket_address(to, kPort);
        return ::sendto(from.get(), bytes.data(), size, 0, reinterpret_cast<const sockaddr*>(&address),
                        sizeof address) == static_cast<ssize_t>(size);
    }
    static ssize_t receive(const sys::Fd& from) {
        Bytes buffer(65'536);
        return ::recv(from.get(), buffer.data(), buffer.size(), 0);
    }
    static bool nothing_waits(const sys::Fd& socket) {
        std::uint8_t byte = 0;
        return ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) == -1;
    }
    template <class Condition>
    static bool eventually(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + seconds(kPatience.tv_sec);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            ::poll(nullptr, 0, 1);
        }
        return true;
    }

    std::optional<sys::NetworkNamespace> left_;
    std::optional<sys::NetworkNamespace> right_;
    std::shared_ptr<Meter> payer_meter_;
    std::shared_ptr<Meter> provider_meter_;
    std::optional<Carrier> payer_;
    std::optional<Carrier> provider_;
    const test::CountingAead* provider_aead_ = nullptr;  ///< the provider's
    std::optional<Engine> payer_engine_;
    std::optional<Engine> provider_engine_;
};

/// Inner bytes and packets of a UDP datagram, which may need fragments.
wireguard::PacketCount inner_size(std::size_t payload) {
    constexpr std::size_t kPerFragment = (Carrier::kMtu - 20) / 8 * 8;
    const std::size_t bytes = payload + 8;
    const std::size_t packets = (bytes + kPerFragment - 1) / kPerFragment;
    return {packets, bytes + packets * 20};
}

TEST_F(MeteringTest, BothEndsCountDatagramsExactlyOverNewKeysRoamingAndANewPeerEntry) {
    connect(counter(), counter());
    const auto payer = socket(*left_, SOCK_DGRAM, kPayer, kPort);
    const auto world = socket(*right_, SOCK_DGRAM, kWorld, kPort);
    wireguard::PacketCount up;
    wireguard::PacketCount down;
    const auto add = [](wireguard::PacketCount& sum, const wireguard::PacketCount& more) {
        sum.packets += more.packets;
        sum.bytes += more.bytes;
    };
    const auto check = [&](const char* when) {
        for (const auto& [reading, sent, received] :
             {std::tuple(payer_meter_->read(), up, down), std::tuple(provider_meter_->read(), down, up)}) {
            EXPECT_EQ(reading.sent.bytes, sent.bytes) << when;
            EXPECT_EQ(reading.sent.packets, sent.packets) << when;
            EXPECT_EQ(reading.received.bytes, received.bytes) << when;
            EXPECT_EQ(reading.received.packets, received.packets) << when;
            EXPECT_EQ(reading.refused.packets, 0U) << when;
        }
    };
    // One after the other, so that none is lost.
    const auto exchange = [&](const char* when) {
        for (const std::size_t size : {0U, 1U, 15U, 17U, 500U, 1'391U, 1'392U, 1'393U, 9'000U, 60'000U}) {
            ASSERT_TRUE(send(payer, kWorld, size));
            ASSERT_EQ(receive(world), static_cast<ssize_t>(size)) << when;
            add(up, inner_size(size));
            ASSERT_TRUE(send(world, kPayer, size + 3));
            ASSERT_EQ(receive(payer), static_cast<ssize_t>(size + 3)) << when;
            add(down, inner_size(size + 3));
        }
        check(when);
    };
    exchange("first session");
    // A peer takes another initiation only when some time has passed, and must be of a later step of the clock.
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(eventually([&] {
        return std::chrono::steady_clock::now() - begin > wireguard::kInitiationInterval + wireguard::kTimestampStep;
    }));
    payer_engine_->change([](Carrier& carrier) { carrier.restart(); });
    exchange("new keys");
    payer_engine_->change([](Carrier& carrier) { carrier.move(); });
    exchange("new address");
    replace_entry();
    ASSERT_TRUE(send(world, kPayer, 10));  // begins the new session
    ASSERT_EQ(receive(payer), 10);
    add(down, inner_size(10));
    exchange("new entry");
}

/// A connected pair of sockets, from the payer to an address of the provider's side.
struct Connection {
    sys::Fd client;
    sys::Fd server;
};

class StreamTest : public MeteringTest {
protected:
    [[nodiscard]] Connection connect_to(std::uint32_t address) const {
        const auto listener = socket(*right_, SOCK_STREAM, address, kPort);
        EXPECT_EQ(::listen(listener.get(), 1), 0);
        auto client = socket(*left_, SOCK_STREAM, kPayer, 0);
        const auto to = inner_socket_address(address, kPort);
        EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        sys::Fd server(::accept(listener.get(), nullptr, nullptr));
        EXPECT_TRUE(server.valid());
        for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
            ::setsockopt(server.get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
        }
        return {std::move(client), std::move(server)};
    }
    /// The same bytes on both sides, from a generator.
    static bool send_all(int fd, std::size_t size) {
        std::uint32_t state = 1;
        Bytes bytes(65'536);
        for (std::size_t at = 0; at < size;) {
            for (auto& byte : bytes) byte = next(state);
            for (std::size_t sent = 0; sent < bytes.size();) {
                const auto done = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
                if (done <= 0) return false;
                sent += static_cast<std::size_t>(done);
            }
            at += bytes.size();
        }
        return true;
    }
    static bool receive_all(int fd, std::size_t size) {
        std::uint32_t state = 1;
        Bytes bytes(65'536);
        for (std::size_t at = 0; at < size;) {
            const auto done = ::recv(fd, bytes.data(), bytes.size(), 0);
            if (done <= 0) return false;
            for (const auto byte : std::span(bytes).first(static_cast<std::size_t>(done))) {
                if (byte != next(state)) return false;
            }
            at += static_cast<std::size_t>(done);
        }
        return true;
    }

private:
    static std::uint8_t next(std::uint32_t& state) {
        state = state * 1'664'525 + 1'013'904'223;
        return static_cast<std::uint8_t>(state >> 24);
    }
};

tcp_info info_of(const sys::Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    EXPECT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info;
}

TEST_F(StreamTest, SuperPacketsAreChargedAsThePacketsThatTheyStandFor) {
    connect(counter(), counter());
    constexpr std::size_t kBytes = 16 * kMiB;
    constexpr std::size_t kHeaders = 20 + 32;   // with timestamps
    constexpr std::size_t kSyn = 20 + 20 + 20;  // with all options
    const auto stream = connect_to(kWorld);
    std::thread sender([&] { EXPECT_TRUE(send_all(stream.client.get(), kBytes)); });
    EXPECT_TRUE(receive_all(stream.server.get(), kBytes));
    sender.join();
    ASSERT_TRUE(eventually([&] { return info_of(stream.client).tcpi_bytes_acked == kBytes + 1; }));
    // The kernel's own count of what it sent, segments and payload, repeated ones included.
    const auto sent = info_of(stream.client);
    EXPECT_EQ(payer_meter_->read().sent.packets, sent.tcpi_segs_out);
    EXPECT_EQ(payer_meter_->read().sent.bytes, sent.tcpi_bytes_sent + (sent.tcpi_segs_out - 1) * kHeaders + kSyn);
    EXPECT_LE(provider_meter_->read().received.bytes, payer_meter_->read().sent.bytes);
    EXPECT_LE(payer_meter_->read().received.bytes, provider_meter_->read().sent.bytes);
    if (sent.tcpi_total_retrans == 0) {
        EXPECT_EQ(provider_meter_->read().received.bytes, payer_meter_->read().sent.bytes) << "nothing was lost";
    }
    // What the kernel was given as fewer packets, and the headers that this saved.
    EXPECT_GT(provider_meter_->read().joined_bytes, 0U);
    EXPECT_TRUE(eventually([&] {
        const auto reading = provider_meter_->read();
        return provider_->delivered_bytes() + reading.joined_bytes == reading.received.bytes;
    }));
}

TEST_F(StreamTest, ClosedGateLetsThePaymentStreamPassBesideAFloodAndNothingElse) {
    connect(counter(), gate());
    const auto payer = socket(*left_, SOCK_DGRAM, kPayer, kPort);
    const auto world = socket(*right_, SOCK_DGRAM, kWorld, kPort);
    const auto begin = std::chrono::steady_clock::now();
    constexpr std::uint64_t kDown = 200;
    for (std::uint64_t i = 0; i < kDown; ++i) ASSERT_TRUE(send(world, kPayer, 100));
    ASSERT_TRUE(eventually([&] { return provider_meter_->read().refused.packets == kDown; }));
    // As fast as the gate drops it, but no faster: nothing is to be lost on the way to the gate.
    const auto under_way = [&](std::uint64_t sent) { return sent > provider_meter_->read().refused.bytes + kMiB; };
    Flood flood({{payer, kWorld, under_way}});
    const auto stream = connect_to(kGarden);
    std::array<char, 200> frame{};
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(::send(stream.client.get(), frame.data(), frame.size(), 0), 200);
        ASSERT_EQ(::recv(stream.server.get(), frame.data(), frame.size(), MSG_WAITALL), 200);
        ASSERT_EQ(::send(stream.server.get(), frame.data(), frame.size(), 0), 200);
        ASSERT_EQ(::recv(stream.client.get(), frame.data(), frame.size(), MSG_WAITALL), 200);
    }
    // Until far more has come than may be opened at once.
    EXPECT_TRUE(eventually([&] { return provider_meter_->read().refused.bytes > 16 * kMiB; }));
    flood.stop();
    const auto opened = provider_engine_->change([&](Carrier&) { return provider_aead_->opened_bytes(); });
    const auto time = std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - begin).count();
    EXPECT_GT(opened, 0U);
    EXPECT_LE(opened, Meter::kGardenBurst + Meter::kGardenRate * static_cast<std::uint64_t>(time) / 1'000);
    EXPECT_TRUE(nothing_waits(world));
    EXPECT_TRUE(nothing_waits(payer));
    EXPECT_EQ(provider_meter_->read().passed_bytes(), 0U);
    // And when it is paid, it opens.
    provider_meter_->set_allowance(kMiB);
    EXPECT_TRUE(eventually([&] { return send(payer, kWorld, 5) && !nothing_waits(world); }));
}

TEST_F(StreamTest, NotAByteBeyondTheAllowancePassesAtLineRateAndLessThanAPacketIsLeft) {
    connect(nullptr, gate(), false);
    const auto payer = socket(*left_, SOCK_DGRAM, kPayer, kPort);
    const auto world = socket(*right_, SOCK_DGRAM, kWorld, kPort);
    Flood flood({{payer, kWorld}, {world, kPayer}});
    for (std::uint64_t allowance = kMiB; allowance <= 24 * kMiB; allowance += allowance < 4 * kMiB ? kMiB : 4 * kMiB) {
        // What changes under way makes no difference.
        if (allowance == 8 * kMiB) payer_engine_->change([](Carrier& carrier) { carrier.restart(); });
        if (allowance == 12 * kMiB) payer_engine_->change([](Carrier& carrier) { carrier.move(); });
        if (allowance == 16 * kMiB) replace_entry();
        provider_meter_->set_allowance(allowance);
        const bool used_up = eventually([&] {
            const auto passed = provider_meter_->read().passed_bytes();
            EXPECT_LE(passed, allowance);
            EXPECT_LE(provider_->delivered_bytes(), allowance);
            return passed + Carrier::kMtu > allowance;
        });
        EXPECT_TRUE(used_up) << allowance - provider_meter_->read().passed_bytes() << " left of " << allowance;
        if (!used_up) break;
        EXPECT_LE(provider_->delivered_bytes() + payer_->delivered_bytes(), allowance) << "what the kernels were given";
    }
    flood.stop();
    payer_engine_.reset();
    provider_engine_.reset();
    const auto reading = provider_meter_->read();
    EXPECT_EQ(provider_->delivered_bytes(), reading.received.bytes) << "none passes beside the meter";
    EXPECT_LE(payer_->delivered_bytes(), reading.sent.bytes);
    EXPECT_GT(reading.sent.bytes, 0U);
    EXPECT_GT(reading.received.bytes, 0U);
    EXPECT_GT(reading.refused.bytes, 0U);
}

TEST_F(StreamTest, AStreamStopsAtEveryAllowanceAndArrivesWhole) {
    connect(nullptr, gate(), false);
    constexpr std::size_t kBytes = 8 * kMiB;
    provider_meter_->set_allowance(10'000);
    const auto stream = connect_to(kWorld);
    std::atomic<bool> done{false};
    std::thread up([&] { EXPECT_TRUE(send_all(stream.client.get(), kBytes)); });
    std::thread receiver([&] {
        EXPECT_TRUE(receive_all(stream.server.get(), kBytes));
        done = true;
    });
    std::uint64_t allowance = 0;
    while (!done) {
        allowance += kMiB / 2;
        provider_meter_->set_allowance(allowance);
        const bool used_up = eventually([&] {
            EXPECT_LE(provider_->delivered_bytes() + payer_->delivered_bytes(), allowance);
            return done || provider_meter_->read().passed_bytes() + Carrier::kMtu > allowance;
        });
        EXPECT_TRUE(used_up);
        if (!used_up) break;
    }
    ::shutdown(stream.client.get(), SHUT_RDWR);
    up.join();
    receiver.join();
    EXPECT_TRUE(done);
    EXPECT_GE(provider_meter_->read().received.bytes, kBytes);
    EXPECT_LE(provider_meter_->read().passed_bytes(), allowance);
}

}  // namespace
}  // namespace myst::dataplane
