// The records that the benchmarks of the database work with, and the questions they ask.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/filter.hpp"

namespace myst::bench {

/// When all happens that needs no real clock.
inline constexpr UnixTime kNow{seconds(1'800'000'000)};
inline constexpr std::size_t kPageOfQuery = 100;  ///< records that a question asks for

inline constexpr std::size_t kCountries = 40;
/// One of them.
[[nodiscard]] std::string country_of(std::size_t number);
/// The n-th provider's proposal as docs/records.md has it, for the n-th country: the event as JSON.
[[nodiscard]] std::string proposal(std::size_t number, UnixTime created, std::string_view name = "node");
/// Proposals of so many providers, from the n-th on, in the order in which they arrive: ten a second up to `now`, each
/// created within the minute before.
[[nodiscard]] std::vector<std::string> proposals(std::size_t count, UnixTime now, std::size_t first = 0);
/// What a client asks for: a service in one country or three, newest first.
[[nodiscard]] codec::Filter question(std::size_t number);

}  // namespace myst::bench
