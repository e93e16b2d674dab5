#include "myst/wireguard/uapi_device.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::ip;
using test::Pair;
using test::prefix;

const std::string kPeer = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";

class UapiTest : public testing::Test {
protected:
    Pair pair;
    SocketSettings socket;
    Actions actions;

    std::string ask(const std::string& lines) {
        return std::string(answer_uapi(pair.a.device(), socket, lines + "\n", pair.clock.now(), actions).view());
    }
    std::string set(const std::string& lines) { return ask("set=1\n" + lines); }
    std::string peer_line(const TunnelKey& key) { return "public_key=" + key.hex() + "\n"; }
};

constexpr const char* kOk = "errno=0\n\n";
constexpr const char* kInvalid = "errno=-22\n\n";

// The example of the protocol's description.
TEST(Uapi, ReadsTheDocumentedExampleButForItsZone) {
    const auto parsed = parse_uapi_request(
        "set=1\nprivate_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\nfwmark=0\n"
        "listen_port=12912\nreplace_peers=true\npublic_key=" +
        kPeer +
        "\npreshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\nreplace_allowed_ips=true\n"
        "endpoint=[abcd:23::33%]:51820\n\n");
    EXPECT_FALSE(parsed) << "zones are not taken";
    const auto request = parse_uapi_request(
        "set=1\nprivate_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\nfwmark=7\n"
        "listen_port=12912\nreplace_peers=true\npublic_key=" +
        kPeer +
        "\npreshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\nreplace_allowed_ips=true\n"
        "endpoint=[abcd:23::33]:51820\nallowed_ip=192.168.4.4/32\nallowed_ip=-10.0.0.0/8\n"
        "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\nupdate_only=true\n"
        "endpoint=182.122.22.19:3233\npersistent_keepalive_interval=111\nprotocol_version=1\n"
        "public_key=662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58\nremove=true\n\n");
    ASSERT_TRUE(request);
    const auto& set = std::get<SetRequest>(*request);
    EXPECT_EQ(to_hex(set.private_key->expose()), "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a");
    EXPECT_EQ(set.fwmark, 7U);
    EXPECT_EQ(set.listen_port, 12912);
    EXPECT_TRUE(set.replace_peers);
    ASSERT_EQ(set.peers.size(), 3U);
    EXPECT_EQ(set.peers[0].key.hex(), kPeer);
    EXPECT_TRUE(set.peers[0].preshared_key);
    EXPECT_TRUE(set.peers[0].replace_allowed_ips);
    EXPECT_EQ(set.peers[0].endpoint, endpoint("[abcd:23::33]:51820"));
    ASSERT_EQ(set.peers[0].allowed_ips.size(), 2U);
    EXPECT_FALSE(set.peers[0].allowed_ips[0].remove);
    EXPECT_EQ(set.peers[0].allowed_ips[1].prefix, prefix("10.0.0.0/8"));
    EXPECT_TRUE(set.peers[0].allowed_ips[1].remove);
    EXPECT_TRUE(set.peers[1].update_only);
    EXPECT_EQ(set.peers[1].persistent_keepalive, 111);
    EXPECT_TRUE(set.peers[2].remove);
}

TEST(Uapi, AnythingElseIsRefusedWithoutQuotingValues) {
    EXPECT_TRUE(std::holds_alternative<GetRequest>(*parse_uapi_request("get=1\n\n")));
    const std::string peer = "set=1\npublic_key=" + kPeer + "\n";
    const std::string secret(63, 'a');
    const std::string private_key = "private_key=" + secret;
    for (const std::string& bad : {std::string(),
                                   std::string("get=1\n"),
                                   std::string("get=1\n\n\n"),
                                   std::string("get=2\n\n"),
                                   std::string("set=1\n"),
                                   std::string("set=1\nlisten_port=65536\n\n"),
                                   std::string("set=1\nlisten_port=\n\n"),
                                   std::string("set=1\nfwmark=4294967296\n\n"),
                                   std::string("set=1\nfwmark=-1\n\n"),
                                   std::string("set=1\nlisten_port\n\n"),
                                   std::string("set=1\nremove=true\n\n"),
                                   std::string("set=1\nendpoint=1.2.3.4:5\n\n"),
                                   std::string("set=1\nreplace_peers=false\n\n"),
                                   std::string("set=1\n\nlisten_port=1\n\n"),
                                   "set=1\n" + private_key + "\n\n",
                                   "set=1\nprivate_key=0x" + secret + "\n\n",
                                   "set=1\n" + private_key + "g\n\n",
                                   std::string("set=1\npublic_key=00\n\n"),
                                   peer + "listen_port=1\n\n",
                                   peer + private_key + "a\n\n",
                                   peer + "persistent_keepalive_interval=65536\n\n",
                                   peer + "allowed_ip=10.0.0.0/33\n\n",
                                   peer + "allowed_ip=--10.0.0.0/8\n\n",
                                   peer + "allowed_ip=\n\n",
                                   peer + "protocol_version=2\n\n",
                                   peer + "last_handshake_time_sec=1\n\n",
                                   peer + "unknown=1\n\n",
                                   peer + "endpoint=1.2.3.4\n\n",
                                   peer + "remove=1\n\n"}) {
        const auto parsed = parse_uapi_request(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().describe().find("aaaa"), std::string::npos) << "a key in an error's text";
    }
}

