// How much the peers of an exit may use and have used: counted and gated by its packet filter, or by its device.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "myst/ports/tunnel.hpp"
#include "myst/sys/nft_objects.hpp"
#include "myst/vpn/ip_address.hpp"
#include "myst/wireguard/meter.hpp"

namespace myst::vpn {

/// `set_allowance` and `counters` take microseconds and are for one thread, the others for another at the same time.
class ExitMeters {
public:
    using Readings = std::vector<std::pair<SessionId, ports::TrafficCounters>>;
    virtual ~ExitMeters() = default;

    /// What the exit's filter needs for a peer, with a closed gate; one transaction.
    [[nodiscard]] virtual std::string rules_to_add(const SessionId& id, Ipv4 address) const = 0;
    [[nodiscard]] virtual std::string rules_to_remove(const SessionId& id, Ipv4 address) const = 0;
    /// A new peer's meter for the device, closed; null: the filter has it.
    [[nodiscard]] virtual std::shared_ptr<wireguard::Meter> add(const SessionId& id) = 0;
    virtual void remove(const SessionId& id) = 0;

    /// As ports::ExitTunnel.
    [[nodiscard]] virtual Result<> set_allowance(const SessionId& id, std::uint64_t bytes) = 0;
    [[nodiscard]] virtual Result<Readings> counters() = 0;
};

/// Quotas and counters in the exit's table (docs/vpn.md, "Gate and meters").
[[nodiscard]] std::unique_ptr<ExitMeters> filter_meters(sys::NftObjects objects);
/// Meters of the data plane. Packets from and to `garden` are free.
[[nodiscard]] std::unique_ptr<ExitMeters> device_meters(Ipv4 garden);

}  // namespace myst::vpn
