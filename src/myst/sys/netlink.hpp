// Interfaces, addresses, routes and policy rules of one network namespace, over rtnetlink.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "myst/sys/netlink_socket.hpp"

namespace myst::sys {

struct Link {
    int index = 0;
    std::string name;
    std::string alias;  ///< free text set by `set_alias`
    std::string kind;   ///< "veth", "tun", "wireguard"…; empty for hardware
    bool up = false;
    std::uint32_t mtu = 0;
};

/// Bytes since the interface was created.
struct LinkStats {
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

enum class IpFamily { v4, v6 };

/// A route for packets to `destination`/`prefix`. Without a link it makes the destination unreachable.
struct Route {
    IpFamily family = IpFamily::v4;
    std::string destination;  ///< empty: everything (prefix 0)
    std::uint8_t prefix = 0;
    int link = 0;         ///< interface index; 0: unreachable
    std::string gateway;  ///< empty: on the link itself
    std::uint32_t table = 254;
    std::uint32_t metric = 0;   ///< of several routes to one destination the lowest wins
    std::uint8_t protocol = 4;  ///< RTPROT_*: who put it there
};

/// The transport of a rule's packets.
enum class IpProtocol : std::uint8_t { any = 0, tcp = 6, udp = 17 };

/// A policy rule: packets that match all conditions look into `table`.
struct Rule {
    IpFamily family = IpFamily::v4;
    std::uint32_t priority = 0;
    std::uint32_t table = 254;
    std::optional<std::uint32_t> mark;             ///< only packets with this firewall mark
    std::optional<std::uint32_t> not_mark;         ///< only packets without it; excludes every other condition
    std::optional<std::uint32_t> suppress_prefix;  ///< ignore results with at most this prefix length
    std::string destination;                       ///< only packets to this address; empty: all
    IpProtocol transport = IpProtocol::any;
    std::uint16_t port = 0;     ///< only packets to this port, with a transport; 0: all
    std::uint8_t protocol = 0;  ///< who put it there
};

/// Talks to the namespace in which it was opened, from whatever thread uses it; one thread at a time. Calls block for
/// well under a millisecond. Names are checked by the kernel; absent things are not_found, present ones already_exists.
class Netlink {
public:
    [[nodiscard]] static Result<Netlink> open();

    [[nodiscard]] Result<std::vector<Link>> links();
    [[nodiscard]] Result<Link> link(const std::string& name);
    [[nodiscard]] Result<LinkStats> stats(int index);

    /// A pair of connected interfaces; the peer is created inside the namespace `peer_namespace`.
    [[nodiscard]] Result<> create_veth(const std::string& name, const std::string& peer, int peer_namespace,
                                       std::uint32_t mtu);
    /// An interface of a kind without parameters, e.g. "wireguard" or "dummy". A kernel without it: unavailable.
    [[nodiscard]] Result<> create_link(const std::string& name, const std::string& kind);
    /// A missing one is no error.
    [[nodiscard]] Result<> delete_link(const std::string& name);
    /// Moves an interface by index; it arrives down and without addresses.
    [[nodiscard]] Result<> move_link(int index, int target_namespace);
    [[nodiscard]] Result<> set_mtu(int index, std::uint32_t mtu);
    [[nodiscard]] Result<> set_up(int index);
    /// A note on the interface that everyone can read; at most 255 bytes.
    [[nodiscard]] Result<> set_alias(int index, const std::string& text);
    /// Lets the stack build no packets of several segments for this interface.
    [[nodiscard]] Result<> set_single_segment(int index);

    /// `address` without prefix length.
    [[nodiscard]] Result<> add_address(int index, const std::string& address, std::uint8_t prefix);
    /// A missing one is no error.
    [[nodiscard]] Result<> delete_address(int index, const std::string& address, std::uint8_t prefix);
    /// Every IPv4 address of the namespace, textual.
    [[nodiscard]] Result<std::vector<std::string>> ipv4_addresses();

    [[nodiscard]] Result<> add_route(const Route& route);
    /// IPv4 routes of a table with destination, prefix, link, metric and protocol. A link of 0: none or several.
    [[nodiscard]] Result<std::vector<Route>> ipv4_routes(std::uint32_t table);
    /// Name of the interface of the IPv4 default route with the best metric in the main table; not_found if none.
    [[nodiscard]] Result<std::string> default_link();

    [[nodiscard]] Result<> add_rule(const Rule& rule);
    /// Removes every rule of this protocol with a priority from `first` to `last`, of both families; none is no error.
    [[nodiscard]] Result<> delete_rules(std::uint8_t protocol, std::uint32_t first, std::uint32_t last);
    /// Removes every route whose protocol and table are these, of both families; none is no error.
    [[nodiscard]] Result<> delete_routes(std::uint8_t protocol, std::uint32_t table);

private:
    explicit Netlink(NetlinkSocket socket) : socket_(std::move(socket)) {}
    NetlinkSocket socket_;
};

}  // namespace myst::sys
