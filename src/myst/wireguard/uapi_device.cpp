#include "myst/wireguard/uapi_device.hpp"

#include <cerrno>

#include "myst/base/log.hpp"

namespace myst::wireguard {
namespace {

/// The peer that a request is about, made if need be; none: the request passes over it.
Result<std::optional<PeerId>> find_or_add(Device& device, const PeerRequest& request) {
    const auto found = device.find_peer(request.key);
    if (found) return found;
    const bool self = device.identity() != nullptr && device.identity()->public_key == request.key;
    if (request.remove || request.update_only || self) return std::optional<PeerId>{};
    const auto added = device.add_peer(request.key);
    if (!added) return tl::unexpected<Error>(added.error());
    return std::optional(*added);
}

/// Both forms of the key, clamped and not, are the same.
bool is_own_key(const Device& device, const Secret<32>& key) {
    if (device.identity() == nullptr || key.equals(Secret<32>{})) return false;
    return Identity::from(key.clone()).private_key.equals(device.identity()->private_key);
}

Result<> apply_allowed_ips(Device& device, PeerId id, const PeerRequest& request) {
    auto& ips = device.allowed_ips();
    if (request.replace_allowed_ips) ips.remove_all(id);
    for (const auto& [prefix, remove] : request.allowed_ips) {
        if (remove) {
            ips.remove(prefix, id);
        } else if (!ips.insert(prefix, id)) {
            return fail(ErrorCode::limit_exceeded, "WireGuard request: too many prefixes");
        }
    }
    return {};
}

Result<> apply_peer(Device& device, PeerRequest request, Now now, Actions& out) {
    const auto id = find_or_add(device, request);
    if (!id) return tl::unexpected<Error>(id.error());
    if (!*id) return {};
    if (request.remove) {
        device.remove_peer(**id, now.steady);
        return {};
    }
    auto& peer = *device.peer(**id);
    if (request.preshared_key) peer.set_preshared_key(std::move(*request.preshared_key));
    auto applied = apply_allowed_ips(device, **id, request);
    if (!applied) return applied;
    // Last, because these may send.
    if (request.endpoint) peer.set_endpoint(*request.endpoint, now, out);
    if (request.persistent_keepalive) {
        peer.set_persistent_interval(seconds(*request.persistent_keepalive), now, out);
    }
    return {};
}

/// The protocol has room for a number only; who looks into the log learns why.
SecretText refusal(const Error& error) {
    log::warn("{}", error.describe());
    return SecretText(print_uapi_errno(error.code == ErrorCode::limit_exceeded ? ENOSPC : EINVAL));
}

}  // namespace

Result<> apply_uapi(Device& device, SocketSettings& socket, SetRequest request, Now now, Actions& out) {
    const StackWipe wipe;
    // Setting the same key again, as `wg syncconf` does, ends nothing.
    if (request.private_key && !is_own_key(device, *request.private_key)) {
        device.set_private_key(std::move(*request.private_key), now.steady);
    }
    if (request.listen_port) socket.listen_port = *request.listen_port;
    if (request.fwmark) socket.fwmark = *request.fwmark;
    if (request.replace_peers) {
        for (const auto id : device.peers()) device.remove_peer(id, now.steady);
    }
    for (auto& peer : request.peers) {
        auto applied = apply_peer(device, std::move(peer), now, out);
        if (!applied) return applied;
    }
    return {};
}

DeviceStatus uapi_status(const Device& device, const SocketSettings& socket) {
    DeviceStatus status;
    if (device.identity() != nullptr) status.private_key = device.identity()->private_key.clone();
    status.listen_port = socket.listen_port;
    status.fwmark = socket.fwmark;
    for (const auto id : device.peers()) {
        const auto& peer = *device.peer(id);
        status.peers.push_back({peer.key(), peer.preshared_key().clone(), peer.endpoint(),
                                peer.counters().last_handshake, peer.counters().sent_bytes,
                                peer.counters().received_bytes, peer.persistent_interval(),
                                device.allowed_ips().prefixes_of(id)});
    }
    return status;
}

SecretText answer_uapi(Device& device, SocketSettings& socket, std::string_view request, Now now, Actions& out) {
    auto parsed = parse_uapi_request(request);
    if (!parsed) return refusal(parsed.error());
    if (std::holds_alternative<GetRequest>(*parsed)) return print_uapi_status(uapi_status(device, socket));
    const auto applied = apply_uapi(device, socket, std::get<SetRequest>(std::move(*parsed)), now, out);
    if (applied) return SecretText(print_uapi_errno(0));
    return refusal(applied.error());
}

}  // namespace myst::wireguard