TEST_F(UapiTest, GetPrintsWhatSetSaid) {
    const auto private_key = to_hex(pair.a.private_key().expose());
    const std::string preshared(64, 'b');
    EXPECT_EQ(set("listen_port=51820\nfwmark=7\n" + peer_line(pair.b.key()) + "preshared_key=" + preshared +
                  "\nendpoint=192.0.2.2:2\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n"
                  "allowed_ip=10.0.0.0/8\nallowed_ip=::/0\n"),
              kOk);
    EXPECT_EQ(socket.listen_port, 51820);
    EXPECT_EQ(actions.size(), 1U) << "the keepalive that was turned on begins a handshake";
    EXPECT_EQ(ask("get=1\n"),
              "private_key=" + private_key + "\nlisten_port=51820\nfwmark=7\n" + peer_line(pair.b.key()) +
                  "preshared_key=" + preshared +
                  "\nprotocol_version=1\nendpoint=192.0.2.2:2\nlast_handshake_time_sec=0\n"
                  "last_handshake_time_nsec=0\ntx_bytes=148\nrx_bytes=0\n"
                  "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\nerrno=0\n\n");
}

TEST_F(UapiTest, GetTellsTheLastHandshake) {
    pair.connect();
    const auto answer = ask("get=1\n");
    EXPECT_NE(
        answer.find("last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=0\ntx_bytes=308\nrx_bytes=92\n"),
        std::string::npos);
}

TEST_F(UapiTest, MalformedRequestChangesNothing) {
    EXPECT_EQ(set("listen_port=1\nreplace_peers=true\nfwmark=x\n"), kInvalid);
    EXPECT_EQ(socket.listen_port, 0);
    EXPECT_TRUE(pair.a.device().find_peer(pair.b.key()));
    EXPECT_EQ(ask("set=2\n"), kInvalid);
}

TEST_F(UapiTest, RemoveReplaceAndUpdateOnly) {
    EXPECT_EQ(set("public_key=" + kPeer + "\nupdate_only=true\nallowed_ip=10.9.0.0/16\n"), kOk);
    EXPECT_EQ(pair.a.device().peers().size(), 1U);
    EXPECT_EQ(set("public_key=" + kPeer + "\nremove=true\n"), kOk);
    EXPECT_EQ(pair.a.device().peers().size(), 1U);
    EXPECT_EQ(set("public_key=" + kPeer + "\nallowed_ip=10.9.0.0/16\n"), kOk);
    EXPECT_EQ(pair.a.device().peers().size(), 2U);
    EXPECT_EQ(set("public_key=" + kPeer + "\nupdate_only=true\nallowed_ip=-10.9.0.0/16\nallowed_ip=10.8.0.0/16\n"),
              kOk);
    EXPECT_FALSE(pair.a.device().route(ip("10.9.0.1")));
    EXPECT_TRUE(pair.a.device().route(ip("10.8.0.1")));
    EXPECT_EQ(set("replace_peers=true\npublic_key=" + kPeer + "\nallowed_ip=10.7.0.0/16\n"), kOk);
    EXPECT_EQ(pair.a.device().peers().size(), 1U);
    EXPECT_FALSE(pair.a.device().route(ip("10.8.0.1")));
    EXPECT_EQ(set("public_key=" + kPeer + "\nremove=true\n"), kOk);
    EXPECT_TRUE(pair.a.device().peers().empty());
}

TEST_F(UapiTest, OwnKeyAsPeerIsPassedOver) {
    EXPECT_EQ(set(peer_line(pair.a.key()) + "allowed_ip=10.3.0.0/16\n" + peer_line(pair.b.key()) +
                  "allowed_ip=10.4.0.0/16\n"),
              kOk);
    EXPECT_FALSE(pair.a.device().find_peer(pair.a.key()));
    EXPECT_FALSE(pair.a.device().route(ip("10.3.0.1")));
    EXPECT_TRUE(pair.a.device().route(ip("10.4.0.1")));
    EXPECT_EQ(set("public_key=" + std::string(64, '0') + "\n"), kInvalid) << "a key of low order";
}

TEST_F(UapiTest, TheSamePrivateKeyAgainKeepsSessionsAndAnotherEndsThem) {
    pair.connect();
    EXPECT_EQ(set("private_key=" + to_hex(pair.a.private_key().expose()) + "\n"), kOk);
    EXPECT_TRUE(pair.a_to_b().keypairs().current());
    EXPECT_EQ(set("private_key=" + std::string(64, '0') + "\n"), kOk);
    EXPECT_FALSE(pair.a_to_b().keypairs().current());
    EXPECT_EQ(set("private_key=" + std::string(64, 'f') + "\n"), kOk);
    EXPECT_TRUE(ask("get=1\n").starts_with("private_key=f8" + std::string(60, 'f') + "7f\n")) << "clamped";
    EXPECT_EQ(set("private_key=" + std::string(64, '0') + "\n"), kOk);
    EXPECT_EQ(pair.a.device().identity(), nullptr);
    EXPECT_FALSE(pair.a_to_b().keypairs().current());
    EXPECT_EQ(ask("get=1\n").find("private_key"), std::string::npos);
}

}  // namespace
}  // namespace myst::wireguard
