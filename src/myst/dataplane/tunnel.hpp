// A WireGuard interface that this process carries: TUN device, sockets, protocol and settings, in one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "myst/dataplane/incoming.hpp"
#include "myst/dataplane/outgoing.hpp"
#include "myst/dataplane/uapi_server.hpp"
#include "myst/sys/mtu_watch.hpp"
#include "myst/wireguard/uapi_device.hpp"

namespace myst::dataplane {

/// What the kernel may join into one; each can be turned off where a kernel or device handles it wrongly.
struct Offloads {
    bool tun = true;         ///< super-packets from and to the interface
    bool udp_out = true;     ///< several datagrams in one send
    bool udp_in = true;      ///< several datagrams in one receive
    bool tun_tcp = true;     ///< of `tun`, what is TCP
    bool tun_udp = true;     ///< of `tun`, what is UDP
    bool equal_tail = true;  ///< of `udp_out`, the last datagram may be as long as the others (sys::UdpOptions)
};

/// One thread at a time.
class Tunnel {
public:
    struct Settings {
        std::string name;
        Offloads offloads{};
        std::string uapi_folder = UapiServer::kFolder;  ///< of the socket for `wg`; empty: none
    };

    /// Makes the interface, down and without addresses, and the socket for `wg`, in this thread's network namespace.
    /// The UDP sockets stay there wherever the interface is moved. `aead` is for data messages only, and never null.
    /// Errors as of TunDevice::create, UdpLink::open and UapiServer::open.
    [[nodiscard]] static Result<std::unique_ptr<Tunnel>> create(
        const Settings& settings, Rng& rng, std::unique_ptr<wireguard::Aead> aead = wireguard::make_aead());
    Tunnel(const Tunnel&) = delete;
    Tunnel& operator=(const Tunnel&) = delete;

    [[nodiscard]] const std::string& name() const { return tun_.name(); }
    /// Which code encrypts.
    [[nodiscard]] std::string_view encryption() const { return aead_->name(); }
    /// Carries packets until the interface was removed, or `woken` says no; it is asked whenever `wake` is readable,
    /// and may call what follows. The thread must be in the namespace of the one that made the tunnel.
    [[nodiscard]] Result<> run(int wake, const std::function<bool()>& woken);

    /// What `wg set` does. already_exists if the listen port is taken: the earlier one stays, all else is done.
    [[nodiscard]] Result<> set(wireguard::SetRequest request);
    /// Who counts and gates a peer's packets from now on; null: nobody. not_found for an unknown peer.
    [[nodiscard]] Result<> set_meter(const TunnelKey& peer, std::shared_ptr<wireguard::Meter> meter);
    /// With the private key.
    [[nodiscard]] wireguard::DeviceStatus status() const { return wireguard::uapi_status(device_, applied_); }
    /// The interface's, as the kernel last told.
    [[nodiscard]] std::size_t mtu() const { return sealer_.mtu(); }

private:
    Tunnel(sys::TunDevice tun, sys::MtuWatch mtu, UdpLink link, std::optional<UapiServer> uapi,
           const Settings& settings, Rng& rng, std::unique_ptr<wireguard::Aead> aead);
    [[nodiscard]] Result<> watch_descriptors(int wake);
    /// Does what one descriptor that is ready asks for. False: the end.
    [[nodiscard]] bool attend(int fd, std::uint32_t events, int wake, const std::function<bool()>& woken);
    /// One turn of everything; whether there is more to do at once.
    [[nodiscard]] bool turn();
    void handle_handshakes(wireguard::Now now);
    void carry_out(wireguard::Actions& actions);
    void seal_and_send(const wireguard::SealAndSend& action);
    [[nodiscard]] SecretText answer(std::string_view request);
    /// What cannot be had stays as it was.
    [[nodiscard]] Result<> apply_socket_settings();
    void read_mtu();
    [[nodiscard]] int wait_milliseconds(wireguard::Now now);

    Offloads offloads_;
    sys::TunDevice tun_;
    sys::MtuWatch mtu_;
    UdpLink link_;
    std::optional<UapiServer> uapi_;
    std::unique_ptr<wireguard::Aead> aead_;
    wireguard::Device device_;
    wireguard::SocketSettings wanted_;   ///< what `wg` asked for
    wireguard::SocketSettings applied_;  ///< and what is in force
    sys::PacketMemory memory_;
    Sealer sealer_;
    Outgoing outgoing_;
    Incoming incoming_;
    wireguard::Actions actions_;
    sys::Fd poll_;
    bool new_sockets_ = false;  ///< that `poll_` does not know yet
};

}  // namespace myst::dataplane
