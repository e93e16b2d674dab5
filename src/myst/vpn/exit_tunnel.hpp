// ports::ExitTunnel over an ExitInterface.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "myst/ports/tunnel.hpp"
#include "myst/runtime/worker_pool.hpp"
#include "myst/vpn/exit_interface.hpp"

namespace myst::vpn {

class WireguardExit final : public ports::ExitTunnel {
public:
    WireguardExit(WorkerPool& workers, std::shared_ptr<ExitInterface> interface, const CheckedExit& exit, TunnelKey key)
        : workers_(workers),
          interface_(std::move(interface)),
          pool_(exit.pool),
          server_(exit.server_address),
          server_text_(server_.to_string()),
          key_(key) {}

    const TunnelKey& public_key() const override { return key_; }
    std::uint16_t listen_port() const override { return interface_->listen_port(); }
    const std::string& server_address() const override { return server_text_; }
    [[nodiscard]] Result<int> listen_inside(std::uint16_t port) override;
    [[nodiscard]] Task<Result<>> add_peer(SessionId id, TunnelKey key, std::string client_address) override;
    [[nodiscard]] Task<Result<>> set_allowance(SessionId id, std::uint64_t bytes) override;
    [[nodiscard]] Result<std::vector<std::pair<SessionId, ports::TrafficCounters>>> counters() override;
    [[nodiscard]] Task<Result<>> remove_peer(SessionId id) override;
    [[nodiscard]] Task<Result<>> close() override;

private:
    struct Peer {
        TunnelKey key;
        Ipv4 address;
        bool ready = false;  ///< false while it is being added or removed
    };
    [[nodiscard]] Result<Ipv4> check_peer(const SessionId& id, const TunnelKey& key, const std::string& address) const;
    [[nodiscard]] Result<> check_open() const;

    WorkerPool& workers_;
    std::shared_ptr<ExitInterface> interface_;  // shared with work that is under way
    Ipv4Network pool_;
    Ipv4 server_;
    std::string server_text_;
    TunnelKey key_;
    std::map<SessionId, Peer> peers_;
    bool closing_ = false;
};

}  // namespace myst::vpn
