// The daemon's settings: one TOML file, read strictly. docs/config.md documents every key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/log.hpp"
#include "myst/db/relay_url.hpp"
#include "myst/pay/chunk_policy.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::app {

/// Where the view of the chain comes from.
enum class ChainMode {
    index,  ///< own tables, derived from the contracts' events
    light,  ///< single calls to the endpoint
};

/// Cost of deriving a keystore's key from its password.
enum class KeyStrength { standard, light };

struct ApiConfig {
    std::string address;
    std::uint16_t port = 0;
};

struct ChainConfig {
    std::vector<std::string> endpoints;  ///< URLs; may hold access keys
    std::uint32_t quorum = 0;            ///< 0: the majority of the endpoints
    std::uint64_t chain_id = 0;
    Hash32 genesis;  ///< zero if not set
    Address lanes;   ///< zero if not set
    Address token;   ///< zero if not set
    milliseconds poll{};
    std::uint32_t confirmations = 0;
    std::uint32_t reorg_limit = 0;
    std::uint64_t start_block = 0;
    std::uint64_t max_fee_gwei = 0;
    Amount max_fees_per_hour;  ///< wei, not tokens
    ChainMode mode{};
};

struct DbConfig {
    std::string listen;  ///< "IP:port"; empty: no embedded relay
    std::vector<std::string> relays;
    std::optional<db::RelayUrl> public_url;  ///< of the embedded relay; none: no node record, no proofs of keys
    std::uint32_t peer_target = 0;           ///< peers in all; 0: only `relays`
    bool private_peers = false;              ///< a test network: private addresses count
    std::uint32_t max_connections = 0;
    bool trusted_proxy = false;
    unsigned min_pow_bits = 0;
    bool auth_for_mailboxes = false;
    bool gift_wraps = false;
};

struct KeysConfig {
    KeyStrength strength{};
    std::string password_file;  ///< empty: keystore-password in data_dir
};

struct VpnConfig {
    vpn::WireguardKind wireguard{};
};

struct ConsumerConfig {
    bool enabled = false;
    std::optional<std::uint64_t> chunk_bytes;  ///< none: chosen from rate, price and risk
    pay::TickUse ticks{};
    std::optional<Amount> max_price_gib;   ///< token units; none: no limit
    std::optional<Amount> max_price_hour;  ///< token units; none: no limit
    Amount risk_limit;
    Amount reserve_ahead;
    bool publish_receipts = false;
    std::vector<std::string> dns;  ///< one to four public IPv4 addresses
    std::uint32_t tolerance_percent = 0;
};

struct ProviderConfig {
    bool enabled = false;
    bool autostart = false;
    std::string country;
    std::string city;
    std::string name;
    std::string terms;
    Amount price_gib;
    Amount price_hour;
    std::string endpoint;  ///< public IPv4 address, or IPv4:port
    std::uint16_t wireguard_port = 0;
    std::uint64_t credit_bytes = 0;
    Amount risk_limit;
    Amount min_free;
    std::uint32_t settle_trigger_percent = 0;
    std::uint32_t settle_overhead_percent = 0;
    Amount settle_minimum;
    Amount gas_price_in_tokens;  ///< of a million gas
    bool settle_at_session_end = false;
    bool release_on_request = false;
    std::chrono::hours settle_max_age{};
    std::chrono::minutes outage_tolerated{};
    std::vector<std::string> dns;
    std::string pool;
    std::string uplink;
    std::vector<std::string> deny;
    std::vector<std::string> allow;
    Amount stake;
    std::uint32_t max_sessions = 0;
};

/// Made by parse_config, default_config or load_config; the defaults live in the table of keys (config_keys.cpp).
struct Config {
    std::string data_dir;
    log::Level log_level{};
    ApiConfig api;
    ChainConfig chain;
    DbConfig db;
    KeysConfig keys;
    VpnConfig vpn;
    ConsumerConfig consumer;
    ProviderConfig provider;
};

/// What applies if the file says nothing.
[[nodiscard]] Config default_config();

/// Parses and validates the text of a configuration file. Never throws, whatever the text. The error names source,
/// line, key, value and what is permitted; an unknown key comes with the nearest known one.
[[nodiscard]] Result<Config> parse_config(std::string_view text, std::string_view source = "config");

/// Whether the daemon can start with it: what has no sensible default is set, and the keys fit together.
[[nodiscard]] Result<> check_complete(const Config& config);

/// Reads, parses and checks a file. Blocks.
[[nodiscard]] Result<Config> load_config(const std::string& path);

/// A commented configuration file with every key at its default; parse_config accepts it.
[[nodiscard]] std::string default_config_text();

/// docs/config.md.
[[nodiscard]] std::string config_reference();

}  // namespace myst::app
