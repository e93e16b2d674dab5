// WireGuard behind ports::TunnelDriver. See docs/vpn.md for topology, rules and what happens on failures.
#pragma once

#include "myst/base/rng.hpp"
#include "myst/ports/tunnel.hpp"
#include "myst/runtime/worker_pool.hpp"
#include "myst/vpn/driver_settings.hpp"

namespace myst::vpn {

/// Works in the network namespace of the control thread and of the pool's threads, which must be the same. The pool
/// and `rng` must outlive every tunnel: helper programs die with the pool thread that started them. Control thread.
class WireguardDriver final : public ports::TunnelDriver {
public:
    WireguardDriver(WorkerPool& workers, Rng& rng, DriverSettings settings)
        : workers_(workers), rng_(rng), settings_(std::move(settings)) {}

    std::string service() const override { return "wireguard"; }
    [[nodiscard]] Result<> available() const override;
    KeyPair make_keys() override;
    [[nodiscard]] Task<Result<std::unique_ptr<ports::ClientTunnel>>> connect(ports::TunnelOffer offer,
                                                                             KeyPair keys) override;
    [[nodiscard]] Task<Result<std::unique_ptr<ports::ExitTunnel>>> open_exit(ports::ExitSettings settings) override;
    [[nodiscard]] Task<Result<>> remove_stale() override;

private:
    WorkerPool& workers_;
    Rng& rng_;
    DriverSettings settings_;
};

}  // namespace myst::vpn
