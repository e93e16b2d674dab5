// The command line, parsed.
#pragma once

#include <optional>
#include <string>

#include "outcome.hpp"

namespace myst::console {

enum class Verb {
    status,
    wallet_create,
    wallet_address,
    wallet_balance,
    wallet_deposit,
    wallet_withdraw,
    wallet_reservations,
    wallet_release,
    proposals,
    connect,
    disconnect,
    provider_start,
    provider_stop,
    provider_status,
    provider_sessions,
    provider_limits,
    provider_settle,
    provider_unregister,
    provider_revoke,
};

struct Options {
    Verb verb = Verb::status;
    std::string api;         ///< URL; empty: as the daemon wrote it below data_dir
    std::string token_file;  ///< empty: the daemon's below data_dir
    std::string data_dir = "/var/lib/mystd";
    bool json = false;
    bool verbose = false;
    bool watch = false;
    bool no_wait = false;
    bool units = false;  ///< amounts are given in the smallest unit
    std::string amount;
    std::string service;
    std::string country;
    std::string max_price;       ///< tokens per GiB
    std::string max_price_hour;  ///< tokens per hour
    std::string provider;        ///< node key, or payee for `wallet release`
    std::string city;
    std::string min_stake;  ///< tokens
    std::optional<unsigned> min_reputation;
    std::optional<unsigned> max_age;      ///< seconds
    std::optional<unsigned> max_latency;  ///< milliseconds
    std::string sort;
    bool worst_first = false;
    bool all = false;  ///< every page
    std::string cursor;
    bool yes = false;  ///< it is known that there is no way back
    std::string reason;
    std::optional<unsigned> limit;
};

/// None if the command line asked for help or the version, which has then been printed. A mistake has been explained
/// on standard error and is Exit::usage.
[[nodiscard]] tl::expected<std::optional<Options>, Exit> parse_options(int argc, const char* const* argv);

}  // namespace myst::console
