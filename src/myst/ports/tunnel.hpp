// The VPN connection API: open a connection, close it, watch the data it carries. One interface, many drivers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/secret.hpp"
#include "myst/runtime/task.hpp"

namespace myst::ports {

/// Inner IP packets' bytes (headers included), since the tunnel or the peer was added. Never decreases.
struct TrafficCounters {
    std::uint64_t up = 0;    ///< from consumer to provider
    std::uint64_t down = 0;  ///< from provider to consumer
    [[nodiscard]] std::uint64_t total() const { return up + down; }
    auto operator<=>(const TrafficCounters&) const = default;
};

/// Permitted MTU of the interface inside a tunnel, in bytes: from what IPv6 asks of every link to jumbo frames.
inline constexpr std::uint16_t kMinTunnelMtu = 1280;
inline constexpr std::uint16_t kMaxTunnelMtu = 9000;

/// What a consumer needs to reach a provider; comes out of the session envelope.
struct TunnelOffer {
    TunnelKey server_key;
    std::string endpoint_host;  ///< IP literal
    std::uint16_t endpoint_port = 0;
    std::string client_address;  ///< IPv4 inside the tunnel, of 100.64.0.0/10; no prefix length
    std::string server_address;  ///< provider's IPv4 inside the tunnel, of 100.64.0.0/10
    std::uint16_t payment_port = 0;
    std::vector<std::string> dns;  ///< resolvers to use through the tunnel; empty: the user's own choice
    std::uint16_t mtu = 1420;      ///< kMinTunnelMtu … kMaxTunnelMtu
};

/// A fresh WireGuard (X25519) key pair for one session.
struct TunnelKeyPair {
    TunnelKey public_key;
    Secret<32> private_key;
};

// What holds for all calls below. They are made on the control thread; what takes longer than a fraction of a
// millisecond is a task and works elsewhere. Cancellation does not interrupt a task: it runs to its end, so nothing is
// left half done. Several tasks of one object may be under way; the driver does them one after the other. Errors that
// any call may give besides those it names: io for what the operating system refuses, failed_precondition after
// `close`.

/// A consumer's open connection. Destroying it without `close` leaves removal to `TunnelDriver::remove_stale`.
class ClientTunnel {
public:
    virtual ~ClientTunnel() = default;
    /// Name of the network interface; the same across `replace` and after `close`.
    [[nodiscard]] virtual const std::string& interface_name() const = 0;
    /// Bytes so far; cheap enough to call a hundred times a second. Packets that this side drops are not in it.
    [[nodiscard]] virtual Result<TrafficCounters> counters() = 0;
    /// Time since the peer last completed a handshake; none before the first.
    [[nodiscard]] virtual Task<Result<std::optional<seconds>>> handshake_age() = 0;
    /// Points the open tunnel at another offer (new keys, endpoint, inner addresses, DNS) while its routes and rules
    /// stay in force, so that nothing leaves in clear between two sessions. Counters go on. Errors as of
    /// `TunnelDriver::connect`; after one the tunnel carries nothing until another `replace` succeeds.
    [[nodiscard]] virtual Task<Result<>> replace(TunnelOffer offer, TunnelKeyPair keys) = 0;
    /// Removes interface, routes, rules and DNS settings, restoring what was there. Goes on after failures and reports
    /// the first; `TunnelDriver::remove_stale` of a later process removes what has stayed. A second call does nothing.
    [[nodiscard]] virtual Task<Result<>> close() = 0;
};

/// A provider's exit: accepts peers, meters and gates each of them, forwards their packets to the internet. Destroying
/// it without `close` leaves removal to `TunnelDriver::remove_stale`.
class ExitTunnel {
public:
    virtual ~ExitTunnel() = default;
    /// WireGuard key of this exit; a fresh one each time an exit is opened.
    [[nodiscard]] virtual const TunnelKey& public_key() const = 0;
    /// UDP port; never 0, the kernel's choice if the settings said 0.
    [[nodiscard]] virtual std::uint16_t listen_port() const = 0;
    /// The provider's own address inside the tunnel.
    [[nodiscard]] virtual const std::string& server_address() const = 0;
    /// A listening TCP socket on server_address:`port` (0: any), reachable only by peers, open even to peers whose
    /// gate is closed. The caller owns the descriptor, which may outlive the exit, but is then of no use.
    /// already_exists if the port is taken.
    [[nodiscard]] virtual Result<int> listen_inside(std::uint16_t port) = 0;
    /// Lets a peer in under an address of its own, with a closed gate. Nothing of an earlier peer of this address
    /// stays: neither its connections nor its translated ports. invalid_argument for an address outside the pool or a
    /// useless key, already_exists if session, key or address is in use. After an error the peer is not there.
    [[nodiscard]] virtual Task<Result<>> add_peer(SessionId id, TunnelKey key, std::string client_address) = 0;
    /// Lets payload pass until the peer's counters reach `bytes` in total (up + down); the packet that would pass
    /// the limit is dropped. A lower value than before closes the gate at once if it has been used up. not_found for an
    /// unknown session; after any other error the gate is where it was or, if it was to be raised, below the new value.
    [[nodiscard]] virtual Task<Result<>> set_allowance(SessionId id, std::uint64_t bytes) = 0;
    /// Bytes of every peer that its gate has let pass; payment frames are not counted. What the gate drops is not in
    /// it; what a peer sends and the exit then refuses, such as a denied destination, may be, as it is on the
    /// consumer's meter.
    [[nodiscard]] virtual Result<std::vector<std::pair<SessionId, TrafficCounters>>> counters() = 0;
    /// Cuts a peer off; its counters go, and its connections are forgotten. Read the counters before. not_found for an
    /// unknown session. After another error the session is unknown as well, but its address may not be free again:
    /// `add_peer` says so.
    [[nodiscard]] virtual Task<Result<>> remove_peer(SessionId id) = 0;
    /// Cuts all peers off; removes interface, rules and addresses. Failures as of `ClientTunnel::close`.
    [[nodiscard]] virtual Task<Result<>> close() = 0;
};

/// How the exit is set up.
struct ExitSettings {
    std::uint16_t listen_port = 51820;   ///< UDP; 0: any free port
    std::string pool = "100.64.0.0/16";  ///< inner addresses, within 100.64.0.0/10; the first is the provider's
    std::vector<std::string> deny;       ///< destinations never forwarded, besides the built-in list
    std::vector<std::string> allow;      ///< exceptions to the deny list (for closed test networks)
    std::string uplink;                  ///< interface to the internet; empty: by the default route
    std::uint16_t mtu = 1420;            ///< kMinTunnelMtu … kMaxTunnelMtu
};

/// A way to carry traffic. It outlives the tunnels it has opened.
class TunnelDriver {
public:
    virtual ~TunnelDriver() = default;
    /// Name in proposals, e.g. "wireguard"; a-z, 0-9 and -, the same for the driver's whole life.
    [[nodiscard]] virtual std::string service() const = 0;
    /// Whether this machine can run the driver (privileges, kernel or helper program); the error says what is missing:
    /// permission_denied or unavailable, with a cure.
    [[nodiscard]] virtual Result<> available() const = 0;
    using KeyPair = TunnelKeyPair;
    /// For `connect` or `replace`; never the same twice.
    [[nodiscard]] virtual KeyPair make_keys() = 0;
    /// Opens a connection: afterwards this machine's traffic goes through it. Waits for no answer of the provider; a
    /// wrong endpoint shows as a handshake that never comes. The offer is from a stranger: invalid_argument if it is
    /// malformed or points where a provider must not, failed_precondition if its addresses are in use on this machine,
    /// already_exists if another connection has replaced the resolvers (one at a time). After an error nothing stays.
    [[nodiscard]] virtual Task<Result<std::unique_ptr<ClientTunnel>>> connect(TunnelOffer offer, KeyPair keys) = 0;
    /// Opens an exit. Several at a time are allowed, of this process and others, with ports and pools of their own.
    /// invalid_argument for bad settings, not_found for an unknown uplink, already_exists for a UDP port or pool in
    /// use. After an error nothing stays.
    [[nodiscard]] virtual Task<Result<std::unique_ptr<ExitTunnel>>> open_exit(ExitSettings settings) = 0;
    /// Removes whatever earlier, killed processes of ours left behind; to be called before anything is opened. Leaves
    /// alone what belongs to living processes. Goes on after failures and reports the first.
    [[nodiscard]] virtual Task<Result<>> remove_stale() = 0;
};

/// Firewall mark of the daemon's own control connections (relays, RPC) and tunnel datagrams: they bypass the tunnel.
inline constexpr std::uint32_t kBypassMark = 0x6d797374;

}  // namespace myst::ports
