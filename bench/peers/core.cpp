#include "core.hpp"

#include <malloc.h>

#include <algorithm>
#include <memory>
#include <random>

#include "../measure.hpp"
#include "crowd.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/wireguard/aead/aead.hpp"
#include "myst/wireguard/device.hpp"

namespace myst::bench {
namespace {

using wireguard::AeadJob;

constexpr std::size_t kHandshakes = 2'000;  ///< at least
constexpr std::size_t kLookups = 100'000;
constexpr std::size_t kTurns = 101;
constexpr std::size_t kBatch = 64;  ///< packets of as many peers
constexpr std::size_t kGroup = 16;  ///< batches that are timed together
constexpr std::size_t kGroups = 31;
constexpr std::size_t kSmall = 92;  ///< 64 bytes of UDP
constexpr std::size_t kLarge = 1'420;

std::uint64_t heap_bytes() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

/// Processor time of work, in nanoseconds.
template <class Work>
std::uint64_t time_of(Work work) {
    const auto start = processor_time();
    work();
    return static_cast<std::uint64_t>((processor_time() - start).count());
}

double per_second(std::uint64_t ns) {
    return 1e9 / static_cast<double>(std::max<std::uint64_t>(ns, 1));
}

class ManyPeers {
public:
    explicit ManyPeers(std::size_t peers) : crowd_(peers, wireguard::public_key_of(key_), rng_), ids_(peers) {
        for (std::size_t i = 0; i < peers; ++i) order_.push_back(i);
        std::shuffle(order_.begin(), order_.end(), std::mt19937_64(1));
        answered_.reserve(2 * peers + kHandshakes);
        whole_.reserve(2 * peers + kHandshakes);
    }

    [[nodiscard]] boost::json::object run() {
        boost::json::object figures;
        measure_memory(figures);
        measure_handshakes(figures);
        measure_lookups(figures);
        measure_timers(figures);
        measure_packets(figures);
        return figures;
    }

private:
    void measure_memory(boost::json::object& figures) {
        const auto before = heap_bytes();
        add_peers();
        figures["bytes_per_peer"] = (heap_bytes() - before) / crowd_.size();
        shake_hands(crowd_.size());
        figures["bytes_per_peer_with_session"] = (heap_bytes() - before) / crowd_.size();
        shake_hands(crowd_.size());
        figures["bytes_per_peer_after_rekey"] = (heap_bytes() - before) / crowd_.size();
    }
    void measure_handshakes(boost::json::object& figures) {
        if (answered_.size() < kHandshakes) shake_hands(kHandshakes - answered_.size());
        figures["handshakes_answered_per_s"] = per_second(median(answered_));
        figures["whole_handshakes_per_s"] = per_second(median(whole_));
    }
    void measure_lookups(boost::json::object& figures) {
        std::vector<wireguard::IpAddress> addresses;
        std::vector<std::uint32_t> indexes;
        for (const auto member : order_) {
            addresses.push_back(Crowd::address(member));
            indexes.push_back(crowd_.session(member).receiver);
        }
        figures["allowed_ips_lookup_ns"] =
            lookup_ns([&](std::size_t i) { return device_->route(addresses[i]).has_value(); });
        figures["index_lookup_ns"] =
            lookup_ns([&](std::size_t i) { return device_->keypair_to_open(indexes[i], now_.steady) != nullptr; });
    }
    /// `find` says whether there was what it looked for, which it must be.
    template <class Find>
    [[nodiscard]] double lookup_ns(Find find) {
        std::vector<std::uint64_t> times;
        for (std::size_t i = 0; i < kRepetitions; ++i) {
            std::size_t found = 0;
            times.push_back(time_of([&] {
                for (std::size_t j = 0, at = 0; j < kLookups; ++j, at = at + 1 < order_.size() ? at + 1 : 0)
                    found += find(at) ? 1 : 0;
            }));
            CHECK(found == kLookups);
        }
        return static_cast<double>(median(times)) / kLookups;
    }
    void measure_timers(boost::json::object& figures) {
        std::vector<std::uint64_t> turns;
        std::vector<std::uint64_t> deadlines;
        for (std::size_t i = 0; i < kTurns; ++i) {
            turns.push_back(time_of([this] { device_->advance(now_, actions_); }));
            deadlines.push_back(time_of([this] { CHECK(device_->next_deadline()); }));
        }
        CHECK(actions_.empty());  // nothing was due
        figures["advance_ns"] = median(turns);
        figures["next_deadline_ns"] = median(deadlines);
    }
    void measure_packets(boost::json::object& figures) {
        for (const auto& [name, size] : {std::pair("small", kSmall), std::pair("large", kLarge)}) {
            std::vector<std::uint64_t> seal;
            std::vector<std::uint64_t> open;
            for (std::size_t i = 0; i < kGroups; ++i) {
                seal.push_back(seal_group(size) / (kGroup * kBatch));
                open.push_back(open_group(size) / (kGroup * kBatch));
            }
            figures[std::string(name) + "_packets_sealed_per_s"] = per_second(median(seal));
            figures[std::string(name) + "_packets_opened_per_s"] = per_second(median(open));
        }
    }

