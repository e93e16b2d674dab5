// What one payer's packets come to, and how many more may pass (docs/dataplane.md, "Metering and gate").
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "myst/base/clock.hpp"
#include "myst/wireguard/inner_packet.hpp"

namespace myst::wireguard {

struct MeterSettings {
    /// The provider's own address inside the tunnel, where payments go: packets from and to it pass also when the gate
    /// is closed, and are never counted.
    std::optional<IpAddress> garden;
    bool gated = true;  ///< false: everything passes and is only counted
};

struct PacketCount {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    void add(std::uint64_t length) {
        ++packets;
        bytes += length;
    }
};

/// Inner IP packets, headers included, padding and keepalives not. Nothing of it ever decreases.
struct MeterReading {
    PacketCount received;  ///< from the peer: authentic, fresh, from an address of its own
    PacketCount sent;      ///< to the peer: sealed in a session
    /// Of `received`: headers that the interface did not get, because it got several packets as one.
    std::uint64_t joined_bytes = 0;
    PacketCount refused;  ///< by the gate, both ways; the length of one that was not opened may include its padding
    [[nodiscard]] std::uint64_t passed_bytes() const { return received.bytes + sent.bytes; }
};

/// The meter and gate of one payer. It belongs to whoever pays attention to the payer; devices share it, so counts go
/// on over sessions, addresses and peer entries. Any thread; no call waits or allocates.
///
/// Whoever carries packets reserves what a batch may come to, before any work is done for it, and afterwards counts
/// what has passed and gives the rest back. So `passed_bytes` is at most the greatest allowance, with any number of
/// threads.
class Meter {
public:
    /// While a gate is closed so many bytes of authentic messages are opened in a second, to find those to the garden
    /// among them; more at once after a pause.
    static constexpr std::uint64_t kGardenRate = std::uint64_t{1} << 20;
    static constexpr std::uint64_t kGardenBurst = kGardenRate / 4;
    /// Messages up to this size, headers included, may use all of it; longer ones only the upper half. So payments get
    /// through beside a flood of large packets.
    static constexpr std::uint64_t kGardenSmall = 768;
    /// Greater allowances are as good as this one.
    static constexpr std::uint64_t kMaxAllowance = ~std::uint64_t{0} >> 1;

    /// Closed, until there is an allowance.
    explicit Meter(const MeterSettings& settings);
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;

    /// Bytes that may pass in total, both ways, since the meter was made. What is reserved already passes also when
    /// this is lower: at most one batch of each thread.
    void set_allowance(std::uint64_t bytes);
    [[nodiscard]] MeterReading read() const;

    [[nodiscard]] bool in_garden(const InnerPacket& packet) const {
        return settings_.garden && (packet.destination == *settings_.garden || packet.source == *settings_.garden);
    }
    /// Whether so much would be granted now; for a hint, not for a promise.
    [[nodiscard]] bool has_left(std::uint64_t bytes) const;
    /// Takes as much of `wanted` as may pass and returns it; what is not counted afterwards must be given back.
    [[nodiscard]] std::uint64_t reserve(std::uint64_t wanted);
    void give_back(std::uint64_t bytes);
    /// The same for messages that are opened only to see whether they go to the garden; nothing without a garden.
    enum class GardenUse { small, large };
    [[nodiscard]] std::uint64_t reserve_garden(std::uint64_t wanted, GardenUse use, MonotonicTime now);
    void give_back_garden(std::uint64_t bytes);

    void count_received(const PacketCount& count) { received_.add(count); }
    void count_joined(std::uint64_t bytes) { joined_.fetch_add(bytes, std::memory_order_relaxed); }
    void count_sent(const PacketCount& count) { sent_.add(count); }
    void count_refused(const PacketCount& count) { refused_.add(count); }

private:
    static constexpr std::size_t kCacheLine = 64;
    struct Total {
        std::atomic<std::uint64_t> packets{0};
        std::atomic<std::uint64_t> bytes{0};
        void add(const PacketCount& count);
        [[nodiscard]] PacketCount read() const;
    };

    MeterSettings settings_;
    std::atomic<std::int64_t> allowance_{0};
    /// What changes with every batch, apart from what does not. Allowance less what has passed or is reserved; negative
    /// after the allowance was lowered.
    alignas(kCacheLine) std::atomic<std::int64_t> left_{0};
    Total received_;
    Total sent_;
    Total refused_;
    std::atomic<std::uint64_t> joined_{0};
    /// Nanoseconds of the monotonic clock: since when tokens for the garden have been flowing in.
    std::atomic<std::int64_t> garden_since_;
};

}  // namespace myst::wireguard
