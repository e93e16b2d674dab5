#include "myst/pay/chunk_policy.hpp"

#include <algorithm>

namespace myst::pay {
namespace {

constexpr unsigned kRiskShare = 4;    ///< chunks that R pays for, at least
constexpr unsigned kCostShare = 100;  ///< of processor and traffic, one part is for paying
constexpr unsigned kLargestStep = 4;  ///< factor between one chunk and the next

std::uint64_t saturated(Uint128 value) {
    return static_cast<std::uint64_t>(std::min<Uint128>(value, kUnlimitedBytes));
}

/// Bytes in `nanoseconds` at a rate.
std::uint64_t bytes_in(std::uint64_t bytes_per_second, Uint128 nanoseconds) {
    constexpr Uint128 kNanosecondsPerSecond = 1'000'000'000;
    return saturated(bytes_per_second * nanoseconds / kNanosecondsPerSecond);
}

bool wants_ticks(const ChunkTerms& terms, std::uint64_t worthwhile, std::uint64_t largest) {
    if (terms.tick_use == TickUse::automatic) return worthwhile > largest;
    return terms.tick_use == TickUse::always;
}

}  // namespace

std::uint64_t largest_chunk(const ChunkTerms& terms) {
    const auto share = Amount::from_wide(terms.risk_limit.units() / kRiskShare).value_or(Amount{});
    const auto covered = bytes_covered(terms.tariff, share, terms.time_slice);
    const auto beside_tolerance = covered - std::min(covered, terms.tolerance_bytes);
    return std::clamp(beside_tolerance, terms.bounds.least, terms.bounds.most);
}

std::uint64_t worthwhile_chunk(const ChunkTerms& terms, std::uint64_t bytes_per_second) {
    constexpr std::int64_t kLongest = 1'000'000'000;
    const auto processor = std::clamp<std::int64_t>(terms.voucher.processor.count(), 0, kLongest);
    const auto by_processor = bytes_in(bytes_per_second, Uint128{static_cast<std::uint64_t>(processor)} * kCostShare);
    return std::max(by_processor, saturated(Uint128{terms.voucher.bytes} * kCostShare));
}

ChunkChoice choose_chunk(const ChunkTerms& terms, std::uint64_t bytes_per_second) {
    const auto largest = largest_chunk(terms);
    const auto worthwhile = worthwhile_chunk(terms, bytes_per_second);
    const auto wanted = std::max(bytes_per_second, worthwhile);
    return {std::clamp(wanted, terms.bounds.least, largest), wants_ticks(terms, worthwhile, largest)};
}

ChunkPolicy::ChunkPolicy(const ChunkTerms& terms) : terms_(terms), choice_(choose_chunk(terms, 0)) {}

void ChunkPolicy::observe(std::uint64_t bytes, milliseconds time) {
    const auto span = std::max<std::int64_t>(time.count(), 1);
    const auto rate = saturated(Uint128{bytes} * 1000 / static_cast<std::uint64_t>(span));
    const auto wanted = choose_chunk(terms_, rate);
    const auto now = choice_.bytes;
    const bool about_the_same = wanted.bytes >= now - now / 4 && wanted.bytes <= now + now / 2;
    if (!about_the_same) choice_.bytes = std::clamp(wanted.bytes, now / kLargestStep, now * kLargestStep);
    const bool still_dear = worthwhile_chunk(terms_, rate) > largest_chunk(terms_) / 2;
    choice_.ticks = wanted.ticks || (choice_.ticks && terms_.tick_use == TickUse::automatic && still_dear);
}

}  // namespace myst::pay
