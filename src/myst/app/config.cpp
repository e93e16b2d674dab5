// toml++ is compiled in without exceptions; the packaged library has only the throwing form. Its assertions are
// switched off in both build types: some can be reached by input ("[.", "[[["), for which the code behind them reports
// an error, and with NDEBUG they would become assumptions of the optimizer.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0

#include "myst/app/config.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "myst/app/config_keys.hpp"
#include "myst/app/config_rules.hpp"
#include "myst/base/check.hpp"
#include "myst/sys/file.hpp"

namespace myst::app {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxShownValue = 60;

/// Edits (insert, remove, replace a character) between two short texts.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}

/// "did you mean api.port?", or where to look.
std::string nearest_key(std::string_view section, std::string_view name) {
    constexpr std::size_t kMaxName = 64;
    const ConfigKey* best = nullptr;
    std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& key : config_keys()) {
        if (name.size() > kMaxName || section.size() > kMaxName) break;
        const auto distance = edit_distance(name, key.name) + (section == key.section ? 0 : 1);
        if (distance < best_distance) {
            best_distance = distance;
            best = &key;
        }
    }
    if (best == nullptr) return "docs/config.md lists all keys";
    return fmt::format("did you mean {}?", best->path());
}

std::string nearest_section(std::string_view name) {
    constexpr std::size_t kMaxDistance = 3;
    std::string_view best;
    std::size_t best_distance = kMaxDistance;
    for (const auto& section : config_sections()) {
        if (section.name.empty() || name.size() > kMaxShownValue) continue;
        const auto distance = edit_distance(name, section.name);
        if (distance < best_distance) {
            best_distance = distance;
            best = section.name;
        }
    }
    if (best.empty()) return "docs/config.md lists all keys";
    return fmt::format("did you mean [{}]?", best);
}

bool is_section(std::string_view name) {
    const auto sections = config_sections();
    return std::any_of(sections.begin(), sections.end(),
                       [&](auto& each) { return !name.empty() && each.name == name; });
}

std::string shown(std::string_view text) {
    std::string result;
    for (char c : text.substr(0, kMaxShownValue)) result.push_back(c >= ' ' && c <= '~' ? c : '?');
    return result + (text.size() > kMaxShownValue ? "…" : "");
}

std::optional<ConfigValue> texts_of(const toml::array& array) {
    std::vector<std::string> items;
    for (const auto& item : array) {
        const auto text = item.value_exact<std::string>();
        if (!text) return std::nullopt;
        items.push_back(*text);
    }
    return ConfigValue(std::move(items));
}

std::optional<ConfigValue> value_of(const toml::node& node) {
    if (auto truth = node.value_exact<bool>()) return ConfigValue(*truth);
    if (auto integer = node.value_exact<std::int64_t>()) return ConfigValue(*integer);
    if (auto text = node.value_exact<std::string>()) return ConfigValue(std::move(*text));
    if (const auto* array = node.as_array()) return texts_of(*array);
    return std::nullopt;
}

std::string_view type_name(const ConfigValue& value) {
    constexpr std::string_view kNames[] = {"true or false", "an integer", "a string in quotes", "a list of strings"};
    return kNames[value.index()];
}

/// One parse of one text.
class Reader {
public:
    explicit Reader(std::string_view source) : source_(source) {}

    Result<Config> read(const toml::table& root) {
        for (const auto& [key, node] : root) {
            auto done =
                node.is_table() ? read_section(key.str(), *node.as_table(), node) : read_key("", key.str(), node);
            if (!done) return forward_error(done);
        }
        return std::move(config_);
    }

private:
    tl::unexpected<Error> refuse(const toml::node& node, std::string message, std::string cure) const {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{}:{}: {}", source_, node.source().begin.line, std::move(message)), std::move(cure));
    }

    Result<> read_section(std::string_view section, const toml::table& table, const toml::node& node) {
        if (!is_section(section)) {
            return refuse(node, fmt::format("unknown section [{}]", shown(section)), nearest_section(section));
        }
        for (const auto& [key, value] : table) {
            if (auto done = read_key(section, key.str(), value); !done) return done;
        }
        return {};
    }

    Result<> read_key(std::string_view section, std::string_view name, const toml::node& node) {
        const auto keys = config_keys();
        const auto key = std::find_if(keys.begin(), keys.end(),
                                      [&](auto& each) { return each.section == section && each.name == name; });
        if (key != keys.end()) return store(*key, node);
        if (section.empty() && is_section(name)) {
            return refuse(node, fmt::format("{} is a section, not a key", name), fmt::format("write [{}]", name));
        }
        const auto path = section.empty() ? shown(name) : fmt::format("{}.{}", section, shown(name));
        return refuse(node, "unknown key " + path, nearest_key(section, name));
    }

