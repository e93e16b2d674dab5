#include "myst/app/database.hpp"

#include <gtest/gtest.h>

namespace myst::app {
namespace {

TEST(RelaysToAnnounce, HoldNoPrivateAddress) {
    const std::vector<std::string> peers = {
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
    EXPECT_TRUE(relays_to_announce(peers).empty()) << relays_to_announce(peers).front();
}

TEST(RelaysToAnnounce, HoldEveryPublicOneInNormalForm) {
    const std::vector<std::string> peers = {"ws://11.0.0.3:7777", "WSS://Relay.Example.ORG:443/", "ws://10.0.0.1",
                                            "wss://[2a00:1450::1]:8443/path"};
    const std::vector<std::string> expected = {"ws://11.0.0.3:7777", "wss://relay.example.org",
                                               "wss://[2a00:1450::1]:8443/path"};
    EXPECT_EQ(relays_to_announce(peers), expected);
}

}  // namespace
}  // namespace myst::app
