#include "myst/vpn/builtin_wireguard.hpp"

#include <unistd.h>

#include <array>

#include "myst/dataplane/tunnel_thread.hpp"

namespace myst::vpn {
namespace {

Result<wireguard::PeerRequest> request_of(const PeerSettings& peer) {
    wireguard::PeerRequest request;
    request.key = peer.key;
    if (peer.endpoint) {
        const auto address = wireguard::IpAddress::parse(peer.endpoint->host);
        if (!address) return tl::unexpected<Error>(address.error());
        request.endpoint = {*address, peer.endpoint->port};
    }
    request.replace_allowed_ips = true;
    for (const auto& network : peer.allowed_networks) {
        const auto prefix = wireguard::IpPrefix::parse(network);
        if (!prefix) return tl::unexpected<Error>(prefix.error());
        request.allowed_ips.push_back({*prefix, false});
    }
    request.persistent_keepalive = static_cast<std::uint16_t>(peer.keepalive.count());
    return request;
}

wireguard::SetRequest removal_of(const TunnelKey& key) {
    wireguard::SetRequest request;
    request.peers.emplace_back();
    request.peers.back().key = key;
    request.peers.back().remove = true;
    return request;
}

class BuiltinWireguard final : public WireguardDevice {
public:
    explicit BuiltinWireguard(std::unique_ptr<dataplane::TunnelThread> thread) : thread_(std::move(thread)) {}

    const std::string& name() const override { return thread_->name(); }
    Counting counting() const override { return Counting::meters; }
    bool ended() const override { return thread_->ended(); }
    Result<> configure(const DeviceSettings& settings) override {
        wireguard::SetRequest request;
        if (settings.private_key != nullptr) request.private_key = settings.private_key->clone();
        request.listen_port = settings.listen_port;
        request.fwmark = settings.mark;
        return set(std::move(request));
    }
    Result<> set_peer(const PeerSettings& peer) override {
        auto one = request_of(peer);
        if (!one) return forward_error(one);
        wireguard::SetRequest request;
        request.peers.push_back(std::move(*one));
        // In one call, so that nothing passes without the meter.
        return thread_->call([&](dataplane::Tunnel& tunnel) {
            auto done = tunnel.set(std::move(request));
            if (done) done = tunnel.set_meter(peer.key, peer.meter);
            if (!done) std::ignore = tunnel.set(removal_of(peer.key));
            return done;
        });
    }
    Result<> remove_peer(const TunnelKey& key) override { return set(removal_of(key)); }
    Result<DeviceStatus> status() override {
        return thread_->call([](dataplane::Tunnel& tunnel) -> Result<DeviceStatus> {
            const auto known = tunnel.status();
            DeviceStatus status;
            status.listen_port = known.listen_port;
            for (const auto& peer : known.peers) {
                std::optional<UnixTime> handshake;
                if (peer.last_handshake) handshake = std::chrono::floor<seconds>(*peer.last_handshake);
                status.peers.push_back({peer.key, handshake});
            }
            return status;
        });
    }
    Result<> follow(const sys::NetworkNamespace&) override { return {}; }  // calls are made in the process
    void stop() override { thread_->stop(); }

private:
    Result<> set(wireguard::SetRequest request) {
        return thread_->call([&request](dataplane::Tunnel& tunnel) { return tunnel.set(std::move(request)); });
    }

    std::unique_ptr<dataplane::TunnelThread> thread_;
};

}  // namespace

Result<> check_tun() {
    if (::access("/dev/net/tun", R_OK | W_OK) == 0) return {};
    return fail(ErrorCode::unavailable, "/dev/net/tun is missing or not accessible",
                "modprobe tun, and allow the device in containers");
}

std::shared_ptr<wireguard::Meter> make_meter(Ipv4 garden, bool gated) {
    const auto v = garden.value;
    const std::array<std::uint8_t, 4> bytes{static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16),
                                            static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
    return std::make_shared<wireguard::Meter>(
        wireguard::MeterSettings{.garden = wireguard::IpAddress::from(bytes), .gated = gated});
}

Result<std::unique_ptr<WireguardDevice>> create_builtin_wireguard(const std::string& name, Rng& rng) {
    dataplane::Tunnel::Settings settings;
    settings.name = name;
    settings.uapi_folder.clear();  // nobody else is to read the keys
    auto thread = dataplane::TunnelThread::start(settings, rng);
    if (!thread) return forward_error(thread);
    return std::make_unique<BuiltinWireguard>(std::move(*thread));
}

}  // namespace myst::vpn
