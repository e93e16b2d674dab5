// How local programs find the API and prove that they may use it: two files in the data directory.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"

namespace myst::api {

/// Names of the files below the data directory.
inline constexpr std::string_view kTokenFile = "api-token";
inline constexpr std::string_view kAddressFile = "api-address";

/// SHA-256 of the token's text; all that the server keeps of it.
struct TokenDigest {
    Hash32 digest;
};

/// The digest of a token as a client presents it.
[[nodiscard]] TokenDigest digest_of_token(std::string_view token);

/// Reads the token file, or creates it (mode 0600) with a fresh 256-bit token if it does not exist. Refuses a file
/// that others may read, and one that does not hold a token. Blocks; any thread.
[[nodiscard]] Result<TokenDigest> prepare_token(const std::string& path, Rng& rng);

/// Writes where the API listens ("http://127.0.0.1:4449") for the console to find; mode 0644. Blocks; any thread.
[[nodiscard]] Result<> publish_address(const std::string& path, std::string_view url);

}  // namespace myst::api
