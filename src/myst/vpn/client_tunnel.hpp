// ports::ClientTunnel over a ClientInterface.
#pragma once

#include <memory>
#include <string>

#include "myst/ports/tunnel.hpp"
#include "myst/runtime/worker_pool.hpp"
#include "myst/vpn/client_interface.hpp"

namespace myst::vpn {

class WireguardClient final : public ports::ClientTunnel {
public:
    WireguardClient(WorkerPool& workers, std::shared_ptr<ClientInterface> interface)
        : workers_(workers), interface_(std::move(interface)), name_(interface_->interface_name()) {}

    const std::string& interface_name() const override { return name_; }
    [[nodiscard]] Result<ports::TrafficCounters> counters() override;
    [[nodiscard]] Task<Result<std::optional<seconds>>> handshake_age() override;
    [[nodiscard]] Task<Result<>> replace(ports::TunnelOffer offer, ports::TunnelKeyPair keys) override;
    [[nodiscard]] Task<Result<>> close() override;

private:
    WorkerPool& workers_;
    std::shared_ptr<ClientInterface> interface_;  // shared with work that is under way
    std::string name_;
    bool closing_ = false;
};

}  // namespace myst::vpn
