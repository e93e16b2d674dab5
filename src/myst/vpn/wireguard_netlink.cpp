#include "myst/vpn/wireguard_netlink.hpp"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "myst/sys/netlink.hpp"
#include "myst/vpn/ip_address.hpp"

namespace myst::vpn {
namespace {

using sys::NetlinkMessage;
using sys::NetlinkSocket;

genlmsghdr generic_header(std::uint8_t command, std::uint8_t version) {
    genlmsghdr header{};
    header.cmd = command;
    header.version = version;
    return header;
}

template <class Structure>
BytesView bytes_of(const Structure& value) {
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
}

Result<Bytes> socket_address(const Endpoint& endpoint) {
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, endpoint.host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        const auto view = bytes_of(v4);
        return Bytes(view.begin(), view.end());
    }
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6.sin6_addr) != 1) {
        return fail(ErrorCode::invalid_argument, "not an IP address: " + endpoint.host);
    }
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    const auto view = bytes_of(v6);
    return Bytes(view.begin(), view.end());
}

Result<std::uint16_t> resolve_family(NetlinkSocket& socket) {
    NetlinkMessage message(GENL_ID_CTRL);
    message.header(generic_header(CTRL_CMD_GETFAMILY, 1)).put_text(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
    std::uint16_t id = 0;
    auto done = socket.exchange(message, "find kernel WireGuard", [&id](std::uint16_t, BytesView payload) {
        if (payload.size() < sizeof(genlmsghdr)) return;
        id = sys::attribute_u16(sys::parse_attributes(payload.subspan(sizeof(genlmsghdr))), CTRL_ATTR_FAMILY_ID);
    });
    if (!done) return forward_error(done);
    if (id == 0) return fail(ErrorCode::unavailable, "the kernel has no WireGuard netlink family");
    return id;
}

void read_peer(BytesView payload, DeviceStatus& status) {
    const auto attributes = sys::parse_attributes(payload);
    const auto key = attributes.find(WGPEER_A_PUBLIC_KEY);
    if (key == attributes.end()) return;
    auto parsed = TunnelKey::from(key->second);
    if (!parsed) return;
    // A peer with many networks continues in the next message.
    if (status.peers.empty() || status.peers.back().key != *parsed) status.peers.push_back({*parsed, std::nullopt});
    const auto time = attributes.find(WGPEER_A_LAST_HANDSHAKE_TIME);
    std::int64_t since_epoch = 0;
    if (time == attributes.end() || time->second.size() < sizeof(since_epoch)) return;
    std::memcpy(&since_epoch, time->second.data(), sizeof(since_epoch));
    if (since_epoch > 0) status.peers.back().last_handshake = UnixTime(seconds(since_epoch));
}

class KernelWireguard final : public WireguardDevice {
public:
    KernelWireguard(std::string name, NetlinkSocket socket, std::uint16_t family)
        : name_(std::move(name)), socket_(std::move(socket)), family_(family) {}

    const std::string& name() const override { return name_; }
    Counting counting() const override {
        return Counting::filter;
    }  // its statistics count headers and keepalives of its own
    void stop() override {}
    Result<> follow(const sys::NetworkNamespace& network) override {
        auto socket = network.run([] { return NetlinkSocket::open(NETLINK_GENERIC); });
        if (!socket) return forward_error(socket);
        const std::lock_guard lock(mutex_);
        socket_ = std::move(*socket);
        return {};
    }

    Result<> configure(const DeviceSettings& settings) override {
        auto message = request(WG_CMD_SET_DEVICE, 0);
        put_device(message, name_, settings);
        return send(message, "configure WireGuard");
    }
    Result<> set_peer(const PeerSettings& peer) override {
        auto message = request(WG_CMD_SET_DEVICE, 0);
        if (auto put = put_peer(message, name_, peer); !put) return put;
        return send(message, "add WireGuard peer");
    }
    Result<> remove_peer(const TunnelKey& key) override {
        auto message = request(WG_CMD_SET_DEVICE, 0);
        put_removal(message, name_, key);
        return send(message, "remove WireGuard peer");
    }
    Result<DeviceStatus> status() override {
        auto message = request(WG_CMD_GET_DEVICE, NLM_F_DUMP);
        message.put_text(WGDEVICE_A_IFNAME, name_);
        DeviceStatus found;
        const std::lock_guard lock(mutex_);
        auto done = socket_.exchange(message, "read WireGuard state", [&found](std::uint16_t, BytesView payload) {
            if (payload.size() >= sizeof(genlmsghdr)) read_device(payload.subspan(sizeof(genlmsghdr)), found);
        });
        if (!done) return forward_error(done);
        return found;
    }

private:
    NetlinkMessage request(std::uint8_t command, int flags) const {
        NetlinkMessage message(family_, flags);
        message.header(generic_header(command, WG_GENL_VERSION));
        return message;
    }
    Result<> send(const NetlinkMessage& message, std::string_view what) {
        const std::lock_guard lock(mutex_);
        return socket_.exchange(message, what);
    }

    std::string name_;
    std::mutex mutex_;  // requests come from the control thread and from workers
    NetlinkSocket socket_;
    std::uint16_t family_;
};

}  // namespace