    void add_peers() {
        device_ = std::make_unique<wireguard::Device>(rng_);
        device_->set_private_key(key_.clone(), now_.steady);
        for (std::size_t i = 0; i < crowd_.size(); ++i) {
            ids_[i] = device_->add_peer(crowd_.key(i)).value();
            CHECK(device_->allowed_ips().insert(wireguard::IpPrefix::of(Crowd::address(i), 32), ids_[i]));
        }
    }
    /// Members begin in turn, and confirm with a keepalive; the times go to `answered_` and `whole_`.
    void shake_hands(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (i % crowd_.size() == 0) pass_time();
            const auto member = i % crowd_.size();
            std::array<std::uint8_t, wireguard::kInitiationSize> initiation{};
            Bytes response;
            const auto begin = time_of([&] { initiation = crowd_.initiation(member, now_); });
            const auto answer = time_of([&] {
                CHECK(device_->handle_handshake(initiation, where(member), now_, actions_));
                response = std::move(std::get<wireguard::SendDatagram>(actions_.front()).bytes);
                actions_.clear();
            });
            const auto finish = time_of([&] { crowd_.take_response(response); });
            const auto confirm = time_of([&] {
                const auto keypair = device_->keypair_to_open(crowd_.session(member).receiver, now_.steady);
                CHECK(keypair);
                device_->received(*keypair, {wireguard::kKeepaliveSize, false}, where(member), now_, actions_);
            });
            answered_.push_back(answer + confirm);
            whole_.push_back(begin + answer + finish + confirm);
        }
    }
    /// Enough for a peer to begin another handshake.
    void pass_time() {
        now_.steady += wireguard::kInitiationInterval;
        now_.wall += wireguard::kInitiationInterval;
    }
    [[nodiscard]] static wireguard::Endpoint where(std::size_t member) { return {Crowd::address(member), 51'820}; }
    [[nodiscard]] std::size_t next_member() {
        turn_ = turn_ + 1 < order_.size() ? turn_ + 1 : 0;
        return order_[turn_];
    }

    /// As the data plane does it on the way out: one packet for each of many peers, in turn.
    [[nodiscard]] std::uint64_t seal_group(std::size_t size) {
        std::vector<Bytes> packets;
        for (std::size_t i = 0; i < kGroup * kBatch; ++i)
            packets.push_back(datagram_packet(kOwn, Crowd::address(next_member()), size));
        return time_of([&] {
            for (std::size_t i = 0; i < packets.size(); i += kBatch) seal_batch(std::span(packets).subspan(i, kBatch));
        });
    }
    void seal_batch(std::span<const Bytes> packets) {
        std::vector<wireguard::KeypairPtr> keypairs;
        jobs_.clear();
        for (std::size_t i = 0; i < packets.size(); ++i) {
            const auto inner = wireguard::parse_inner_packet(packets[i]);
            const auto peer = device_->route(inner->destination);
            keypairs.push_back(device_->keypair_to_send(*peer, now_.steady));
            const auto counter = keypairs.back()->take_counters(1);
            const auto message = slot(i).first(wireguard::sealed_size(packets[i].size()));
            const auto header = wireguard::DataHeader{keypairs.back()->indexes().remote, *counter}.encode();
            std::copy(header.begin(), header.end(), message.begin());
            std::copy(packets[i].begin(), packets[i].end(), message.begin() + wireguard::kDataHeaderSize);
            jobs_.push_back({&keypairs.back()->send_key(), *counter, message.subspan(wireguard::kDataHeaderSize)});
        }
        aead_->seal_batch(jobs_);
        for (std::size_t i = 0; i < packets.size(); ++i) {
            device_->sent(keypairs[i]->peer(), {wireguard::sealed_size(packets[i].size()), true}, now_, actions_);
        }
    }

    /// And on the way in.
    [[nodiscard]] std::uint64_t open_group(std::size_t size) {
        std::uint64_t time = 0;
        for (std::size_t i = 0; i < kGroup; ++i) {
            seal_by_members(size);
            time += time_of([&] { open_batch(wireguard::sealed_size(size)); });
        }
        return time;
    }
    void seal_by_members(std::size_t size) {
        jobs_.clear();
        for (std::size_t i = 0; i < kBatch; ++i) {
            const auto member = next_member();
            auto& session = crowd_.session(member);
            const auto packet = datagram_packet(Crowd::address(member), kOwn, size);
            const auto message = slot(i).first(wireguard::sealed_size(size));
            std::fill(message.begin(), message.end(), std::uint8_t{0});
            const auto header = wireguard::DataHeader{session.receiver, session.counter}.encode();
            std::copy(header.begin(), header.end(), message.begin());
            std::copy(packet.begin(), packet.end(), message.begin() + wireguard::kDataHeaderSize);
            jobs_.push_back({&session.keys.send, session.counter++, message.subspan(wireguard::kDataHeaderSize)});
        }
        aead_->seal_batch(jobs_);
    }
    void open_batch(std::size_t size) {
        std::vector<wireguard::KeypairPtr> keypairs;
        jobs_.clear();
        for (std::size_t i = 0; i < kBatch; ++i) {
            const auto message = slot(i).first(size);
            CHECK(wireguard::classify(message) == wireguard::MessageType::data);
            const auto header = wireguard::DataHeader::decode(message);
            keypairs.push_back(device_->keypair_to_open(header.receiver, now_.steady));
            CHECK(keypairs.back()->replay().plausible(header.counter));
            jobs_.push_back(
                {&keypairs.back()->receive_key(), header.counter, message.subspan(wireguard::kDataHeaderSize)});
        }
        aead_->open_batch(jobs_);
        for (std::size_t i = 0; i < kBatch; ++i) {
            CHECK(jobs_[i].authentic && keypairs[i]->replay().accept(jobs_[i].counter));
            device_->received(*keypairs[i], {size, true}, *device_->peer(keypairs[i]->peer())->endpoint(), now_,
                              actions_);
            CHECK(device_->admit(keypairs[i]->peer(), jobs_[i].text()));
        }
    }
    [[nodiscard]] std::span<std::uint8_t> slot(std::size_t i) {
        return std::span(memory_).subspan(i * wireguard::sealed_size(kLarge), wireguard::sealed_size(kLarge));
    }

    inline static const wireguard::IpAddress kOwn = wireguard::IpAddress::parse("10.63.0.1").value();

    crypto::SystemRng rng_;
    Secret<32> key_ = wireguard::make_private_key(rng_);
    Crowd crowd_;
    std::unique_ptr<wireguard::Device> device_;
    std::vector<wireguard::PeerId> ids_;
    std::vector<std::size_t> order_;  ///< in which members come when it shall not be that of memory
    std::size_t turn_ = 0;
    wireguard::Now now_{MonotonicTime(seconds(1'000)), wireguard::WallTime(seconds(1'700'000'000))};
    wireguard::Actions actions_;
    std::unique_ptr<wireguard::Aead> aead_ = wireguard::make_aead();
    Bytes memory_ = Bytes(kBatch * wireguard::sealed_size(kLarge));
    std::vector<AeadJob> jobs_;
    std::vector<std::uint64_t> answered_;
    std::vector<std::uint64_t> whole_;
};

}  // namespace

boost::json::object measure_core(std::size_t peers) {
    return std::make_unique<ManyPeers>(peers)->run();
}

}  // namespace myst::bench
