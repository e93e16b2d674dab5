// The fixture of the integration tests: one exit, any number of clients, floods and downloads.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/vpn/netns_support.hpp"

namespace myst::vpn::test {

inline constexpr std::uint16_t kMtu = 1420;

/// Read and write whole small files.
[[nodiscard]] std::string text_of(const std::string& path);
void put_text(const std::string& path, const std::string& text);

/// The client and the site throw datagrams of `kMtu` bytes at each other as fast as they can, until destroyed.
class Flood {
public:
    Flood(const sys::NetworkNamespace& client, const sys::NetworkNamespace& site);
    ~Flood();
    /// IP bytes that arrived at either side.
    [[nodiscard]] std::uint64_t received() const { return received_; }

private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> received_ = 0;
    sys::Fd client_;
    sys::Fd site_;
    std::thread sender_;
    std::thread answerer_;
};

/// The site sends `size` bytes to the client over TCP.
class Download {
public:
    /// `window`: the client's receive buffer; 0: the system's.
    Download(const sys::NetworkNamespace& client, const sys::NetworkNamespace& site, std::size_t size, int window);
    ~Download();
    [[nodiscard]] std::size_t received() const { return received_; }
    /// Waits for the end, at most a minute; returns what arrived.
    std::size_t finish();

private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::size_t> received_ = 0;
    std::size_t size_;
    sys::Fd receiver_;
    std::thread sender_;
    std::thread reader_;
};

class VpnNetns : public ::testing::Test {
protected:
    struct Client {
        std::unique_ptr<Daemon> daemon;
        std::unique_ptr<ports::ClientTunnel> tunnel;
        SessionId id;
        std::string state;
        Client() = default;
        Client(Client&&) = default;
        Client& operator=(Client&&) = delete;
        ~Client();
    };
    using Invitation = std::tuple<SessionId, ports::TunnelOffer, ports::TunnelKeyPair>;

    void SetUp() override;
    void TearDown() override;

    /// Who carries the tunnels of both sides.
    [[nodiscard]] virtual WireguardKind kind() const { return WireguardKind::builtin; }
    [[nodiscard]] Network& network() { return *network_; }
    [[nodiscard]] Daemon& exit_daemon() { return *exit_daemon_; }
    [[nodiscard]] ports::ExitTunnel& exit() { return *exit_; }
    [[nodiscard]] std::unique_ptr<Daemon> make_daemon(const sys::NetworkNamespace& machine);
    /// On any free port, towards the site.
    void open_exit(ports::ExitSettings settings = {});
    /// Adds a peer to the exit and writes the offer for it.
    [[nodiscard]] Invitation invite(Daemon& client, const std::string& endpoint, const std::string& address,
                                    std::uint64_t allowance);
    [[nodiscard]] Client join(const sys::NetworkNamespace& machine, const std::string& endpoint,
                              const std::string& address, std::uint64_t allowance);
    [[nodiscard]] Client join(std::unique_ptr<Daemon> daemon, const std::string& endpoint, const std::string& address,
                              std::uint64_t allowance);
    /// With an offer that `change` has had its way with.
    template <class Change>
    [[nodiscard]] Client join_changed(const sys::NetworkNamespace& machine, const std::string& endpoint,
                                      const std::string& address, Change change) {
        Client client;
        client.daemon = make_daemon(machine);
        client.state = last_state_;
        auto [id, offer, keys] = invite(*client.daemon, endpoint, address, std::uint64_t{1} << 40U);
        change(offer);
        client.id = id;
        client.tunnel = must(client.daemon->run(client.daemon->driver().connect(offer, std::move(keys))), "connect");
        return client;
    }
    [[nodiscard]] ports::TrafficCounters client_counters(Client& client);
    [[nodiscard]] ports::TrafficCounters exit_counters(const SessionId& id);
    /// A finished download from the site; returns what arrived.
    [[nodiscard]] std::size_t download(const sys::NetworkNamespace& client, std::size_t size, int window);

private:
    TemporaryDirectory directory_;
    int daemons_ = 0;
    std::string last_state_;
    std::optional<Network> network_;
    std::unique_ptr<Daemon> exit_daemon_;
    std::unique_ptr<ports::ExitTunnel> exit_;
    SystemRandom random_;
};

/// For what must hold whoever carries the tunnels.
class VpnOfEachKind : public VpnNetns, public ::testing::WithParamInterface<WireguardKind> {
protected:
    [[nodiscard]] WireguardKind kind() const override { return GetParam(); }
};
[[nodiscard]] std::string kind_name(const ::testing::TestParamInfo<WireguardKind>& tested);

}  // namespace myst::vpn::test
