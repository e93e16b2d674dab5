#include "myst/vpn/exit_settings.hpp"

#include "myst/base/ip_ranges.hpp"

namespace myst::vpn {
namespace {

constexpr std::uint8_t kNarrowestPool = 30;

Result<std::vector<Ipv4Network>> networks_of(const std::vector<std::string>& texts, const char* what) {
    std::vector<Ipv4Network> list;
    for (const auto& text : texts) {
        auto network = Ipv4Network::parse(text);
        if (!network) return forward_error(network, what);
        list.push_back(*network);
    }
    return list;
}

}  // namespace

Result<CheckedExit> check_exit(const ports::ExitSettings& settings) {
    CheckedExit checked;
    checked.listen_port = settings.listen_port;
    auto pool = Ipv4Network::parse(settings.pool);
    if (!pool) return forward_error(pool, "exit address pool");
    if (pool->prefix > kNarrowestPool || pool->prefix < kTunnelRange.prefix ||
        !kTunnelRange.contains(pool->address.value)) {
        return fail(ErrorCode::invalid_argument, "exit address pool " + settings.pool + " is too small or out of range",
                    "use a network inside 100.64.0.0/10, of /30 or wider");
    }
    checked.pool = *pool;
    checked.server_address = {pool->address.value + 1};
    auto denied = networks_of(settings.deny, "exit deny list");
    if (!denied) return forward_error(denied);
    checked.denied = std::move(*denied);
    auto allowed = networks_of(settings.allow, "exit allow list");
    if (!allowed) return forward_error(allowed);
    checked.allowed = std::move(*allowed);
    checked.uplink = settings.uplink;
    if (settings.mtu < ports::kMinTunnelMtu || settings.mtu > ports::kMaxTunnelMtu) {
        return fail(ErrorCode::invalid_argument, "exit MTU " + std::to_string(settings.mtu) + " is out of range",
                    "use 1280 to 9000, usually 1420");
    }
    checked.mtu = settings.mtu;
    return checked;
}

}  // namespace myst::vpn
