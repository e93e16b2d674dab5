// A consumer's connection on the blocking side: sets up and takes down interface, routes, rules and DNS.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "myst/ports/tunnel.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/nft_objects.hpp"
#include "myst/vpn/client_meter.hpp"
#include "myst/vpn/driver_settings.hpp"
#include "myst/vpn/offer.hpp"
#include "myst/vpn/tunnel_records.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// `counters` is for the control thread; the other calls block and run on workers, where they wait for each other.
class ClientInterface {
public:
    /// Blocks for some ten milliseconds; the calling thread (see ChildProcess) and `rng` must outlive the object. On
    /// failure nothing stays behind.
    [[nodiscard]] static Result<std::unique_ptr<ClientInterface>> open(const DriverSettings& settings, Rng& rng,
                                                                       const CheckedOffer& offer,
                                                                       const Secret<32>& private_key);
    /// Closes, if that has not been done; blocks.
    ~ClientInterface();

    [[nodiscard]] const std::string& interface_name() const { return record_.device; }
    /// Microseconds. Goes on across `replace`.
    [[nodiscard]] Result<ports::TrafficCounters> counters();
    [[nodiscard]] Result<std::optional<seconds>> handshake_age();
    /// Another provider behind the same interface, routes and rules. On failure the tunnel has no peer.
    [[nodiscard]] Result<> replace(const CheckedOffer& offer, const Secret<32>& private_key);
    /// The tunnel stays but carries nothing.
    [[nodiscard]] Result<> drop_peer();
    /// Takes everything down. A second call does nothing.
    [[nodiscard]] Result<> close();

private:
    ClientInterface(const DriverSettings& settings, TunnelRecord record)
        : settings_(settings), records_(settings.state_directory), record_(std::move(record)) {}
    /// What is to be paid for, as the device's meter and the filter together know it, or the filter alone.
    [[nodiscard]] Result<ports::TrafficCounters> counters_of_device();
    [[nodiscard]] Result<ports::TrafficCounters> counters_of_filter();
    [[nodiscard]] Result<> set_up(const CheckedOffer& offer, const Secret<32>& private_key);
    [[nodiscard]] Result<> set_up_filter(const CheckedOffer& offer);
    [[nodiscard]] Result<> set_up_link(sys::Netlink& links, const CheckedOffer& offer);
    [[nodiscard]] Result<> set_up_peer(const CheckedOffer& offer, const Secret<32>& private_key);
    [[nodiscard]] Result<> set_up_routes(sys::Netlink& links);
    /// Refuses inner addresses that this machine or a network it is attached to uses: a provider must not pull them
    /// into its tunnel. failed_precondition.
    [[nodiscard]] Result<> check_collisions(sys::Netlink& links, const CheckedOffer& offer) const;
    /// The provider, and name service at the resolvers, go through the tunnel even if a LAN claims their addresses.
    [[nodiscard]] Result<> pin_addresses(sys::Netlink& links, const CheckedOffer& offer);
    /// The offer's, else the user's.
    [[nodiscard]] const std::vector<std::string>& resolvers_for(const CheckedOffer& offer) const;
    /// What no other route of the table takes is unreachable: IPv6 always, IPv4 when the interface has gone.
    [[nodiscard]] Result<> add_dead_end(sys::Netlink& links, sys::IpFamily family);
    [[nodiscard]] Result<> add_rules(sys::Netlink& links, sys::IpFamily family);
    [[nodiscard]] Result<> set_resolvers(const CheckedOffer& offer);
    [[nodiscard]] Result<> change_offer(const CheckedOffer& offer, const Secret<32>& private_key);

    DriverSettings settings_;
    TunnelRecords records_;
    TunnelRecord record_;
    std::mutex mutex_;  // one change at a time
    CheckedOffer offer_;
    std::unique_ptr<WireguardDevice> device_;
    int link_index_ = 0;
    std::optional<sys::Netlink> links_;       // control thread: counters
    std::optional<sys::NftObjects> objects_;  // control thread: counters
    ClientMeter meter_;
    ports::TrafficCounters last_;
    bool closed_ = false;
};

}  // namespace myst::vpn
