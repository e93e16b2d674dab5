#include "myst/vpn/exit_tunnel.hpp"

namespace myst::vpn {

Result<> WireguardExit::check_open() const {
    if (closing_) return fail(ErrorCode::failed_precondition, "the exit is closed");
    return {};
}

Result<int> WireguardExit::listen_inside(std::uint16_t port) {
    if (auto open = check_open(); !open) return forward_error(open);
    return interface_->listen_inside(port);
}

Result<Ipv4> WireguardExit::check_peer(const SessionId& id, const TunnelKey& key, const std::string& text) const {
    auto address = Ipv4::parse(text);
    if (!address) return forward_error(address, "peer address");
    const std::uint32_t last = pool_.address.value + (0xffffffffU >> pool_.prefix);
    if (!pool_.contains(*address) || *address == server_ || address->value == pool_.address.value ||
        address->value == last) {
        return fail(ErrorCode::invalid_argument, text + " is not a client address of pool " + pool_.to_string());
    }
    if (key.is_zero() || key == key_) return fail(ErrorCode::invalid_argument, "peer key is zero or the exit's own");
    if (peers_.contains(id)) return fail(ErrorCode::already_exists, "session " + id.hex() + " has a peer already");
    for (const auto& [other_id, other] : peers_) {
        if (other.key == key) return fail(ErrorCode::already_exists, "another session uses this peer key");
        if (other.address == *address) return fail(ErrorCode::already_exists, "another session uses address " + text);
    }
    return *address;
}

Task<Result<>> WireguardExit::add_peer(SessionId id, TunnelKey key, std::string client_address) {
    if (auto open = check_open(); !open) co_return open;
    auto address = check_peer(id, key, client_address);
    if (!address) co_return forward_error(address);
    peers_.emplace(id, Peer{.key = key, .address = *address, .ready = false});
    auto add = [interface = interface_, id, key, address = *address] { return interface->add_peer(id, key, address); };
    auto added = co_await workers_.run(std::move(add));
    if (added) {
        peers_[id].ready = true;
    } else {
        peers_.erase(id);
    }
    co_return added;
}

Task<Result<>> WireguardExit::set_allowance(SessionId id, std::uint64_t bytes) {
    if (auto open = check_open(); !open) co_return open;
    const auto peer = peers_.find(id);
    if (peer == peers_.end() || !peer->second.ready) {
        co_return fail(ErrorCode::not_found, "session " + id.hex() + " has no peer");
    }
    co_return interface_->set_allowance(id, bytes);
}

Result<std::vector<std::pair<SessionId, ports::TrafficCounters>>> WireguardExit::counters() {
    if (auto open = check_open(); !open) return forward_error(open);
    auto all = interface_->counters();
    if (!all) return forward_error(all);
    std::vector<std::pair<SessionId, ports::TrafficCounters>> known;
    for (const auto& entry : *all) {
        const auto peer = peers_.find(entry.first);
        if (peer != peers_.end() && peer->second.ready) known.push_back(entry);
    }
    return known;
}

Task<Result<>> WireguardExit::remove_peer(SessionId id) {
    if (auto open = check_open(); !open) co_return open;
    const auto found = peers_.find(id);
    if (found == peers_.end() || !found->second.ready) {
        co_return fail(ErrorCode::not_found, "session " + id.hex() + " has no peer");
    }
    found->second.ready = false;
    const Peer peer = found->second;
    auto remove = [interface = interface_, id, peer] { return interface->remove_peer(id, peer.key, peer.address); };
    auto removed = co_await workers_.run(std::move(remove));
    peers_.erase(id);
    co_return removed;
}

Task<Result<>> WireguardExit::close() {
    closing_ = true;
    auto take_down = [interface = interface_] { return interface->close(); };
    co_return co_await workers_.run(std::move(take_down));
}

}  // namespace myst::vpn
