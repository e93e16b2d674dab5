#include "myst/vpn/wireguard_driver.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "myst/vpn/client_tunnel.hpp"
#include "myst/vpn/exit_tunnel.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::vpn {
namespace {

bool has_capability(unsigned capability) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
    return (data[capability / 32].effective & (1U << (capability % 32))) != 0;
}

}  // namespace

Result<> WireguardDriver::available() const {
    if (!has_capability(CAP_NET_ADMIN) || !has_capability(CAP_SYS_ADMIN)) {
        return fail(ErrorCode::permission_denied, "tunnels need the capabilities NET_ADMIN and SYS_ADMIN",
                    "run as root, or grant both to the service");
    }
    return check_wireguard(settings_.wireguard);
}

ports::TunnelDriver::KeyPair WireguardDriver::make_keys() {
    KeyPair keys;
    keys.private_key = wireguard::make_private_key(rng_);
    keys.public_key = wireguard::public_key_of(keys.private_key);
    return keys;
}

Task<Result<std::unique_ptr<ports::ClientTunnel>>> WireguardDriver::connect(ports::TunnelOffer offer, KeyPair keys) {
    auto checked = check_offer(offer);
    if (!checked) co_return forward_error(checked);
    auto open = [settings = settings_, &rng = rng_, offer = *checked, key = std::move(keys.private_key)] {
        return ClientInterface::open(settings, rng, offer, key);
    };
    auto interface = co_await workers_.run(std::move(open));
    if (!interface) co_return forward_error(interface);
    co_return std::make_unique<WireguardClient>(workers_, std::move(*interface));
}

Task<Result<std::unique_ptr<ports::ExitTunnel>>> WireguardDriver::open_exit(ports::ExitSettings settings) {
    auto checked = check_exit(settings);
    if (!checked) co_return forward_error(checked);
    auto keys = make_keys();
    const auto public_key = keys.public_key;
    auto open = [settings = settings_, &rng = rng_, exit = *checked, key = std::move(keys.private_key)] {
        return ExitInterface::open(settings, rng, exit, key);
    };
    auto interface = co_await workers_.run(std::move(open));
    if (!interface) co_return forward_error(interface);
    co_return std::make_unique<WireguardExit>(workers_, std::move(*interface), *checked, public_key);
}

Task<Result<>> WireguardDriver::remove_stale() {
    auto clean = [directory = settings_.state_directory]() -> Result<> {
        const TunnelRecords records(directory);
        if (auto prepared = records.prepare(); !prepared) return prepared;
        return records.undo_stale();
    };
    co_return co_await workers_.run(std::move(clean));
}

}  // namespace myst::vpn
