// A provider's exit on the blocking side: the exit namespace, its links and filters, and the WireGuard device.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "myst/ports/tunnel.hpp"
#include "myst/sys/conntrack.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"
#include "myst/sys/nftables.hpp"
#include "myst/vpn/driver_settings.hpp"
#include "myst/vpn/exit_meters.hpp"
#include "myst/vpn/exit_settings.hpp"
#include "myst/vpn/tunnel_records.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// `set_allowance`, `counters` and `listen_inside` are for the control thread; the others block for milliseconds and
/// run on workers, where they wait for each other.
class ExitInterface {
public:
    /// Blocks for some ten milliseconds, or up to two seconds (a WireGuard program notices within one that its
    /// interface is up). The calling thread (see ChildProcess) and `rng` must outlive the object. On failure nothing
    /// stays behind.
    [[nodiscard]] static Result<std::unique_ptr<ExitInterface>> open(const DriverSettings& settings, Rng& rng,
                                                                     const CheckedExit& exit,
                                                                     const Secret<32>& private_key);
    /// Closes, if that has not been done; blocks.
    ~ExitInterface();

    [[nodiscard]] std::uint16_t listen_port() const { return listen_port_; }
    [[nodiscard]] Result<int> listen_inside(std::uint16_t port) const;
    [[nodiscard]] Result<> add_peer(const SessionId& id, const TunnelKey& key, Ipv4 address);
    [[nodiscard]] Result<> remove_peer(const SessionId& id, const TunnelKey& key, Ipv4 address);
    /// The gate lets exactly this many bytes pass in total, at no moment more.
    [[nodiscard]] Result<> set_allowance(const SessionId& id, std::uint64_t bytes);
    [[nodiscard]] Result<ExitMeters::Readings> counters();
    [[nodiscard]] Result<> close();

private:
    ExitInterface(const DriverSettings& settings, CheckedExit exit, TunnelRecord record, sys::NetworkNamespace inside)
        : records_(settings.state_directory),
          record_(std::move(record)),
          exit_(std::move(exit)),
          inside_(std::move(inside)) {}
    [[nodiscard]] Result<> set_up(const Secret<32>& private_key);
    [[nodiscard]] Result<> set_up_inside();
    [[nodiscard]] Result<> set_up_exit_filter(sys::Netlink& host);
    [[nodiscard]] Result<> set_up_device(sys::Netlink& host, const Secret<32>& private_key);
    [[nodiscard]] Result<> wait_for_port();
    [[nodiscard]] Result<> set_up_host(sys::Netlink& host);
    /// Super-packets would not be counted right by a packet filter; a device's own meters take them.
    [[nodiscard]] bool filter_counts() const { return device_->counting() != Counting::meters; }
    /// The next peer with this address must not inherit connections, or ports of the address translation.
    [[nodiscard]] Result<> forget_flows(Ipv4 client);
    [[nodiscard]] std::string inner_link() const { return record_.claim + "i"; }

    TunnelRecords records_;
    TunnelRecord record_;
    CheckedExit exit_;
    sys::NetworkNamespace inside_;
    int number_ = 0;
    std::uint16_t listen_port_ = 0;
    std::unique_ptr<WireguardDevice> device_;
    std::unique_ptr<ExitMeters> meters_;
    std::mutex mutex_;                     // one change of peers at a time
    std::optional<sys::Nftables> tables_;  // of the exit namespace; under mutex_
    std::vector<sys::Conntrack> flows_;    // of the exit namespace and of the host; under mutex_
    bool closed_ = false;
};

}  // namespace myst::vpn