    Result<> store(const ConfigKey& key, const toml::node& node) {
        const auto value = value_of(node);
        const bool fits = value && (value->index() == key.initial.index() ||
                                    (key.may_be_integer && std::holds_alternative<std::int64_t>(*value)));
        if (!fits) {
            return refuse(node, fmt::format("{} has the wrong type: expected {}", key.path(), type_name(key.initial)),
                          fmt::format("for example {} = {}", key.name, toml_text(key.initial)));
        }
        if (key.store(config_, *value)) return {};
        const auto given = key.is_private ? std::string() : " = " + shown(toml_text(*value));
        return refuse(node, fmt::format("{}{} is not permitted", key.path(), given), "permitted: " + key.permitted);
    }

    std::string source_;
    Config config_ = default_config();
};

tl::unexpected<Error> missing(std::string message, std::string cure) {
    return fail(ErrorCode::invalid_argument, "config: " + std::move(message), std::move(cure));
}

Result<> check_complete_chain(const ChainConfig& chain) {
    if (chain.endpoints.empty()) {
        return missing("chain.endpoints is empty", "set it to the URL of an Ethereum endpoint");
    }
    auto urls = chain.endpoints;
    std::sort(urls.begin(), urls.end());
    if (std::adjacent_find(urls.begin(), urls.end()) != urls.end()) {
        return missing("chain.endpoints names one endpoint twice", "an endpoint cannot confirm itself; remove one");
    }
    if (chain.quorum > chain.endpoints.size()) {
        return missing(
            fmt::format("chain.quorum is {}, but chain.endpoints has {}", chain.quorum, chain.endpoints.size()),
            "lower it, or add endpoints");
    }
    if (chain.confirmations > chain.reorg_limit) {
        return missing(fmt::format("chain.confirmations is {}, above chain.reorg_limit, which is {}",
                                   chain.confirmations, chain.reorg_limit),
                       "lower one or raise the other");
    }
    if (chain.lanes.is_zero() || chain.token.is_zero()) {
        return missing(fmt::format("chain.{} is not set", chain.lanes.is_zero() ? "lanes" : "token"),
                       "set it to the contract's address on this chain");
    }
    return {};
}

Result<> check_complete_db(const DbConfig& db) {
    if (db.listen.empty() && db.relays.empty()) {
        return missing("db.listen and db.relays are both empty: the node would find nobody",
                       "set db.relays to relays to use, or db.listen to run one");
    }
    if ((db.auth_for_mailboxes || db.gift_wraps) && !db.public_url) {
        return missing(fmt::format("db.{} is true, but db.public_url is empty: no client could prove who it is",
                                   db.auth_for_mailboxes ? "auth_for_mailboxes" : "gift_wraps"),
                       "set db.public_url to the URL at which clients reach the relay");
    }
    if (const auto& url = db.public_url; url && !db.private_peers && !is_for_strangers(*url)) {
        return missing(fmt::format("db.public_url \"{}\" is no address that other nodes connect to", url->text()),
                       "give a public address or name, and port 80, 443, or one from 1024; in a test network set "
                       "db.private_peers = true");
    }
    return {};
}

}  // namespace

Config default_config() {
    Config config;
    for (const auto& key : config_keys()) CHECK(key.store(config, key.initial));
    return config;
}

Result<Config> parse_config(std::string_view text, std::string_view source) {
    if (text.size() > kMaxFileBytes) {
        return fail(ErrorCode::limit_exceeded, fmt::format("{}: a configuration is at most 1 MiB", source));
    }
    const auto parsed = toml::parse(text, source);
    if (!parsed) {
        const auto& error = parsed.error();
        return fail(ErrorCode::invalid_argument, fmt::format("{}:{}: not valid TOML: {}", source,
                                                             error.source().begin.line, shown(error.description())));
    }
    return Reader(source).read(parsed.table());
}

Result<> check_complete(const Config& config) {
    if (auto chain = check_complete_chain(config.chain); !chain) return chain;
    if (auto db = check_complete_db(config.db); !db) return db;
    if (config.provider.autostart && !config.provider.enabled) {
        return missing("provider.autostart is true, but provider.enabled is false", "set provider.enabled to true");
    }
    if (config.provider.enabled && config.provider.endpoint.empty()) {
        return missing("provider.enabled is true, but provider.endpoint is empty",
                       "set provider.endpoint to this machine's public IPv4 address");
    }
    return {};
}

Result<Config> load_config(const std::string& path) {
    auto content = sys::read_file(path, kMaxFileBytes);
    if (!content) return forward_error(content, "reading the configuration");
    auto config = parse_config(as_text(*content), path);
    if (!config) return config;
    if (auto complete = check_complete(*config); !complete) return forward_error(complete, path);
    return config;
}

}  // namespace myst::app
