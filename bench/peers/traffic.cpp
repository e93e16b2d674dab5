#include "traffic.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>

#include "crowd.hpp"
#include "myst/base/check.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/dataplane/tunnel.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"

namespace myst::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint16_t kPort = 51'820;       ///< of the tunnel
constexpr std::uint16_t kInnerPort = 40'000;  ///< of datagrams inside, either way
constexpr std::size_t kWindow = 64;           ///< handshakes under way; fewer than make a device busy
constexpr std::size_t kEnough = 1'000;        ///< handshakes for a figure
constexpr std::size_t kBatch = 256;           ///< packets under way; no queue loses any
constexpr std::size_t kBatches = 60;
constexpr std::size_t kPayload = 64;
constexpr std::size_t kPacket = kPayload + 28;
constexpr int kPatienceMs = 60'000;
constexpr std::array<std::uint8_t, 4> kLoopback{127, 0, 0, 1};

wireguard::Now now() {
    return {std::chrono::steady_clock::now(),
            std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now())};
}

/// A tunnel and the thread that carries it, in the caller's namespace.
class RunningTunnel {
public:
    explicit RunningTunnel(wireguard::SetRequest settings) {
        stop_.reset(::eventfd(0, EFD_CLOEXEC));
        tunnel_ = dataplane::Tunnel::create({"peers0", {}, ""}, rng_).value();
        CHECK(tunnel_->set(std::move(settings)));
        thread_ = std::thread([this] { CHECK(tunnel_->run(stop_.get(), [] { return false; })); });
    }
    RunningTunnel(const RunningTunnel&) = delete;
    RunningTunnel& operator=(const RunningTunnel&) = delete;
    ~RunningTunnel() {
        const std::uint64_t one = 1;
        CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
        thread_.join();
    }

    [[nodiscard]] nanoseconds processor_time() {
        clockid_t clock{};
        timespec used{};
        CHECK(::pthread_getcpuclockid(thread_.native_handle(), &clock) == 0);
        CHECK(::clock_gettime(clock, &used) == 0);
        return seconds(used.tv_sec) + nanoseconds(used.tv_nsec);
    }

private:
    crypto::SystemRng rng_;
    sys::Fd stop_;
    std::unique_ptr<dataplane::Tunnel> tunnel_;
    std::thread thread_;
};

/// Datagrams that are sent and awaited many at a time.
class Datagrams {
public:
    explicit Datagrams(std::uint16_t port)
        : socket_(sys::UdpSocket::open(sys::IpFamily::v4, port, one_by_one()).value()) {}

    void send(std::span<sys::UdpMessage> messages) {
        while (!messages.empty()) {
            const auto some = messages.first(std::min(messages.size(), sys::UdpSocket::kMaxMessages));
            CHECK(socket_.send(some));
            messages = messages.subspan(some.size());
        }
    }
    /// Calls `take` with each of `count` datagrams, however long they take to come, within reason.
    template <class Take>
    void await(std::size_t count, Take take) {
        while (count > 0) {
            for (std::size_t i = 0; i < slots_.size(); ++i)
                slots_[i] = {{}, std::span(memory_).subspan(i * kSlot, kSlot), 0};
            const auto got = socket_.receive(slots_).value();
            if (got == 0) {
                pollfd wait{socket_.fd(), POLLIN, 0};
                CHECK(::poll(&wait, 1, kPatienceMs) == 1);
            }
            CHECK(got <= count);
            for (std::size_t i = 0; i < got; ++i) take(slots_[i].bytes);
            count -= got;
        }
    }

private:
    static constexpr std::size_t kSlot = 2'048;
    static sys::UdpOptions one_by_one() {
        sys::UdpOptions options;
        options.segment_out = false;
        options.segment_in = false;
        return options;
    }
    sys::UdpSocket socket_;
    Bytes memory_ = Bytes(sys::UdpSocket::kMaxMessages * kSlot);
    std::array<sys::UdpMessage, sys::UdpSocket::kMaxMessages> slots_{};
};

class ManyFlows {
public:
    explicit ManyFlows(std::size_t peers)
        : crowd_(peers, wireguard::public_key_of(key_), rng_), tunnel_(settings()), inside_(kInnerPort) {
        auto links = sys::Netlink::open().value();
        const auto interface = links.link("peers0").value();
        CHECK(links.add_address(interface.index, kOwn.to_string(), 8));  // the members' addresses are within it
        CHECK(links.set_up(interface.index));
    }

