#include "myst/app/config_keys.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/app/config_rules.hpp"
#include "myst/crypto/address.hpp"
#include "myst/db/node_record.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/public_address.hpp"

namespace myst::app {
namespace {

constexpr std::int64_t kMaxInteger = 9'007'199'254'740'991;  // exact in every TOML and JSON tool
constexpr auto kMinChunk = static_cast<std::int64_t>(pay::kLeastChunk);
constexpr auto kMaxChunk = static_cast<std::int64_t>(pay::kMostChunk);
constexpr std::size_t kMaxListItems = 64;
constexpr std::size_t kMaxResolvers = 4;

using Text = std::string;
using Texts = std::vector<std::string>;

ConfigKey flag(std::string_view section, std::string_view name, bool initial, std::string_view meaning,
               bool& (*field)(Config&)) {
    return {section, name, initial, "true or false", meaning, [field](Config& config, const ConfigValue& value) {
                field(config) = std::get<bool>(value);
                return true;
            }};
}

template <class Field>
ConfigKey number(std::string_view section, std::string_view name, std::int64_t initial, std::int64_t least,
                 std::int64_t most, std::string_view meaning, Field field) {
    return {section,
            name,
            initial,
            fmt::format("an integer from {} to {}", least, most),
            meaning,
            [field, least, most](Config& config, const ConfigValue& value) {
                const auto given = std::get<std::int64_t>(value);
                if (given < least || given > most) return false;
                using Target = std::remove_reference_t<decltype(field(config))>;
                field(config) = static_cast<Target>(given);
                return true;
            }};
}

ConfigKey text(std::string_view section, std::string_view name, std::string_view initial, std::string permitted,
               bool (*is_permitted)(std::string_view), std::string_view meaning, Text& (*field)(Config&)) {
    return {section,
            name,
            Text(initial),
            std::move(permitted),
            meaning,
            [is_permitted, field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Text>(value);
                if (!is_permitted(given)) return false;
                field(config) = given;
                return true;
            }};
}

ConfigKey list(std::string_view section, std::string_view name, Texts initial, std::string_view permitted,
               bool (*is_permitted)(std::string_view), std::string_view meaning, Texts& (*field)(Config&)) {
    return {section,
            name,
            std::move(initial),
            fmt::format("at most {} of: {}", kMaxListItems, permitted),
            meaning,
            [is_permitted, field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Texts>(value);
                const bool fits =
                    std::all_of(given.begin(), given.end(), [&](auto& item) { return is_permitted(item); });
                if (given.size() > kMaxListItems || !fits) return false;
                field(config) = given;
                return true;
            }};
}

/// Public resolvers: from `least` to four.
ConfigKey resolvers(std::string_view section, Texts initial, std::size_t least, std::string_view meaning,
                    Texts& (*field)(Config&)) {
    return {section,
            "dns",
            std::move(initial),
            fmt::format("{} to {} public IPv4 addresses", least, kMaxResolvers),
            meaning,
            [least, field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Texts>(value);
                if (given.size() < least || given.size() > kMaxResolvers) return false;
                if (!std::all_of(given.begin(), given.end(), node::is_public_ipv4)) return false;
                field(config) = given;
                return true;
            }};
}

ConfigKey tokens(std::string_view section, std::string_view name, std::string_view initial, std::string_view meaning,
                 Amount& (*field)(Config&), std::string_view unit = "tokens") {
    return {section,
            name,
            Text(initial),
            fmt::format("{} as a string such as \"0.25\", at most 18 decimals", unit),
            meaning,
            [field](Config& config, const ConfigValue& value) {
                const auto amount = parse_tokens(std::get<Text>(value));
                if (amount) field(config) = *amount;
                return amount.has_value();
            }};
}

ConfigKey contract(std::string_view section, std::string_view name, std::string_view meaning,
                   Address& (*field)(Config&)) {
    return {section,
            name,
            Text(),
            "an Ethereum address (0x…) with a correct checksum",
            meaning,
            [field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Text>(value);
                field(config) = Address{};
                if (given.empty()) return true;
                const auto address = crypto::parse_address(given);
                if (address) field(config) = *address;
                return address.has_value();
            }};
}

ConfigKey relay_address(std::string_view section, std::string_view name, std::string_view meaning,
                        std::optional<db::RelayUrl>& (*field)(Config&)) {
    return {section,
            name,
            Text(),
            fmt::format("a ws:// or wss:// URL of at most {} bytes, or empty", db::kMaxNodeRelayUrl),
            meaning,
            [field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Text>(value);
                field(config).reset();
                if (given.empty()) return true;
                auto url = db::RelayUrl::parse(given);
                if (!url || given.size() > db::kMaxNodeRelayUrl) return false;
                field(config) = std::move(*url);
                return true;
            }};
}

/// One of a few words, each standing for a value.
template <class Value, class Field>
ConfigKey choice(std::string_view section, std::string_view name, std::string_view initial,
                 std::vector<std::pair<std::string_view, Value>> words, std::string_view meaning, Field field) {
    std::string permitted;
    for (const auto& [word, value] : words) {
        permitted += fmt::format("{}\"{}\"", permitted.empty() ? "" : " or ", word);
    }
    return {section,
            name,
            Text(initial),
            std::move(permitted),
            meaning,
            [words = std::move(words), field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Text>(value);
                for (const auto& [word, meant] : words) {
                    if (word != given) continue;
                    field(config) = meant;
                    return true;
                }
                return false;
            }};
}

/// A limit in tokens that may be absent.
ConfigKey optional_tokens(std::string_view section, std::string_view name, std::string_view initial,
                          std::string_view meaning, std::optional<Amount>& (*field)(Config&)) {
    return {section,
            name,
            Text(initial),
            "tokens as a string such as \"0.25\", or empty",
            meaning,
            [field](Config& config, const ConfigValue& value) {
                const auto& given = std::get<Text>(value);
                field(config).reset();
                if (given.empty()) return true;
                const auto amount = parse_tokens(given);
                if (amount) field(config) = *amount;
                return amount.has_value();
            }};
}

/// A number of bytes, or a word for having it chosen.
ConfigKey chunk_size() {
    constexpr std::string_view kChosen = "auto";
    ConfigKey key{"consumer",
                  "chunk_bytes",
                  Text(kChosen),
                  fmt::format("\"{}\" or an integer from {} to {}", kChosen, kMinChunk, kMaxChunk),
                  "Bytes paid ahead at a time. auto: what a second carries, within what consumer.risk_limit permits.",
                  [kChosen](Config& config, const ConfigValue& value) {
                      config.consumer.chunk_bytes.reset();
                      if (const auto* word = std::get_if<Text>(&value)) return *word == kChosen;
                      const auto given = std::get<std::int64_t>(value);
                      if (given < kMinChunk || given > kMaxChunk) return false;
                      config.consumer.chunk_bytes = static_cast<std::uint64_t>(given);
                      return true;
                  }};
    key.may_be_integer = true;
    return key;
}

using Keys = std::vector<ConfigKey>;

void add_general(Keys& keys) {
    keys.push_back(text("", "data_dir", "/var/lib/mystd", "an absolute path", is_absolute_path,
                        "Directory of keys, database, ledger and the API's token; mode 0700.",
                        [](Config& c) -> Text& { return c.data_dir; }));
    keys.push_back(choice<log::Level>("log", "level", "info",
                                      {{"debug", log::Level::debug},
                                       {"info", log::Level::info},
                                       {"warn", log::Level::warn},
                                       {"error", log::Level::error}},
                                      "Log lines below this level are dropped.",
                                      [](Config& c) -> log::Level& { return c.log_level; }));
    keys.push_back(text("api", "address", "127.0.0.1", "a loopback IP address", is_loopback,
                        "Where the web API listens; only programs on this machine can reach it.",
                        [](Config& c) -> Text& { return c.api.address; }));
    keys.push_back(number("api", "port", 4449, 0, 65535, "TCP port of the web API; 0: any free port.",
                          [](Config& c) -> std::uint16_t& { return c.api.port; }));
}

void add_chain(Keys& keys) {
    keys.push_back(list(
        "chain", "endpoints", {"http://127.0.0.1:8545"}, "http:// or https:// URLs",
        [](std::string_view value) { return is_url(value, "http", "https"); },
        "Ethereum JSON-RPC endpoints, the preferred ones first. A single one is believed what it says about money: "
        "give "
        "a node of your own, or three of different operators.",
        [](Config& c) -> Texts& { return c.chain.endpoints; }));
    keys.back().is_private = true;
    keys.push_back(number("chain", "quorum", 0, 0, kMaxListItems,
                          "Endpoints that must say the same before it is believed. 0: the majority of them.",
                          [](Config& c) -> std::uint32_t& { return c.chain.quorum; }));
    keys.push_back(number("chain", "chain_id", 1, 1, kMaxInteger, "EIP-155 id; an endpoint with another id is refused.",
                          [](Config& c) -> std::uint64_t& { return c.chain.chain_id; }));
    keys.push_back({"chain", "genesis", Text(), "a block hash (0x and 64 hex digits), or empty",
                    "Hash of block 0; an endpoint with another one is refused. Empty: the one the endpoints agree on.",
                    [](Config& config, const ConfigValue& value) {
                        const auto& given = std::get<Text>(value);
                        config.chain.genesis = {};
                        if (given.empty()) return true;
                        const auto hash = given.starts_with("0x") ? Hash32::parse(given) : tl::unexpected(Error{});
                        if (hash) config.chain.genesis = *hash;
                        return hash.has_value();
                    }});
    keys.push_back(contract("chain", "lanes",
                            "The lanes contract, which holds deposits and settles vouchers. Required.",
                            [](Config& c) -> Address& { return c.chain.lanes; }));
    keys.push_back(contract("chain", "token", "The ERC-20 token that the lanes contract pays in. Required.",
                            [](Config& c) -> Address& { return c.chain.token; }));
    keys.push_back(
        choice<ChainMode>("chain", "mode", "index", {{"index", ChainMode::index}, {"light", ChainMode::light}},
                          "index: derive own tables from the contracts' events; light: ask the endpoint call "
                          "by call.",
                          [](Config& c) -> ChainMode& { return c.chain.mode; }));
    keys.push_back(number("chain", "poll_ms", 1000, 50, 60000, "Milliseconds between two looks for a new block.",
                          [](Config& c) -> milliseconds& { return c.chain.poll; }));
    keys.push_back(number("chain", "confirmations", 1, 1, 64,
                          "Blocks, the transaction's own included, before its effect counts.",
                          [](Config& c) -> std::uint32_t& { return c.chain.confirmations; }));
    keys.push_back(number("chain", "reorg_limit", 96, 1, 10'000,
                          "Blocks after which the chain counts as final: until then reorganisations are followed and "
                          "transactions that drop out are sent again; a deeper one halts the node.",
                          [](Config& c) -> std::uint32_t& { return c.chain.reorg_limit; }));
    keys.push_back(number("chain", "start_block", 0, 0, kMaxInteger,
                          "First block to index; the contracts' deployment or any earlier block.",
                          [](Config& c) -> std::uint64_t& { return c.chain.start_block; }));
    keys.push_back(number("chain", "max_fee_gwei", 200, 1, 1'000'000,
                          "The most a transaction may pay per gas, in gwei; above it the node waits.",
                          [](Config& c) -> std::uint64_t& { return c.chain.max_fee_gwei; }));
    keys.push_back(tokens(
        "chain", "max_fees_per_hour", "0.5",
        "The most that all transactions signed within an hour may cost for gas together; what would exceed it waits.",
        [](Config& c) -> Amount& { return c.chain.max_fees_per_hour; }, "ether"));
}

void add_db(Keys& keys) {
    keys.push_back(text(
        "db", "listen", "", "an IP address with port such as \"0.0.0.0:7777\", or empty",
        [](std::string_view value) { return value.empty() || is_ip_and_port(value); },
        "Where the embedded relay listens. Empty: no relay, the node is a light client of db.relays.",
        [](Config& c) -> Text& { return c.db.listen; }));
    keys.push_back(list(
        "db", "relays", {}, "ws:// or wss:// URLs", [](std::string_view value) { return is_url(value, "ws", "wss"); },
        "Relays to replicate with, or to ask as a light client. A full node keeps a connection to each of them.",
        [](Config& c) -> Texts& { return c.db.relays; }));
    keys.push_back(number("db", "peer_target", 8, 0, kMaxListItems,
                          "Relays that a full node keeps connections to, those of db.relays included. Those it finds "
                          "by itself, in records, are two at least. 0: none but db.relays.",
                          [](Config& c) -> std::uint32_t& { return c.db.peer_target; }));
    keys.push_back(relay_address(
        "db", "public_url",
        "Where others reach the embedded relay. Clients can then prove who they are (NIP-42), and other full nodes "
        "find it: it is published in a record that the node key signs, and in a provider's offers, so everybody can "
        "read which machine the key, and a provider's wallet, belong to. Empty: nothing is published.",
        [](Config& c) -> std::optional<db::RelayUrl>& { return c.db.public_url; }));
    keys.push_back(flag("db", "private_peers", false,
                        "For test networks: records may lead this node to addresses of private networks and of this "
                        "machine, and db.public_url may be one. Elsewhere strangers could have it call any service "
                        "near it.",
                        [](Config& c) -> bool& { return c.db.private_peers; }));
    keys.push_back(number("db", "max_connections", 512, 1, 100'000, "WebSocket connections the embedded relay accepts.",
                          [](Config& c) -> std::uint32_t& { return c.db.max_connections; }));
    keys.push_back(flag("db", "trusted_proxy", false,
                        "The relay is behind a reverse proxy on this machine, whose X-Forwarded-For names the client: "
                        "limits per address count the clients and not the proxy.",
                        [](Config& c) -> bool& { return c.db.trusted_proxy; }));
    keys.push_back(number("db", "min_pow_bits", 20, 0, 32,
                          "Work (NIP-13) that the embedded relay asks for in records of authors who are not registered "
                          "on chain, and that this node puts into its own; each bit doubles it. 0: none, and "
                          "strangers get the full share of the store.",
                          [](Config& c) -> unsigned& { return c.db.min_pow_bits; }));
    keys.push_back(flag("db", "auth_for_mailboxes", false,
                        "Session envelopes are handed out only to clients that have proven to hold the key they are "
                        "for. Needs db.public_url. Clients older than this key cannot do it.",
                        [](Config& c) -> bool& { return c.db.auth_for_mailboxes; }));
    keys.push_back(
        flag("db", "gift_wraps", false,
             "The embedded relay also keeps gift wraps (NIP-59), for a week at most and for their recipients "
             "only. Needs db.public_url.",
             [](Config& c) -> bool& { return c.db.gift_wraps; }));
}

void add_keys(Keys& keys) {
    keys.push_back(choice<KeyStrength>(
        "keys", "strength", "standard", {{"standard", KeyStrength::standard}, {"light", KeyStrength::light}},
        "Cost of guessing the keystore's password: standard takes 256 MiB of memory for a "
        "second, light 4 MiB.",
        [](Config& c) -> KeyStrength& { return c.keys.strength; }));
    keys.push_back(text(
        "keys", "password_file", "", "an absolute path, or empty",
        [](std::string_view value) { return value.empty() || is_absolute_path(value); },
        "File with the keystore's password, readable by its owner only. Empty: keystore-password in data_dir, created "
        "at the first start.",
        [](Config& c) -> Text& { return c.keys.password_file; }));
}

void add_vpn(Keys& keys) {
    using Kind = vpn::WireguardKind;
    keys.push_back(choice<Kind>(
        "vpn", "wireguard", "builtin",
        {{"builtin", Kind::builtin}, {"kernel", Kind::kernel}, {"program", Kind::program}},
        "Who carries the tunnels' packets. builtin: the daemon itself, which needs /dev/net/tun only; kernel: the "
        "kernel's WireGuard; program: wireguard-go, which must be installed.",
        [](Config& c) -> Kind& { return c.vpn.wireguard; }));
}

void add_consumer(Keys& keys) {
    keys.push_back(flag("consumer", "enabled", true, "Whether this node may buy connections.",
                        [](Config& c) -> bool& { return c.consumer.enabled; }));
    keys.push_back(chunk_size());
    keys.push_back(choice<pay::TickUse>(
        "consumer", "ticks", "auto",
        {{"auto", pay::TickUse::automatic}, {"always", pay::TickUse::always}, {"never", pay::TickUse::never}},
        "Whether small payments are words of a hash chain, which take no signature each. auto: where a signature for "
        "each chunk would take more than a hundredth of the processor.",
        [](Config& c) -> pay::TickUse& { return c.consumer.ticks; }));
    keys.push_back(optional_tokens("consumer", "max_price_gib", "1",
                                   "Dearest accepted price per GiB, whatever a command asks for. Empty: no limit.",
                                   [](Config& c) -> std::optional<Amount>& { return c.consumer.max_price_gib; }));
    keys.push_back(optional_tokens("consumer", "max_price_hour", "0.1",
                                   "Dearest accepted price per hour, whatever a command asks for. Empty: no limit.",
                                   [](Config& c) -> std::optional<Amount>& { return c.consumer.max_price_hour; }));
    keys.push_back(
        tokens("consumer", "risk_limit", "0.01",
               "The most that may be paid in one connection for what has not arrived. Offers whose least chunk, "
               "tolerance and ten seconds cost more are refused; a provider that keeps vanishing is left at this sum.",
               [](Config& c) -> Amount& { return c.consumer.risk_limit; }));
    keys.push_back(tokens("consumer", "reserve_ahead", "0",
                          "By how much a provider may set aside more of the deposit than it was paid, so that it "
                          "settles less often. What is set aside comes back when the lane is released.",
                          [](Config& c) -> Amount& { return c.consumer.reserve_ahead; }));
    keys.push_back(
        flag("consumer", "publish_receipts", false,
             "Tell everybody, under the payment signer's address, how much was carried in each connection and "
             "whether it ended well. Feeds the reputation of providers, and shows which of them this signer uses.",
             [](Config& c) -> bool& { return c.consumer.publish_receipts; }));
    keys.push_back(resolvers("consumer", {"9.9.9.9", "1.1.1.1"}, 1,
                             "Resolvers used through the tunnel when the provider offers none.",
                             [](Config& c) -> Texts& { return c.consumer.dns; }));
    keys.push_back(number("consumer", "tolerance_percent", 2, 0, 20,
                          "How far the provider's meter may be above the own one before the connection is ended.",
                          [](Config& c) -> std::uint32_t& { return c.consumer.tolerance_percent; }));
}

void add_offer(Keys& keys) {
    keys.push_back(flag("provider", "enabled", false, "Whether this node may sell its connection.",
                        [](Config& c) -> bool& { return c.provider.enabled; }));
    keys.push_back(flag("provider", "autostart", false, "Offer the service as soon as the daemon runs.",
                        [](Config& c) -> bool& { return c.provider.autostart; }));
    keys.push_back(text(
        "provider", "country", "", "two upper-case letters of ISO 3166-1 such as \"DE\", or empty",
        [](std::string_view value) { return value.empty() || node::is_country(value); },
        "Where the exit is. Empty: not stated, so consumers who filter by country do not find it.",
        [](Config& c) -> Text& { return c.provider.country; }));
    keys.push_back(text(
        "provider", "city", "", "at most 64 bytes in one line",
        [](std::string_view value) { return value.empty() || node::is_city(value); },
        "City of the exit, such as \"Hamburg\". Empty: not stated.",
        [](Config& c) -> Text& { return c.provider.city; }));
    keys.push_back(text(
        "provider", "name", "", "at most 64 bytes in one line",
        [](std::string_view value) { return is_line(value, node::kMaxName); }, "Name shown in proposals.",
        [](Config& c) -> Text& { return c.provider.name; }));
    keys.push_back(text(
        "provider", "terms", "", "at most 1024 bytes in one line",
        [](std::string_view value) { return is_line(value, node::kMaxTerms); }, "Terms of use shown in proposals.",
        [](Config& c) -> Text& { return c.provider.terms; }));
    keys.push_back(tokens("provider", "price_gib", "0.1", "Price per GiB (2^30 bytes of IP packets, both directions).",
                          [](Config& c) -> Amount& { return c.provider.price_gib; }));
    keys.push_back(tokens("provider", "price_hour", "0", "Price per hour, owed besides the price per GiB.",
                          [](Config& c) -> Amount& { return c.provider.price_hour; }));
    keys.push_back(tokens("provider", "stake", "0", "Locked in the registry while registered; refundable.",
                          [](Config& c) -> Amount& { return c.provider.stake; }));
    keys.push_back(number("provider", "max_sessions", 256, 1, 65000, "Consumers served at a time.",
                          [](Config& c) -> std::uint32_t& { return c.provider.max_sessions; }));
}

void add_credit(Keys& keys) {
    keys.push_back(number("provider", "credit_bytes", 1048576, 0, 1'073'741'824,
                          "Bytes whose price is forwarded ahead of payment, besides that of 30 seconds: the most a "
                          "payer gets for nothing.",
                          [](Config& c) -> std::uint64_t& { return c.provider.credit_bytes; }));
    keys.push_back(tokens("provider", "risk_limit", "0.02",
                          "The most one payer may owe in vouchers that the chain has not reserved yet.",
                          [](Config& c) -> Amount& { return c.provider.risk_limit; }));
    keys.push_back(tokens("provider", "min_free", "0.05", "Free deposit a consumer must have to be accepted.",
                          [](Config& c) -> Amount& { return c.provider.min_free; }));
}

void add_settlement(Keys& keys) {
    keys.push_back(number("provider", "settle_trigger_percent", 50, 0, 100,
                          "Vouchers of a payer are settled when more than so much of the risk limit rests on its "
                          "signature alone.",
                          [](Config& c) -> std::uint32_t& { return c.provider.settle_trigger_percent; }));
    keys.push_back(tokens("provider", "gas_price_in_tokens", "0.001",
                          "What a million gas costs you, in tokens: the usual gas price times what ether is worth in "
                          "tokens. The daemon cannot know the latter. \"0\": gas costs nothing.",
                          [](Config& c) -> Amount& { return c.provider.gas_price_in_tokens; }));
    keys.push_back(number("provider", "settle_overhead_percent", 2, 0, 100,
                          "Vouchers are settled together as soon as gas costs at most so much of what they bring. 0: "
                          "never for that reason.",
                          [](Config& c) -> std::uint32_t& { return c.provider.settle_overhead_percent; }));
    keys.push_back(tokens("provider", "settle_minimum", "0.0002",
                          "A payer's vouchers that would bring less are settled on request only.",
                          [](Config& c) -> Amount& { return c.provider.settle_minimum; }));
    keys.push_back(flag("provider", "settle_at_session_end", false,
                        "Whether a payer's vouchers are settled when its session is over, if they bring more than the "
                        "gas costs.",
                        [](Config& c) -> bool& { return c.provider.settle_at_session_end; }));
    keys.push_back(number("provider", "settle_max_age_hours", 168, 0, 8760,
                          "What was paid so long ago is settled, if it brings more than the gas costs. 0: no limit.",
                          [](Config& c) -> std::chrono::hours& { return c.provider.settle_max_age; }));
    keys.push_back(
        flag("provider", "release_on_request", true,
             "Whether a payer that asks for what its lane reserves gets it as soon as all it has paid is "
             "drawn for good, instead of after the contract's window. Costs a transaction; done only if that "
             "is within settle_overhead_percent of what the lane has brought.",
             [](Config& c) -> bool& { return c.provider.release_on_request; }));
    keys.push_back(number("provider", "outage_tolerated_minutes", 480, 1, 10'080,
                          "The longest time without access to the chain that must cost nothing. Twice as long before a "
                          "payer can take money out, its vouchers are settled.",
                          [](Config& c) -> std::chrono::minutes& { return c.provider.outage_tolerated; }));
}

void add_exit(Keys& keys) {
    keys.push_back(text(
        "provider", "endpoint", "", "a public IPv4 address, alone or with port, or empty",
        [](std::string_view value) { return value.empty() || is_public_endpoint(value); },
        "Public address consumers connect to; sent to accepted consumers only. Required if the provider is enabled.",
        [](Config& c) -> Text& { return c.provider.endpoint; }));
    keys.push_back(number("provider", "wireguard_port", 51820, 0, 65535, "UDP port of the tunnel; 0: any free port.",
                          [](Config& c) -> std::uint16_t& { return c.provider.wireguard_port; }));
    keys.push_back(
        resolvers("provider", {}, 0,
                  "Resolvers consumers use through the tunnel. Empty: consumers use those of their own choice.",
                  [](Config& c) -> Texts& { return c.provider.dns; }));
    keys.push_back(text("provider", "pool", "100.64.0.0/16", "an IPv4 network inside 100.64.0.0/10, of /29 or wider",
                        is_pool, "Addresses inside the tunnel; the first is the provider's.",
                        [](Config& c) -> Text& { return c.provider.pool; }));
    keys.push_back(text(
        "provider", "uplink", "", "the name of a network interface, or empty",
        [](std::string_view value) { return value.empty() || is_interface(value); },
        "Interface to the internet. Empty: that of the default route.",
        [](Config& c) -> Text& { return c.provider.uplink; }));
    keys.push_back(list("provider", "deny", {}, "IP networks", is_network,
                        "Destinations never forwarded to, besides private, loopback and other special ranges.",
                        [](Config& c) -> Texts& { return c.provider.deny; }));
    keys.push_back(list("provider", "allow", {}, "IP networks", is_network,
                        "Exceptions to all denied destinations. Opens your own network to strangers: use with care.",
                        [](Config& c) -> Texts& { return c.provider.allow; }));
}

}  // namespace

std::string ConfigKey::path() const {
    return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

std::span<const ConfigKey> config_keys() {
    static const Keys kKeys = [] {
        Keys keys;
        add_general(keys);
        add_chain(keys);
        add_db(keys);
        add_keys(keys);
        add_vpn(keys);
        add_consumer(keys);
        add_offer(keys);
        add_credit(keys);
        add_settlement(keys);
        add_exit(keys);
        return keys;
    }();
    return kKeys;
}

std::span<const ConfigSection> config_sections() {
    static constexpr ConfigSection kSections[] = {
        {"", "General."},
        {"log", "Log lines go to standard error."},
        {"api", "The web API, which the console uses."},
        {"chain", "Ethereum: where deposits, the registry and settlements live."},
        {"db", "The Mysterium database: proposals and session messages."},
        {"keys", "Keys are files in data_dir/keys, encrypted under one password."},
        {"vpn", "Tunnels, of connections that are bought and of those that are sold."},
        {"consumer", "Buying connections."},
        {"provider", "Selling this machine's connection."},
    };
    return kSections;
}

std::string toml_text(const ConfigValue& value) {
    if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
    if (const auto* one = std::get_if<Text>(&value)) {
        std::string quoted = "\"";
        for (char c : *one) {
            if (c == '"' || c == '\\') quoted.push_back('\\');
            quoted.push_back(c);
        }
        return quoted + "\"";
    }
    std::string items;
    for (const auto& item : std::get<Texts>(value)) items += (items.empty() ? "" : ", ") + toml_text(item);
    return "[" + items + "]";
}

}  // namespace myst::app
