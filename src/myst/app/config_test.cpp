#include "myst/app/config.hpp"

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "myst/app/config_keys.hpp"
#include "myst/node/proposal_record.hpp"

namespace myst::app {
namespace {

constexpr std::string_view kLanes = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
constexpr std::string_view kToken = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";

Config parsed(std::string_view text) {
    auto config = parse_config(text);
    EXPECT_TRUE(config) << config.error().describe();
    return config ? *config : Config{};
}

Error refused(std::string_view text) {
    auto config = parse_config(text, "node.toml");
    EXPECT_FALSE(config) << text;
    return config ? Error{} : config.error();
}

std::string line_of(const ConfigKey& key, const std::string& value) {
    const auto assignment = fmt::format("{} = {}\n", key.name, value);
    return key.section.empty() ? assignment : fmt::format("[{}]\n{}", key.section, assignment);
}

TEST(Config, AnEmptyTextMeansTheDefaults) {
    const auto config = parsed("");
    EXPECT_EQ(config.data_dir, "/var/lib/mystd");
    EXPECT_EQ(config.log_level, log::Level::info);
    EXPECT_EQ(config.api.port, 4449);
    EXPECT_EQ(config.chain.poll, milliseconds(1000));
    EXPECT_EQ(config.chain.mode, ChainMode::index);
    EXPECT_TRUE(config.consumer.enabled);
    EXPECT_EQ(config.consumer.max_price_gib, *parse_tokens("1"));
    EXPECT_EQ(config.consumer.max_price_hour, *parse_tokens("0.1"));
    EXPECT_EQ(config.consumer.risk_limit, *parse_tokens("0.01"));
    EXPECT_EQ(config.consumer.dns, (std::vector<std::string>{"9.9.9.9", "1.1.1.1"}));
    EXPECT_EQ(config.provider.price_gib.to_string(), "100000000000000000");
    EXPECT_EQ(config.provider.risk_limit.to_string(), "20000000000000000");
    EXPECT_EQ(config.provider.pool, "100.64.0.0/16");
}

TEST(Config, EveryKeyReachesItsField) {
    const auto config = parsed(fmt::format(R"(
data_dir = "/srv/myst"
log.level = "debug"
[api]
address = "::1"
port = 0
[chain]
endpoints = ["https://rpc.example/key", "http://127.0.0.1:1"]
quorum = 2
chain_id = 31337
genesis = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
lanes = "{}"
token = "{}"
mode = "light"
poll_ms = 100
confirmations = 3
reorg_limit = 20
start_block = 17
max_fee_gwei = 50
max_fees_per_hour = "0.75"
[db]
listen = "0.0.0.0:7777"
relays = ["ws://192.0.2.1:7777", "wss://other.example/x"]
peer_target = 12
private_peers = true
max_connections = 5
min_pow_bits = 17
public_url = "wss://relay.example"
auth_for_mailboxes = true
gift_wraps = true
[keys]
strength = "light"
password_file = "/run/secrets/pw"
[vpn]
wireguard = "program"
[consumer]
enabled = false
chunk_bytes = 65536
ticks = "always"
max_price_gib = "1.5"
max_price_hour = "2.5"
risk_limit = "0.5"
dns = ["8.8.8.8"]
tolerance_percent = 3
[provider]
enabled = true
autostart = true
country = "DE"
name = "Exit"
terms = "be kind"
price_gib = "0.2"
price_hour = "0.01"
endpoint = "5.9.0.1:51820"
wireguard_port = 51821
credit_bytes = 131072
risk_limit = "0.03"
min_free = "0.06"
dns = ["9.9.9.9", "149.112.112.112"]
pool = "100.99.0.0/24"
uplink = "eth0"
deny = ["198.18.0.0/15"]
allow = ["10.1.0.0/16", "2001:db8::1"]
stake = "10"
max_sessions = 7
)",
                                           kLanes, kToken));
    EXPECT_EQ(config.data_dir, "/srv/myst");
    EXPECT_EQ(config.log_level, log::Level::debug);
    EXPECT_EQ(config.api.address, "::1");
    EXPECT_EQ(config.api.port, 0);
    EXPECT_EQ(config.chain.endpoints, (std::vector<std::string>{"https://rpc.example/key", "http://127.0.0.1:1"}));
    EXPECT_EQ(config.chain.quorum, 2U);
    EXPECT_EQ(config.chain.genesis.hex(), "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
    EXPECT_EQ(config.chain.reorg_limit, 20U);
    EXPECT_EQ(config.chain.chain_id, 31337U);
    EXPECT_EQ(config.chain.lanes, *Address::parse(kLanes));
    EXPECT_EQ(config.chain.token, *Address::parse(kToken));
    EXPECT_EQ(config.chain.mode, ChainMode::light);
    EXPECT_EQ(config.chain.poll, milliseconds(100));
    EXPECT_EQ(config.chain.confirmations, 3U);
    EXPECT_EQ(config.chain.start_block, 17U);
    EXPECT_EQ(config.chain.max_fee_gwei, 50U);
    EXPECT_EQ(config.chain.max_fees_per_hour, *parse_tokens("0.75"));
    EXPECT_EQ(config.db.listen, "0.0.0.0:7777");
    EXPECT_EQ(config.db.relays, (std::vector<std::string>{"ws://192.0.2.1:7777", "wss://other.example/x"}));
    EXPECT_EQ(config.db.peer_target, 12U);
    EXPECT_TRUE(config.db.private_peers);
    EXPECT_EQ(config.db.max_connections, 5U);
    EXPECT_EQ(config.db.min_pow_bits, 17U);
    EXPECT_EQ(config.db.public_url.value().text(), "wss://relay.example");
    EXPECT_TRUE(config.db.auth_for_mailboxes);
    EXPECT_TRUE(config.db.gift_wraps);
    EXPECT_EQ(config.keys.strength, KeyStrength::light);
    EXPECT_EQ(config.keys.password_file, "/run/secrets/pw");
    EXPECT_FALSE(config.consumer.enabled);
    EXPECT_EQ(config.consumer.chunk_bytes, 65536U);
    EXPECT_EQ(config.vpn.wireguard, vpn::WireguardKind::program);
    EXPECT_EQ(config.consumer.ticks, pay::TickUse::always);
    EXPECT_EQ(config.consumer.max_price_gib, *parse_tokens("1.5"));
    EXPECT_EQ(config.consumer.max_price_hour, *parse_tokens("2.5"));
    EXPECT_EQ(config.consumer.risk_limit, *parse_tokens("0.5"));
    EXPECT_EQ(config.consumer.tolerance_percent, 3U);
    EXPECT_EQ(config.consumer.dns, std::vector<std::string>{"8.8.8.8"});
    EXPECT_TRUE(config.provider.enabled);
    EXPECT_TRUE(config.provider.autostart);
    EXPECT_EQ(config.provider.country, "DE");
    EXPECT_EQ(config.provider.name, "Exit");
    EXPECT_EQ(config.provider.terms, "be kind");
    EXPECT_EQ(config.provider.price_gib, *parse_tokens("0.2"));
    EXPECT_EQ(config.provider.price_hour, *parse_tokens("0.01"));
    EXPECT_EQ(config.provider.endpoint, "5.9.0.1:51820");
    EXPECT_EQ(config.provider.wireguard_port, 51821);
    EXPECT_EQ(config.provider.credit_bytes, 131072U);
    EXPECT_EQ(config.provider.risk_limit, *parse_tokens("0.03"));
    EXPECT_EQ(config.provider.min_free, *parse_tokens("0.06"));
    EXPECT_EQ(config.provider.dns, (std::vector<std::string>{"9.9.9.9", "149.112.112.112"}));
    EXPECT_EQ(config.provider.pool, "100.99.0.0/24");
    EXPECT_EQ(config.provider.uplink, "eth0");
    EXPECT_EQ(config.provider.deny, (std::vector<std::string>{"198.18.0.0/15"}));
    EXPECT_EQ(config.provider.allow, (std::vector<std::string>{"10.1.0.0/16", "2001:db8::1"}));
    EXPECT_EQ(config.provider.stake, *parse_tokens("10"));
    EXPECT_EQ(config.provider.max_sessions, 7U);
    EXPECT_TRUE(check_complete(config));
}

TEST(Config, EveryKeyRefusesEveryOtherType) {
    const std::string values[] = {"true",       "3",         "\"x\"", "[\"x\"]",  "1.5",
                                  "2024-01-01", "{ a = 1 }", "[1]",   "[[\"x\"]]"};
    for (const auto& key : config_keys()) {
        for (std::size_t type = 0; type < std::size(values); ++type) {
            if (type == key.initial.index()) continue;
            const auto error = refused(line_of(key, values[type]));
            EXPECT_EQ(error.code, ErrorCode::invalid_argument) << key.path() << " " << values[type];
            EXPECT_NE(error.message.find(key.path()), std::string::npos) << error.message;
        }
    }
}

TEST(Config, EveryDefaultIsPermittedAndEveryIntegerHasLimits) {
    for (const auto& key : config_keys()) {
        EXPECT_TRUE(parse_config(line_of(key, toml_text(key.initial)))) << key.path();
        if (!std::holds_alternative<std::int64_t>(key.initial)) continue;
        for (const auto* value : {"-1", "-9223372036854775808", "9223372036854775807"}) {
            const auto error = refused(line_of(key, value));
            EXPECT_NE(error.message.find(fmt::format("{} = {}", key.path(), value)), std::string::npos)
                << error.message;
            EXPECT_NE(error.cure.find("an integer from"), std::string::npos) << error.cure;
        }
    }
}

struct BadValue {
    const char* section;
    const char* assignment;
};

class ConfigRefuses : public testing::TestWithParam<BadValue> {};

TEST_P(ConfigRefuses, WithKeyValueAndWhatIsPermitted) {
    const auto [section, assignment] = GetParam();
    const auto error = refused(*section ? fmt::format("[{}]\n{}", section, assignment) : std::string(assignment));
    EXPECT_EQ(error.code, ErrorCode::invalid_argument);
    EXPECT_NE(error.message.find("is not permitted"), std::string::npos) << error.message;
    EXPECT_NE(error.cure.find("permitted: "), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigRefuses,
    testing::Values(
        BadValue{"", "data_dir = \"relative\""}, BadValue{"", "data_dir = \"/a/../b\""},
        BadValue{"", "data_dir = \"\""}, BadValue{"log", "level = \"verbose\""},
        BadValue{"api", "address = \"0.0.0.0\""}, BadValue{"api", "address = \"192.168.1.1\""},
        BadValue{"api", "address = \"localhost\""}, BadValue{"api", "port = 65536"},
        BadValue{"chain", "endpoints = [\"ftp://x\"]"}, BadValue{"chain", "endpoints = [\"\"]"},
        BadValue{"chain", "quorum = -1"}, BadValue{"chain", "genesis = \"0x12\""}, BadValue{"chain", "reorg_limit = 0"},
        BadValue{"chain", "chain_id = 0"}, BadValue{"chain", "poll_ms = 49"}, BadValue{"chain", "confirmations = 0"},
        BadValue{"chain", "mode = \"full\""}, BadValue{"chain", "max_fees_per_hour = \"-1\""},
        BadValue{"chain", "lanes = \"0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed\""},
        BadValue{"chain", "token = \"0x12\""}, BadValue{"db", "listen = \"0.0.0.0\""},
        BadValue{"db", "listen = \"example.org:1\""}, BadValue{"db", "listen = \"0.0.0.0:0\""},
        BadValue{"db", "listen = \"::1:7777\""}, BadValue{"db", "relays = [\"ws://ok\", \"nonsense\"]"},
        BadValue{"keys", "strength = \"weak\""}, BadValue{"keys", "password_file = \"pw\""},
        BadValue{"vpn", "wireguard = \"wireguard-go\""}, BadValue{"consumer", "chunk_bytes = 65535"},
        BadValue{"consumer", "chunk_bytes = 16777217"}, BadValue{"consumer", "chunk_bytes = \"1048576\""},
        BadValue{"consumer", "ticks = \"sometimes\""}, BadValue{"consumer", "max_price_gib = \"-1\""},
        BadValue{"consumer", "max_price_gib = \"1e3\""}, BadValue{"consumer", "tolerance_percent = 21"},
        BadValue{"provider", "country = \"de\""}, BadValue{"provider", "country = \"DEU\""},
        BadValue{"provider", "name = \"two\\nlines\""}, BadValue{"provider", "price_gib = \"\""},
        BadValue{"provider", "price_gib = \"0.1234567890123456789\""},
        BadValue{"provider", "endpoint = \"example.org\""}, BadValue{"provider", "endpoint = \"192.168.1.2\""},
        BadValue{"provider", "endpoint = \"[2001:db8::1]:5\""}, BadValue{"provider", "endpoint = \"1.2.3.4:5:6\""},
        BadValue{"provider", "endpoint = \"1.2.3.4:0\""}, BadValue{"provider", "dns = [\"dns.example\"]"},
        BadValue{"provider", "dns = [\"192.168.1.1\"]"}, BadValue{"provider", "dns = [\"2620:fe::fe\"]"},
        BadValue{"provider", "dns = [\"9.9.9.1\", \"9.9.9.2\", \"9.9.9.3\", \"9.9.9.4\", \"9.9.9.5\"]"},
        BadValue{"consumer", "dns = []"}, BadValue{"consumer", "dns = [\"168.63.129.16\"]"},
        BadValue{"provider", "pool = \"10.99.0.0/24\""}, BadValue{"provider", "pool = \"100.0.0.0/8\""},
        BadValue{"provider", "pool = \"100.64.0.1/16\""}, BadValue{"provider", "pool = \"100.64.0.0/31\""},
        BadValue{"provider", "pool = \"fd00::/64\""}, BadValue{"provider", "uplink = \"a name\""},
        BadValue{"provider", "uplink = \"0123456789abcdef\""}, BadValue{"provider", "deny = [\"10.0.0.0/33\"]"},
        BadValue{"provider", "max_sessions = 0"}));

TEST(Config, TermsMayBeAsLongAsAProposalCarries) {
    const std::string longest(node::kMaxTerms, 'x');
    EXPECT_EQ(parsed("[provider]\nterms = \"" + longest + "\"").provider.terms, longest);
    EXPECT_EQ(refused("[provider]\nterms = \"" + longest + "x\"").cure, "permitted: at most 1024 bytes in one line");
}

TEST(Config, AnErrorNamesFileAndLine) {
    const auto error = refused("\n[api]\n\nport = 70000\n");
    EXPECT_EQ(error.message, "node.toml:4: api.port = 70000 is not permitted");
    EXPECT_EQ(error.cure, "permitted: an integer from 0 to 65535");
}

TEST(Config, AnUnknownKeyComesWithTheNearestKnownOne) {
    EXPECT_EQ(refused("[api]\nprot = 1").describe(), "node.toml:2: unknown key api.prot (did you mean api.port?)");
    EXPECT_EQ(refused("[db]\nport = 1").cure, "did you mean api.port?");
    EXPECT_EQ(refused("[provider]\nprice_per_gib = \"1\"").cure, "did you mean provider.price_gib?");
    EXPECT_EQ(refused("datadir = \"/x\"").cure, "did you mean data_dir?");
    EXPECT_EQ(refused("[provider]\nquite_different_thing = 1").cure, "docs/config.md lists all keys");
    EXPECT_EQ(refused("[provder]\nenabled = true").describe(),
              "node.toml:1: unknown section [provder] (did you mean [provider]?)");
    EXPECT_EQ(refused("api = 3").cure, "write [api]");
}

TEST(Config, ACredentialInAUrlIsNotShown) {
    const auto error = refused("[chain]\nendpoints = [\"wss://rpc.example/secret-key\"]");
    EXPECT_EQ(error.describe().find("secret-key"), std::string::npos) << error.describe();
}

TEST(Config, BrokenTomlNeverThrows) {
    const auto deep = std::string(100'000, '[');
    for (const std::string& text :
         {std::string("= 3"), std::string("[api\n"), std::string("a = \"\xff\""), deep, std::string("x = ") + deep,
          std::string("[."), std::string("[[ [a"), std::string("port = 1\nport = 2"), std::string(1, '\0'),
          std::string((1U << 20) + 1, '#')}) {
        EXPECT_FALSE(parse_config(text)) << text.substr(0, 20);
    }
    EXPECT_NE(refused("[api]\nport = = 1\n").message.find("node.toml:2: not valid TOML"), std::string::npos);
}

TEST(Config, ADamagedTextIsRefusedOrRead) {
    const auto original = default_config_text();
    const std::string alphabet = "[]{}.=\"'#\n\\ _-0123456789eExX,azAZ\x80\xff";
    std::mt19937 random(4449);
    std::size_t read = 0;
    constexpr int kRounds = 3000;
    for (int round = 0; round < kRounds; ++round) {
        auto text = original.substr(random() % original.size());
        text.resize(std::min<std::size_t>(text.size(), 1 + random() % 400));
        for (auto edits = random() % 6; edits > 0; --edits) {
            text[random() % text.size()] = alphabet[random() % alphabet.size()];
        }
        read += parse_config(text).has_value() ? 1 : 0;
    }
    EXPECT_GT(read, 0U);
    EXPECT_LT(read, static_cast<std::size_t>(kRounds));
}

TEST(Config, ThePrintedDefaultsAreTheDefaults) {
    const auto text = default_config_text();
    const auto config = parse_config(text);
    ASSERT_TRUE(config) << config.error().describe();
    for (const auto& key : config_keys()) {
        EXPECT_NE(text.find(fmt::format("\n{} = {}\n", key.name, toml_text(key.initial))), std::string::npos)
            << key.path();
    }
    EXPECT_EQ(config->provider.pool, default_config().provider.pool);
}

TEST(Config, TheReferenceInDocsIsTheTableOfKeys) {
    const auto path = std::string(MYST_SOURCE_DIR) + "/docs/config.md";
    if (std::getenv("MYST_UPDATE_DOCS") != nullptr) std::ofstream(path) << config_reference();
    std::ifstream file(path);
    std::ostringstream content;
    content << file.rdbuf();
    EXPECT_EQ(content.str(), config_reference()) << "run this test with MYST_UPDATE_DOCS=1 to rewrite docs/config.md";
    for (const auto& key : config_keys()) {
        EXPECT_NE(content.str().find(fmt::format("| `{}` |", key.name)), std::string::npos) << key.path();
    }
}

TEST(Config, SectionsAndKeysFitTogether) {
    for (const auto& key : config_keys()) {
        const auto sections = config_sections();
        EXPECT_TRUE(std::any_of(sections.begin(), sections.end(), [&](auto& s) { return s.name == key.section; }))
            << key.path();
        EXPECT_FALSE(key.meaning.empty());
        EXPECT_FALSE(key.permitted.empty());
    }
}

TEST(Config, StartNeedsContractsAndSomebodyToTalkTo) {
    auto config = default_config();
    EXPECT_NE(check_complete(config).error().message.find("chain.lanes"), std::string::npos);
    config.chain.endpoints.clear();
    EXPECT_NE(check_complete(config).error().message.find("chain.endpoints"), std::string::npos);
    config.chain.endpoints = {"http://127.0.0.1:8545", "http://127.0.0.1:8545"};
    EXPECT_NE(check_complete(config).error().message.find("twice"), std::string::npos);
    config.chain.endpoints = {"http://127.0.0.1:8545"};
    config.chain.quorum = 2;
    EXPECT_NE(check_complete(config).error().message.find("chain.quorum"), std::string::npos);
    config.chain.quorum = 1;
    config.chain.reorg_limit = 2;
    config.chain.confirmations = 3;
    EXPECT_NE(check_complete(config).error().message.find("chain.reorg_limit"), std::string::npos);
    config.chain.confirmations = 2;
    config.chain.lanes = *Address::parse(kLanes);
    EXPECT_NE(check_complete(config).error().message.find("chain.token"), std::string::npos);
    config.chain.token = *Address::parse(kToken);
    EXPECT_NE(check_complete(config).error().message.find("db.relays"), std::string::npos);
    config.db.relays = {"ws://192.0.2.1:7777"};
    EXPECT_TRUE(check_complete(config));
    config.db.gift_wraps = true;
    EXPECT_NE(check_complete(config).error().message.find("db.public_url"), std::string::npos);
    config.db.public_url = *db::RelayUrl::parse("wss://relay.example");
    EXPECT_TRUE(check_complete(config));
    config.provider.autostart = true;
    EXPECT_NE(check_complete(config).error().message.find("provider.enabled"), std::string::npos);
    config.provider.enabled = true;
    EXPECT_NE(check_complete(config).error().message.find("provider.endpoint"), std::string::npos);
    config.provider.endpoint = "5.9.0.1";
    EXPECT_TRUE(check_complete(config));
}

TEST(Config, ThePublicUrlIsNoPrivateAddressUnlessToldSo) {
    auto config = default_config();
    config.chain.endpoints = {"http://127.0.0.1:8545"};
    config.chain.lanes = *Address::parse(kLanes);
    config.chain.token = *Address::parse(kToken);
    config.db.listen = "127.0.0.1:7777";
    for (const char* url : {"ws://127.0.0.1:7777", "ws://10.1.2.3:7777", "ws://[::1]:7777", "ws://localhost:7777",
                            "wss://relay.internal", "ws://11.0.0.3:25"}) {
        config.db.private_peers = false;
        config.db.public_url = *db::RelayUrl::parse(url);
        const auto refused = check_complete(config);
        ASSERT_FALSE(refused) << url;
        EXPECT_NE(refused.error().message.find(url), std::string::npos) << refused.error().message;
        EXPECT_FALSE(refused.error().cure.empty());
        config.db.private_peers = true;
        EXPECT_TRUE(check_complete(config)) << url;
    }
}

TEST(Config, ThePublicUrlIsReadWithTheConfiguration) {
    const auto read = [](const std::string& url) { return parse_config("[db]\npublic_url = \"" + url + "\"\n", "c"); };
    EXPECT_EQ(read("WSS://Relay.Example.ORG:443/").value().db.public_url.value().text(), "wss://relay.example.org");
    EXPECT_FALSE(read("").value().db.public_url);
    for (const auto& url : {std::string("wss://user@relay.example"), std::string("ws://relay.example/#x"),
                            std::string("https://relay.example"), "wss://relay.example/" + std::string(256, 'x')}) {
        const auto refused = read(url);
        ASSERT_FALSE(refused) << url;
        EXPECT_NE(refused.error().message.find("c:2: db.public_url"), std::string::npos) << refused.error().message;
        EXPECT_NE(refused.error().cure.find("256 bytes"), std::string::npos);
    }
}

TEST(Config, AFileIsReadOrRefusedWithItsName) {
    const std::string path = testing::TempDir() + fmt::format("config-{}.toml", ::getpid());
    std::ofstream(path) << fmt::format("[chain]\nlanes = \"{}\"\ntoken = \"{}\"\n[db]\nlisten = \"[::1]:7777\"\n",
                                       kLanes, kToken);
    const auto config = load_config(path);
    ASSERT_TRUE(config) << config.error().describe();
    EXPECT_EQ(config->db.listen, "[::1]:7777");
    std::ofstream(path) << "[api]\nport = -1\n";
    const auto bad = load_config(path);
    ASSERT_FALSE(bad);
    EXPECT_TRUE(bad.error().message.starts_with(path + ":2: ")) << bad.error().message;
    ::unlink(path.c_str());
    EXPECT_EQ(load_config(path).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace myst::app
