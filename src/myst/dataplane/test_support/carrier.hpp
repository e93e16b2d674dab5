// One end of a tunnel for tests and benchmarks that look inside: an interface in a namespace, a socket on loopback, and
// the data path between them, turned by whoever owns it.
#pragma once

#include <poll.h>

#include <memory>
#include <string>
#include <utility>

#include "myst/base/check.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/dataplane/incoming.hpp"
#include "myst/dataplane/outgoing.hpp"
#include "myst/sys/netns.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::dataplane::test {

/// Counts what it is given to open.
class CountingAead final : public wireguard::Aead {
public:
    [[nodiscard]] std::string_view name() const override { return inner_->name(); }
    /// Of messages, their headers included.
    [[nodiscard]] std::uint64_t opened_bytes() const { return opened_bytes_; }

private:
    void seal_group(Group jobs) override {
        for (std::size_t i = 0; i < jobs.size(); ++i) copies_[i] = *jobs[i];
        inner_->seal_batch(std::span(copies_).first(jobs.size()));
    }
    void open_group(Group jobs) override {
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            opened_bytes_ += wireguard::kDataHeaderSize + jobs[i]->message.size();
            copies_[i] = *jobs[i];
        }
        inner_->open_batch(std::span(copies_).first(jobs.size()));
        for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i]->authentic = copies_[i].authentic;
    }

    std::unique_ptr<wireguard::Aead> inner_ = wireguard::make_aead();
    std::array<wireguard::AeadJob, kGroup> copies_;
    std::uint64_t opened_bytes_ = 0;
};

/// One thread.
class Carrier {
    template <class Work>
    auto with_links(Work work) const {
        using Outcome = std::invoke_result_t<Work&, sys::Netlink&, int>;
        return where_.run([&]() -> Outcome {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            auto link = links->link(tun_.name());
            if (!link) return forward_error(link);
            return work(*links, link->index);
        });
    }

public:
    static constexpr std::uint32_t kMtu = 1420;

    /// Makes the interface; throws what goes wrong. Without `coalesce` every packet is a write of its own.
    Carrier(const sys::NetworkNamespace& where, const std::string& name, wireguard::CoalesceSettings coalesce,
            std::unique_ptr<wireguard::Aead> aead = wireguard::make_aead())
        : where_(where),
          tun_(where.run([&] { return sys::TunDevice::create(name); }).value()),
          link_(UdpLink::open(0, {}).value()),
          aead_(std::move(aead)),
          device_(rng_),
          sealer_(*aead_, link_, memory_),
          outgoing_(device_, sealer_, memory_),
          incoming_(device_, *aead_, coalesce, memory_),
          key_(wireguard::make_private_key(rng_)) {
        sealer_.set_mtu(kMtu);
        restart();
    }

    /// Gives the interface its addresses, each of a /24, and brings it up.
    void set_up(const std::vector<std::string>& addresses) const {
        const auto done = with_links([&](sys::Netlink& links, int index) -> Result<> {
            for (const auto& address : addresses) {
                if (auto added = links.add_address(index, address, 24); !added) return added;
            }
            if (auto set = links.set_mtu(index, kMtu); !set) return set;
            return links.set_up(index);
        });
        CHECK(done);
    }
    /// Bytes of packets that the kernel took from here, headers of IP included.
    [[nodiscard]] std::uint64_t delivered_bytes() const {
        return with_links([](sys::Netlink& links, int index) { return links.stats(index); }).value().rx_bytes;
    }

    /// Ends all sessions.
    void restart() { device_.set_private_key(key_.clone(), now().steady); }
    /// From now on datagrams come from another port.
    void move() { link_ = UdpLink::open(0, {}).value(); }
    wireguard::PeerId introduce(const Carrier& other, const std::vector<std::string>& addresses) {
        const auto id = device_.add_peer(other.public_key()).value();
        for (const auto& address : addresses) {
            CHECK(device_.allowed_ips().insert(wireguard::IpPrefix::parse(address).value(), id));
        }
        device_.peer(id)->set_endpoint(other.where(), now(), actions_);
        carry_out();
        return id;
    }
    [[nodiscard]] wireguard::PeerId peer_of(const Carrier& other) const {
        return device_.find_peer(other.public_key()).value();
    }
    [[nodiscard]] wireguard::Device& device() { return device_; }
    [[nodiscard]] sys::TunDevice& tun() { return tun_; }

    /// As Tunnel does it. True: there may be more to do at once.
    bool turn() {
        bool more = receive();
        more |= send();
        auto& waiting = incoming_.handshakes();
        for (; !waiting.empty(); waiting.pop_front()) {
            std::ignore = device_.handle_handshake(waiting.front().bytes, waiting.front().from, now(), actions_);
            carry_out();
        }
        device_.advance(now(), actions_);
        carry_out();
        return more;
    }
    bool receive() {
        const bool more = incoming_.pump(link_, tun_, now(), actions_);
        carry_out();
        return more;
    }
    bool send() {
        const bool more = outgoing_.pump(tun_, now(), actions_);
        carry_out();
        return more;
    }
    /// What to poll before the next turn.
    [[nodiscard]] std::array<pollfd, 2> descriptors() const {
        return {pollfd{tun_.fd(), POLLIN, 0}, pollfd{link_.descriptors()[0], POLLIN, 0}};
    }

private:
    static wireguard::Now now() {
        return {std::chrono::steady_clock::now(),
                std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now())};
    }
    [[nodiscard]] TunnelKey public_key() const { return wireguard::public_key_of(key_); }
    [[nodiscard]] wireguard::Endpoint where() const {
        return {wireguard::IpAddress::parse("127.0.0.1").value(), link_.port()};
    }
    void carry_out() {
        for (auto& action : std::exchange(actions_, {})) {
            if (auto* datagram = std::get_if<wireguard::SendDatagram>(&action)) {
                const auto message = message_to(datagram->to, datagram->bytes);
                link_.send({&message, 1});
                continue;
            }
            const auto& batch = std::get<wireguard::SealAndSend>(action);
            for (const auto& packet : batch.packets) {
                const auto counter = batch.keypair->take_counters(1);
                CHECK(counter.has_value());
                const auto room = sealer_.add(*batch.keypair, *counter, batch.to, packet.size());
                std::copy(packet.begin(), packet.end(), room.begin());
                sealer_.flush();
            }
        }
    }

    sys::NetworkNamespace where_;
    crypto::SystemRng rng_;
    sys::TunDevice tun_;
    UdpLink link_;
    std::unique_ptr<wireguard::Aead> aead_;
    wireguard::Device device_;
    sys::PacketMemory memory_{Sealer::kMemory + Outgoing::kMemory + Incoming::kMemory + 3 * std::size_t{64}};
    Sealer sealer_;
    Outgoing outgoing_;
    Incoming incoming_;
    Secret<32> key_;
    wireguard::Actions actions_;
};

}  // namespace myst::dataplane::test