    [[nodiscard]] boost::json::object run() {
        boost::json::object figures;
        const auto handshakes = per_second(crowd_.size(), [this] { shake_hands(); });
        if (crowd_.size() >= kEnough) figures["tunnel_handshakes_per_s"] = handshakes;
        figures["tunnel_packets_in_per_s"] = per_second(kBatch * kBatches, [this] { send_in(); });
        figures["tunnel_packets_out_per_s"] = per_second(kBatch * kBatches, [this] { send_out(); });
        return figures;
    }

private:
    [[nodiscard]] wireguard::SetRequest settings() const {
        wireguard::SetRequest request;
        request.private_key = key_.clone();
        request.listen_port = kPort;
        for (std::size_t i = 0; i < crowd_.size(); ++i) {
            wireguard::PeerRequest peer;
            peer.key = crowd_.key(i);
            peer.allowed_ips.push_back({wireguard::IpPrefix::of(Crowd::address(i), 32)});
            request.peers.push_back(std::move(peer));
        }
        return request;
    }
    /// Operations per second of the tunnel's processor time.
    template <class Work>
    [[nodiscard]] double per_second(std::size_t operations, Work work) {
        const auto before = tunnel_.processor_time();
        work();
        const std::chrono::duration<double> used = tunnel_.processor_time() - before;
        return static_cast<double>(operations) / used.count();
    }

    void shake_hands() {
        std::size_t begun = 0;
        const auto begin = [&] {
            auto message = crowd_.initiation(begun++, now());
            send_out_there(message);
        };
        while (begun < std::min(kWindow, crowd_.size())) begin();
        outside_.await(crowd_.size(), [&](BytesView response) {
            confirm(crowd_.take_response(response));
            if (begun < crowd_.size()) begin();
        });
    }
    void confirm(std::size_t member) {
        std::array<std::uint8_t, wireguard::kKeepaliveSize> keepalive{};
        wireguard::AeadJob job = write_message(member, {}, keepalive);
        aead_->seal_batch({&job, 1});
        send_out_there(keepalive);
    }
    void send_out_there(std::span<std::uint8_t> message) {
        sys::UdpMessage one{{kLoopback, kPort}, message, 0};
        outside_.send({&one, 1});
    }
    /// Writes all but the encryption, which is left to do.
    [[nodiscard]] wireguard::AeadJob write_message(std::size_t member, BytesView packet,
                                                   std::span<std::uint8_t> message) {
        auto& session = crowd_.session(member);
        const auto header = wireguard::DataHeader{session.receiver, session.counter}.encode();
        std::copy(header.begin(), header.end(), message.begin());
        std::copy(packet.begin(), packet.end(), message.begin() + wireguard::kDataHeaderSize);
        return {&session.keys.send, session.counter++, message.subspan(wireguard::kDataHeaderSize)};
    }

    /// From a member each, through the tunnel, to a socket behind it.
    void send_in() {
        constexpr auto kSize = wireguard::sealed_size(kPacket);
        Bytes memory(kBatch * kSize);
        for (std::size_t batch = 0; batch < kBatches; ++batch) {
            std::vector<wireguard::AeadJob> jobs;
            std::vector<sys::UdpMessage> messages;
            std::fill(memory.begin(), memory.end(), std::uint8_t{0});
            for (std::size_t i = 0; i < kBatch; ++i) {
                const auto member = next_member();
                const auto message = std::span(memory).subspan(i * kSize, kSize);
                jobs.push_back(write_message(member, datagram_packet(Crowd::address(member), kOwn, kPacket), message));
                messages.push_back({{kLoopback, kPort}, message, 0});
            }
            aead_->seal_batch(jobs);
            outside_.send(messages);
            inside_.await(kBatch, [](BytesView payload) { CHECK(payload.size() == kPayload); });
        }
    }
    /// From a socket behind the tunnel to a member each.
    void send_out() {
        Bytes payload(kPayload);
        for (std::size_t batch = 0; batch < kBatches; ++batch) {
            std::vector<sys::UdpMessage> messages;
            for (std::size_t i = 0; i < kBatch; ++i)
                messages.push_back({{Crowd::address(next_member()).view(), kInnerPort}, payload, 0});
            inside_.send(messages);
            outside_.await(kBatch, [](BytesView message) {
                CHECK(wireguard::classify(message) == wireguard::MessageType::data);
                CHECK(message.size() == wireguard::sealed_size(kPacket));
            });
        }
    }
    [[nodiscard]] std::size_t next_member() {
        turn_ = turn_ + 1 < crowd_.size() ? turn_ + 1 : 0;
        return turn_;
    }

    inline static const wireguard::IpAddress kOwn = wireguard::IpAddress::parse("10.63.0.1").value();

    crypto::SystemRng rng_;
    Secret<32> key_ = wireguard::make_private_key(rng_);
    Crowd crowd_;
    RunningTunnel tunnel_;
    Datagrams inside_;
    Datagrams outside_{0};
    std::unique_ptr<wireguard::Aead> aead_ = wireguard::make_aead();
    std::size_t turn_ = 0;
};

Result<> set_up_loopback() {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto loopback = links->link("lo");
    if (!loopback) return forward_error(loopback);
    return links->set_up(loopback->index);
}

}  // namespace

Result<boost::json::object> measure_traffic(std::size_t peers) {
    auto where = sys::NetworkNamespace::create();
    if (!where) return forward_error(where);
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) return fail(ErrorCode::unavailable, "there is no /dev/net/tun");
    return where->run([peers]() -> Result<boost::json::object> {
        if (auto done = set_up_loopback(); !done) return forward_error(done);
        return std::make_unique<ManyFlows>(peers)->run();
    });
}

}  // namespace myst::bench
