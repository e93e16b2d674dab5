#include "myst/vpn/client_tunnel.hpp"

namespace myst::vpn {

Result<ports::TrafficCounters> WireguardClient::counters() {
    if (closing_) return fail(ErrorCode::failed_precondition, "the connection is closed");
    return interface_->counters();
}

Task<Result<std::optional<seconds>>> WireguardClient::handshake_age() {
    if (closing_) co_return fail(ErrorCode::failed_precondition, "the connection is closed");
    auto ask = [interface = interface_] { return interface->handshake_age(); };
    co_return co_await workers_.run(std::move(ask));
}

Task<Result<>> WireguardClient::replace(ports::TunnelOffer offer, ports::TunnelKeyPair keys) {
    if (closing_) co_return fail(ErrorCode::failed_precondition, "the connection is closed");
    auto checked = check_offer(offer);
    if (!checked) {
        auto drop = [interface = interface_] { return interface->drop_peer(); };
        std::ignore = co_await workers_.run(std::move(drop));
        co_return forward_error(checked);
    }
    auto change = [interface = interface_, offer = *checked, key = std::move(keys.private_key)] {
        return interface->replace(offer, key);
    };
    co_return co_await workers_.run(std::move(change));
}

Task<Result<>> WireguardClient::close() {
    closing_ = true;
    auto take_down = [interface = interface_] { return interface->close(); };
    co_return co_await workers_.run(std::move(take_down));
}

}  // namespace myst::vpn
