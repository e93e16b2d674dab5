// How much a consumer pays ahead at a time, and whether by voucher or by tick (docs/protocol.md, "Chunks"). Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "myst/base/amount.hpp"
#include "myst/pay/tariff.hpp"

namespace myst::pay {

inline constexpr std::uint64_t kLeastChunk = 64 << 10;
inline constexpr std::uint64_t kMostChunk = 16 << 20;

/// What the user allows; both the same: a fixed size.
struct ChunkBounds {
    std::uint64_t least = kLeastChunk;
    std::uint64_t most = kMostChunk;
};

/// What the user says about ticks.
enum class TickUse { automatic, always, never };

/// What one payment takes beside the money.
struct PaymentCost {
    std::chrono::nanoseconds processor{};  ///< of this machine, for a signature
    std::uint64_t bytes = 512;             ///< on the wire: voucher, acknowledgement and the headers around them
};

/// What the choice depends on, besides the rate.
struct ChunkTerms {
    Tariff tariff;
    Amount risk_limit;  ///< R: most that may be lost to a provider that vanishes
    ChunkBounds bounds;
    TickUse tick_use{};
    PaymentCost voucher;
    std::uint64_t tolerance_bytes = kMeterTolerance;  ///< may be paid besides a chunk
    milliseconds time_slice{10'000};                  ///< is paid besides a chunk
};

struct ChunkChoice {
    std::uint64_t bytes = 0;
    bool ticks = false;
    bool operator==(const ChunkChoice&) const = default;
};

/// The largest chunk that the bounds permit and of which, with what is paid besides, a quarter of R pays for. The least
/// chunk if none is: whether that is within R is for the caller to see.
[[nodiscard]] std::uint64_t largest_chunk(const ChunkTerms& terms);
/// The chunk at which a voucher takes no more than a hundredth of the processor and of the traffic.
[[nodiscard]] std::uint64_t worthwhile_chunk(const ChunkTerms& terms, std::uint64_t bytes_per_second);
/// What a steady rate calls for: a second's worth or a worthwhile chunk, within the least and the largest one; ticks
/// where the worthwhile chunk is beyond the largest. Rises with rate, R, and cost of a voucher, falls with the price.
[[nodiscard]] ChunkChoice choose_chunk(const ChunkTerms& terms, std::uint64_t bytes_per_second);

/// Follows the rate from payment to payment: no step is larger than fourfold, a rate that calls for about the same
/// chunk changes nothing, and ticks are given up only where vouchers are cheap by a factor of two.
class ChunkPolicy {
public:
    /// Begins with the least chunk.
    explicit ChunkPolicy(const ChunkTerms& terms);

    /// `bytes` were used in the `time` since the payment before.
    void observe(std::uint64_t bytes, milliseconds time);
    /// What a voucher costs, as measured.
    void set_voucher_cost(std::chrono::nanoseconds processor) { terms_.voucher.processor = processor; }
    [[nodiscard]] const ChunkChoice& choice() const { return choice_; }

private:
    ChunkTerms terms_;
    ChunkChoice choice_;
};

}  // namespace myst::pay
