// The keys of one session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "myst/base/clock.hpp"
#include "myst/base/locked.hpp"
#include "myst/base/secret.hpp"
#include "myst/wireguard/constants.hpp"
#include "myst/wireguard/noise.hpp"
#include "myst/wireguard/replay_filter.hpp"

namespace myst::wireguard {

/// Names a peer of a device; never given out twice by one device.
enum class PeerId : std::uint32_t {};

/// One session. The data path keeps it while a batch is under way; the peer may retire it meanwhile. One thread.
class Keypair {
public:
    struct Indexes {
        std::uint32_t local = 0;   ///< in messages to us
        std::uint32_t remote = 0;  ///< in messages to the peer
    };

    Keypair(PeerId peer, SessionKeys keys, Indexes indexes, bool initiator, MonotonicTime now)
        : peer_(peer), keys_(std::move(keys)), indexes_(indexes), initiator_(initiator), created_(now) {}

    [[nodiscard]] PeerId peer() const { return peer_; }
    [[nodiscard]] Indexes indexes() const { return indexes_; }
    /// Whether the initiation was ours.
    [[nodiscard]] bool initiator() const { return initiator_; }
    [[nodiscard]] MonotonicTime created() const { return created_; }
    [[nodiscard]] const Secret<32>& send_key() const { return keys_->send; }
    [[nodiscard]] const Secret<32>& receive_key() const { return keys_->receive; }

    /// Neither retired nor too old: may open packets.
    [[nodiscard]] bool alive(MonotonicTime now) const { return !retired_ && now - created_ < kRejectAfterTime; }
    /// Alive, and has counters left: may seal packets.
    [[nodiscard]] bool can_send(MonotonicTime now) const { return alive(now) && next_counter_ < kRejectAfterMessages; }
    /// The first of `count` counters in a row for packets to seal; none if so many are not left.
    [[nodiscard]] std::optional<std::uint64_t> take_counters(std::uint64_t count);
    /// How many packets were sealed.
    [[nodiscard]] std::uint64_t counters_taken() const { return next_counter_; }
    /// For packets that were opened.
    [[nodiscard]] ReplayFilter& replay() { return replay_; }

    /// Wipes the keys; whoever still holds the keypair can do nothing with it.
    void retire();
    /// For tests: as if so many packets had been sealed.
    void skip_counters_for_test(std::uint64_t count) { next_counter_ = count; }

private:
    PeerId peer_;
    Locked<SessionKeys> keys_;
    Indexes indexes_;
    bool initiator_;
    bool retired_ = false;
    MonotonicTime created_;
    std::uint64_t next_counter_ = 0;
    ReplayFilter replay_;
};

using KeypairPtr = std::shared_ptr<Keypair>;

}  // namespace myst::wireguard
