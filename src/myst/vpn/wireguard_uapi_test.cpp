#include "myst/vpn/wireguard_uapi.hpp"

#include <linux/wireguard.h>

#include <gtest/gtest.h>

#include "myst/vpn/wireguard_netlink.hpp"

namespace myst::vpn {
namespace {

TunnelKey key_of(std::uint8_t byte) {
    TunnelKey key;
    key.bytes.fill(byte);
    return key;
}

Secret<32> secret_of(std::string_view hex) {
    Secret<32> secret;
    EXPECT_TRUE(parse_hex_into(hex, secret.expose_mutable()));
    return secret;
}

TEST(WireguardUapi, WritesSettings) {
    const auto secret = secret_of(std::string(64, 'a'));
    DeviceSettings settings;
    settings.private_key = &secret;
    settings.listen_port = 51820;
    settings.mark = 7;
    EXPECT_EQ(encode_uapi(settings),
              "set=1\nprivate_key=" + std::string(64, 'a') + "\nlisten_port=51820\nfwmark=7\n\n");
    EXPECT_EQ(encode_uapi(DeviceSettings{}), "set=1\n\n");
}

TEST(WireguardUapi, WritesPeersWithBothAddressFamilies) {
    PeerSettings peer;
    peer.key = key_of(0x11);
    peer.endpoint = Endpoint{.host = "2001:db8::1", .port = 9};
    peer.allowed_networks = {"100.64.0.2/32", "0.0.0.0/0"};
    peer.keepalive = seconds(25);
    const std::string key(64, '1');
    EXPECT_EQ(encode_uapi(peer), "set=1\npublic_key=" + key +
                                     "\nendpoint=[2001:db8::1]:9\npersistent_keepalive_interval=25\n"
                                     "replace_allowed_ips=true\nallowed_ip=100.64.0.2/32\nallowed_ip=0.0.0.0/0\n\n");
    peer.endpoint->host = "192.0.2.1";
    EXPECT_NE(encode_uapi(peer).view().find("endpoint=192.0.2.1:9\n"), std::string::npos);
    EXPECT_EQ(encode_uapi_removal(peer.key), "set=1\npublic_key=" + key + "\nremove=true\n\n");
}

TEST(WireguardUapi, ReadsStatus) {
    const auto status =
        parse_uapi_status("private_key=" + std::string(64, '9') + "\nlisten_port=4711\nfwmark=1\n" +
                          "public_key=" + std::string(64, '1') +
                          "\nlast_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\n"
                          "tx_bytes=1\nrx_bytes=2\nallowed_ip=100.64.0.2/32\nprotocol_version=1\n"
                          "public_key=" +
                          std::string(64, '2') + "\nlast_handshake_time_sec=0\nfuture_key=x=y\nerrno=0\n\n");
    ASSERT_TRUE(status) << status.error().describe();
    EXPECT_EQ(status->listen_port, 4711);
    ASSERT_EQ(status->peers.size(), 2U);
    EXPECT_EQ(status->peers[0].key, key_of(0x11));
    EXPECT_EQ(status->peers[0].last_handshake, UnixTime(seconds(1'700'000'000)));
    EXPECT_FALSE(status->peers[1].last_handshake);
}

TEST(WireguardUapi, RefusesHostileStatus) {
    const std::string key = "public_key=" + std::string(64, '1') + "\n";
    for (const std::string& text :
         {std::string(), std::string("\n"), std::string("errno=0\n"), std::string("errno=0"),
          std::string("listen_port=65536\nerrno=0\n\n"), std::string("listen_port=-1\nerrno=0\n\n"),
          std::string("listen_port=\nerrno=0\n\n"), std::string("nonsense\nerrno=0\n\n"),
          std::string("public_key=11\nerrno=0\n\n"), "public_key=0x" + std::string(62, '1') + "\nerrno=0\n\n",
          "public_key=" + std::string(64, 'g') + "\nerrno=0\n\n", key + "last_handshake_time_sec=x\nerrno=0\n\n",
          key + "last_handshake_time_sec=99999999999999999999\nerrno=0\n\n", std::string("errno=0\nlisten_port=1\n\n"),
          std::string("errno=\n\n"), std::string("errno=0x1\n\n")}) {
        const auto status = parse_uapi_status(text);
        ASSERT_FALSE(status) << text;
        EXPECT_EQ(status.error().code, ErrorCode::invalid_data) << text;
    }
    EXPECT_FALSE(parse_uapi_status(std::string(17UL * 1024 * 1024, 'x')));
    std::string many;
    for (int i = 0; i < 65537; ++i) many += key;
    EXPECT_FALSE(parse_uapi_status(many + "errno=0\n\n"));
}

TEST(WireguardUapi, TurnsErrnoIntoAnError) {
    EXPECT_TRUE(parse_uapi_answer("errno=0\n\n"));
    const auto busy = parse_uapi_answer("errno=-98\n\n");
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, ErrorCode::already_exists);
    EXPECT_EQ(parse_uapi_status("listen_port=1\nerrno=1\n\n").error().code, ErrorCode::permission_denied);
    for (const char* text : {"", "\n", "errno=0\n", "errno=0\nerrno=0\n\n", "x=0\n\n", "errno=5000000000\n\n"}) {
        EXPECT_FALSE(parse_uapi_answer(text)) << text;
    }
}

TEST(WireguardNetlink, WritesWhatTheKernelExpects) {
    const auto secret = secret_of(std::string(64, 'a'));
    sys::NetlinkMessage device(0);
    DeviceSettings settings;
    settings.private_key = &secret;
    settings.listen_port = 51820;
    settings.mark = 7;
    put_device(device, "myst0", settings);
    const auto attributes = sys::parse_attributes(device.payload());
    EXPECT_EQ(sys::attribute_text(attributes, WGDEVICE_A_IFNAME), "myst0");
    EXPECT_EQ(to_hex(attributes.at(WGDEVICE_A_PRIVATE_KEY)), std::string(64, 'a'));
    EXPECT_EQ(sys::attribute_u16(attributes, WGDEVICE_A_LISTEN_PORT), 51820);
    EXPECT_EQ(sys::attribute_u32(attributes, WGDEVICE_A_FWMARK), 7U);
}

TEST(WireguardNetlink, WritesPeers) {
    sys::NetlinkMessage message(0);
    PeerSettings settings;
    settings.key = key_of(0x11);
    settings.endpoint = Endpoint{.host = "192.0.2.1", .port = 258};
    settings.allowed_networks = {"100.64.0.2/32"};
    ASSERT_TRUE(put_peer(message, "myst0", settings));
    const auto peers = sys::list_attributes(sys::parse_attributes(message.payload()).at(WGDEVICE_A_PEERS));
    ASSERT_EQ(peers.size(), 1U);
    const auto peer = sys::parse_attributes(peers[0].second);
    EXPECT_EQ(to_hex(peer.at(WGPEER_A_PUBLIC_KEY)), std::string(64, '1'));
    EXPECT_EQ(to_hex(peer.at(WGPEER_A_ENDPOINT).subspan(2, 6)), "0102c0000201");
    const auto networks = sys::list_attributes(peer.at(WGPEER_A_ALLOWEDIPS));
    ASSERT_EQ(networks.size(), 1U);
    const auto network = sys::parse_attributes(networks[0].second);
    EXPECT_EQ(to_hex(network.at(WGALLOWEDIP_A_IPADDR)), "64400002");
    EXPECT_EQ(sys::attribute_u8(network, WGALLOWEDIP_A_CIDR_MASK), 32);
    settings.allowed_networks = {"100.64.0.2/33"};
    EXPECT_FALSE(put_peer(message, "myst0", settings));
}

TEST(WireguardNetlink, ReadsAPeerSplitOverMessagesOnce) {
    DeviceStatus status;
    for (int part = 0; part < 2; ++part) {
        sys::NetlinkMessage answer(0);
        answer.put_u16(WGDEVICE_A_LISTEN_PORT, 4711);
        answer.nest(WGDEVICE_A_PEERS, [part](sys::NetlinkMessage& list) {
            list.nest(0, [part](sys::NetlinkMessage& peer) {
                peer.put(WGPEER_A_PUBLIC_KEY, key_of(0x11).view());
                const std::int64_t time[2] = {1'700'000'000, 0};
                const BytesView bytes(reinterpret_cast<const std::uint8_t*>(time), sizeof(time));
                if (part == 0) peer.put(WGPEER_A_LAST_HANDSHAKE_TIME, bytes);
            });
        });
        read_device(answer.payload(), status);
    }
    EXPECT_EQ(status.listen_port, 4711);
    ASSERT_EQ(status.peers.size(), 1U);
    EXPECT_EQ(status.peers[0].last_handshake, UnixTime(seconds(1'700'000'000)));
    read_device(Bytes{0xff, 0xff, 8, 0}, status);  // a broken attribute changes nothing
    EXPECT_EQ(status.peers.size(), 1U);
}

}  // namespace
}  // namespace myst::vpn
