// One WireGuard interface, whoever implements it: this process, the kernel, or the program wireguard-go.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"
#include "myst/sys/netns.hpp"
#include "myst/wireguard/meter.hpp"

namespace myst::vpn {

/// What to change of the interface itself.
struct DeviceSettings {
    const Secret<32>* private_key = nullptr;   ///< none: keep
    std::optional<std::uint16_t> listen_port;  ///< none: keep; at first any free port
    std::optional<std::uint32_t> mark;         ///< firewall mark of the UDP packets; none: keep
};

/// Where a peer's UDP packets go.
struct Endpoint {
    std::string host;  ///< IP literal
    std::uint16_t port = 0;
};

struct PeerSettings {
    TunnelKey key;
    std::optional<Endpoint> endpoint;           ///< none: wait for the peer to speak first
    std::vector<std::string> allowed_networks;  ///< replaces the earlier ones; sources accepted and destinations sent
    seconds keepalive{0};                       ///< zero: none
    /// Counts and gates the peer's packets; only where the device has meters.
    std::shared_ptr<wireguard::Meter> meter{};
};

struct PeerStatus {
    TunnelKey key;
    std::optional<UnixTime> last_handshake;
};

struct DeviceStatus {
    std::uint16_t listen_port = 0;  ///< 0 until the interface has come up
    std::vector<PeerStatus> peers;
};

/// Who knows the exact number of bytes of the inner IP packets.
enum class Counting {
    meters,      ///< those of the peers (PeerSettings::meter)
    statistics,  ///< the interface's own
    filter,      ///< the packet filter only, which must see single packets
};

/// Calls block for about a millisecond; any thread, several at a time.
class WireguardDevice {
public:
    virtual ~WireguardDevice() = default;
    [[nodiscard]] virtual const std::string& name() const = 0;
    /// A busy listen port is already_exists.
    [[nodiscard]] virtual Result<> configure(const DeviceSettings& settings) = 0;
    /// Adds or changes a peer.
    [[nodiscard]] virtual Result<> set_peer(const PeerSettings& peer) = 0;
    /// An unknown peer is no error.
    [[nodiscard]] virtual Result<> remove_peer(const TunnelKey& key) = 0;
    [[nodiscard]] virtual Result<DeviceStatus> status() = 0;
    [[nodiscard]] virtual Counting counting() const = 0;
    /// Whether it is known that nothing is carried any more. At once; any thread.
    [[nodiscard]] virtual bool ended() const { return false; }
    /// To be called after the interface was moved to another namespace; requests then go there.
    [[nodiscard]] virtual Result<> follow(const sys::NetworkNamespace& network) = 0;
    /// Ends the thread or helper program that carries the interface, if there is one, and with it the interface;
    /// deleting that of a kernel is left to the caller.
    virtual void stop() = 0;
};

/// Who implements an interface.
enum class WireguardKind {
    builtin,  ///< this process
    kernel,
    program,  ///< wireguard-go, one process for each interface
};

/// Paths of programs that speak WireGuard's userspace protocol, in order of preference.
[[nodiscard]] const std::vector<std::string>& default_wireguard_programs();

/// How interfaces are made.
struct WireguardChoice {
    WireguardKind kind = WireguardKind::builtin;
    std::vector<std::string> programs = default_wireguard_programs();  ///< for `program`: the first that exists
};

/// Whether a device can be made here; the error says what is missing.
[[nodiscard]] Result<> check_wireguard(const WireguardChoice& choice);

/// Creates an interface in the calling thread's namespace. already_exists if the name is in use, here or (for a
/// program's control socket) anywhere on the machine. Its UDP socket stays in this namespace wherever the interface is
/// moved. A program lives as long as the calling thread. `rng` outlives the device.
[[nodiscard]] Result<std::unique_ptr<WireguardDevice>> create_wireguard(const std::string& name,
                                                                        const WireguardChoice& choice, Rng& rng);

}  // namespace myst::vpn
