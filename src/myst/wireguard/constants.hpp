// Times, counts and sizes of WireGuard (paper, sections 5.4 and 6; what it leaves open is as in the Linux kernel).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace myst::wireguard {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages = ~std::uint64_t{0} - (std::uint64_t{1} << 13);
inline constexpr seconds kRekeyAfterTime{120};
inline constexpr seconds kRejectAfterTime{180};
inline constexpr seconds kRekeyAttemptTime{90};
inline constexpr seconds kRekeyTimeout{5};
/// Added to kRekeyTimeout by chance, so that two sides do not keep step.
inline constexpr milliseconds kRekeyTimeoutJitter{334};
inline constexpr seconds kKeepaliveTimeout{10};
inline constexpr seconds kCookieLifetime{120};
/// A peer's keys are wiped when no new ones came for this long.
inline constexpr seconds kZeroKeysAfter = 3 * kRejectAfterTime;
/// Least time between two initiations of one peer: 50 per second.
inline constexpr milliseconds kInitiationInterval{20};
/// Timestamps are multiples of this.
inline constexpr nanoseconds kTimestampStep{std::int64_t{1} << 24};
/// A freed index is not given out again before.
inline constexpr seconds kIndexGrace = kRejectAfterTime;

inline constexpr std::uint32_t kHandshakesPerSource = 20;  ///< per second, while busy
inline constexpr std::uint32_t kHandshakeBurst = 5;
inline constexpr std::size_t kMaxSources = 8192;
inline constexpr std::size_t kMaxStagedPackets = 128;
inline constexpr std::size_t kMaxInnerPacket = 65'535;
inline constexpr std::size_t kMaxPeers = 65'536;
inline constexpr std::size_t kMaxPrefixes = 1'048'576;

inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kMacSize = 16;
inline constexpr std::size_t kInitiationSize = 148;
inline constexpr std::size_t kResponseSize = 92;
inline constexpr std::size_t kCookieReplySize = 64;
inline constexpr std::size_t kDataHeaderSize = 16;
/// A data message without content.
inline constexpr std::size_t kKeepaliveSize = kDataHeaderSize + kTagSize;

}  // namespace myst::wireguard
