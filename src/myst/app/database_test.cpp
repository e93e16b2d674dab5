#include "myst/app/database.hpp"

#include <gtest/gtest.h>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/db/admission.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::app {
namespace {

TEST(RelaysToAnnounce, HoldNoPrivateAddress) {
    DbConfig config;
    config.relays = {
        "ws://127.0.0.1:7777",
        "ws://10.1.2.3:7777",
        "ws://192.168.1.1",
        "wss://100.64.0.1",
        "ws://[::1]:7777",
        "ws://[fd00::1]",
        "ws://[fe80::1]",
        "ws://[::ffff:10.0.0.1]",
        "ws://localhost:7777",
        "ws://node-a:7777",
        "wss://relay.internal",
        "wss://relay.lan",
        "wss://router.local",
        "wss://1.168.192.in-addr.arpa",
        "not a URL",
    };
    EXPECT_TRUE(relays_to_announce(config).empty()) << relays_to_announce(config).front();
}

TEST(RelaysToAnnounce, HoldEveryPublicOneInNormalForm) {
    DbConfig config;
    config.relays = {"ws://11.0.0.3:7777", "WSS://Relay.Example.ORG:443/", "ws://10.0.0.1",
                     "wss://[2a00:1450::1]:8443/path"};
    const std::vector<std::string> expected = {"ws://11.0.0.3:7777", "wss://relay.example.org",
                                               "wss://[2a00:1450::1]:8443/path"};
    EXPECT_EQ(relays_to_announce(config), expected);
}

TEST(RelaysToAnnounce, HoldTheOwnRelayIfEverybodyMayKnowItAndAsManyAsAnOfferMayName) {
    DbConfig config;
    config.relays = {"ws://11.0.0.3:7777", "ws://11.0.0.3:7777/", "ws://10.0.0.1"};
    config.public_url = *db::RelayUrl::parse("wss://own.example.org:443");
    EXPECT_EQ(relays_to_announce(config), (std::vector<std::string>{"ws://11.0.0.3:7777"})) << "it runs no relay";
    config.listen = "0.0.0.0:7777";
    EXPECT_EQ(relays_to_announce(config), (std::vector<std::string>{"wss://own.example.org", "ws://11.0.0.3:7777"}));
    config.private_peers = true;
    EXPECT_EQ(relays_to_announce(config).back(), "ws://10.0.0.1");
    for (int i = 0; i < 20; ++i) config.relays.push_back("ws://11.0.1." + std::to_string(i));
    config.relays.insert(config.relays.begin(), "wss://long.example.org/" + std::string(300, 'x'));
    const auto relays = relays_to_announce(config);
    EXPECT_EQ(relays.size(), 8U);
    EXPECT_EQ(relays[1], "ws://11.0.0.3:7777");
}

Config with_url(const std::string& url, bool private_peers) {
    Config config;
    config.db.public_url = *db::RelayUrl::parse(url);
    config.db.private_peers = private_peers;
    return config;
}

TEST(OwnNodeRecord, IsThereOnlyIfTheOperatorGivesAnAddress) {
    EXPECT_FALSE(own_node_record(Config{}, "1.0"));
    auto config = with_url("WSS://Relay.Example.ORG:443/", false);
    config.provider.enabled = true;
    const auto record = own_node_record(config, "1.0");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->relays.size(), 1U);
    EXPECT_EQ(record->relays.front().text(), "wss://relay.example.org");
    EXPECT_EQ(record->version, "1.0");
    EXPECT_EQ(record->roles, (std::vector<std::string>{"full", "provider"}));
}

TEST(PeersToFind, FillUpToTheTargetAndAreTwoAtLeast) {
    const auto count = [](std::uint32_t target, std::size_t configured) {
        DbConfig config;
        config.peer_target = target;
        config.relays.resize(configured);
        return peers_to_find(config);
    };
    EXPECT_EQ(count(8, 0), 8U);
    EXPECT_EQ(count(8, 3), 5U);
    EXPECT_EQ(count(8, 7), 2U);
    EXPECT_EQ(count(8, 20), 2U);
    EXPECT_EQ(count(1, 1), 2U);
    EXPECT_EQ(count(0, 0), 0U);
    EXPECT_EQ(count(0, 3), 0U);
}

Task<Result<codec::Event>> once_published(ports::RecordNetwork& network) {
    for (;;) {
        std::vector<codec::Filter> filters(1);
        filters.front().kinds = {codec::kNodeRecordKind};
        auto asking = network.query(std::move(filters), 1);
        auto found = co_await std::move(asking);
        if (found && !found->empty()) co_return found->front();
        co_await sleep_for(milliseconds(1));
    }
}

Task<> wait_for_node_record(RecordDatabase& database, TaskGroup& tasks, Result<codec::Event>& record) {
    database.start(tasks);
    std::string never = "no node record was published";
    record = co_await with_timeout(once_published(database.network()), milliseconds(10'000), std::move(never));
    tasks.cancel();
    co_await tasks.join();
}

TEST(OwnNodeRecord, CarriesTheWorkThatRelaysAskOfStrangers) {
    const TemporaryDirectory folder;
    auto config = with_url("ws://127.0.0.1:7777", true);
    config.data_dir = folder.path();
    config.db.listen = "127.0.0.1:0";
    config.db.min_pow_bits = 8;
    SystemClock clock;
    crypto::SystemRng rng;
    WorkerPool workers(1);
    asio::io_context context;
    const auto key = crypto::PrivateKey::generate(rng);
    auto database =
        RecordDatabase::open(config, context.get_executor(), clock, rng, workers, DatabaseOwner{key, "1.0"});
    ASSERT_TRUE(database) << database.error().message;
    TaskGroup tasks(context.get_executor());
    Result<codec::Event> record;
    ASSERT_EQ(run_task(context, wait_for_node_record(**database, tasks, record)), nullptr);
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_TRUE(codec::verify_event(*record));
    EXPECT_EQ(record->pubkey, key.node_key());
    db::AdmissionPolicy policy;
    policy.min_pow_bits = 8;
    EXPECT_FALSE(db::check_work(*record, policy));
    database->reset();
}

}  // namespace
}  // namespace myst::app