void put_device(NetlinkMessage& message, const std::string& name, const DeviceSettings& settings) {
    message.put_text(WGDEVICE_A_IFNAME, name);
    if (settings.private_key != nullptr) message.put(WGDEVICE_A_PRIVATE_KEY, settings.private_key->expose());
    if (settings.listen_port) message.put_u16(WGDEVICE_A_LISTEN_PORT, *settings.listen_port);
    if (settings.mark) message.put_u32(WGDEVICE_A_FWMARK, *settings.mark);
}

Result<> put_peer(NetlinkMessage& message, const std::string& name, const PeerSettings& peer) {
    Bytes endpoint;
    if (peer.endpoint) {
        auto address = socket_address(*peer.endpoint);
        if (!address) return forward_error(address);
        endpoint = std::move(*address);
    }
    std::vector<Ipv4Network> networks;
    for (const auto& text : peer.allowed_networks) {
        auto network = Ipv4Network::parse(text);
        if (!network) return forward_error(network);
        networks.push_back(*network);
    }
    const auto put_network = [](NetlinkMessage& nested, const Ipv4Network& network) {
        const std::uint32_t address = htonl(network.address.value);
        nested.put_u16(WGALLOWEDIP_A_FAMILY, AF_INET).put(WGALLOWEDIP_A_IPADDR, bytes_of(address));
        nested.put_u8(WGALLOWEDIP_A_CIDR_MASK, network.prefix);
    };
    const auto put_settings = [&](NetlinkMessage& nested) {
        nested.put(WGPEER_A_PUBLIC_KEY, peer.key.view()).put_u32(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
        if (!endpoint.empty()) nested.put(WGPEER_A_ENDPOINT, endpoint);
        nested.put_u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, static_cast<std::uint16_t>(peer.keepalive.count()));
        nested.nest(WGPEER_A_ALLOWEDIPS, [&](NetlinkMessage& list) {
            for (const auto& network : networks) {
                list.nest(0, [&](NetlinkMessage& entry) { put_network(entry, network); });
            }
        });
    };
    message.put_text(WGDEVICE_A_IFNAME, name);
    message.nest(WGDEVICE_A_PEERS, [&](NetlinkMessage& list) { list.nest(0, put_settings); });
    return {};
}

void put_removal(NetlinkMessage& message, const std::string& name, const TunnelKey& key) {
    message.put_text(WGDEVICE_A_IFNAME, name);
    message.nest(WGDEVICE_A_PEERS, [&key](NetlinkMessage& list) {
        list.nest(0, [&key](NetlinkMessage& peer) {
            peer.put(WGPEER_A_PUBLIC_KEY, key.view()).put_u32(WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME);
        });
    });
}

void read_device(BytesView payload, DeviceStatus& status) {
    const auto attributes = sys::parse_attributes(payload);
    if (attributes.contains(WGDEVICE_A_LISTEN_PORT)) {
        status.listen_port = sys::attribute_u16(attributes, WGDEVICE_A_LISTEN_PORT);
    }
    const auto peers = attributes.find(WGDEVICE_A_PEERS);
    if (peers == attributes.end()) return;
    for (const auto& [type, peer] : sys::list_attributes(peers->second)) read_peer(peer, status);
}

Result<> check_kernel_wireguard() {
    auto socket = NetlinkSocket::open(NETLINK_GENERIC);
    if (!socket) return forward_error(socket);
    auto family = resolve_family(*socket);
    if (!family) return forward_error(family);
    return {};
}

Result<std::unique_ptr<WireguardDevice>> create_kernel_wireguard(const std::string& name) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    if (auto created = links->create_link(name, "wireguard"); !created) return forward_error(created);
    auto socket = NetlinkSocket::open(NETLINK_GENERIC);
    if (!socket) return forward_error(socket);
    auto family = resolve_family(*socket);
    if (!family) {
        std::ignore = links->delete_link(name);
        return forward_error(family);
    }
    return std::make_unique<KernelWireguard>(name, std::move(*socket), *family);
}

}  // namespace myst::vpn
