#include "myst/vpn/netns_fixture.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace myst::vpn::test {
namespace {
constexpr milliseconds kStep{20};
constexpr milliseconds kDownloadLimit{60000};
constexpr std::size_t kPayload = kMtu - 28;  // IP and UDP headers
}  // namespace

std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void put_text(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

Flood::Flood(const sys::NetworkNamespace& client, const sys::NetworkNamespace& site)
    : client_(udp_socket(client, "0.0.0.0", 0)), site_(udp_socket(site, "11.2.0.2", 0)) {
    const auto take = [this](const sys::Fd& socket, auto respond) {
        std::array<std::uint8_t, 2048> buffer{};
        sockaddr_storage sender{};
        socklen_t length = sizeof(sender);
        const auto got = ::recvfrom(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&sender), &length);
        if (got < 0) return;
        received_ += static_cast<std::uint64_t>(got) + 28;
        respond(buffer, static_cast<std::size_t>(got), sender, length);
    };
    sender_ = std::thread([this, take] {
        while (!stop_) {
            send_to(client_, "11.2.0.2", port_of(site_), kPayload);
            take(client_, [](auto&&...) {});
        }
    });
    answerer_ = std::thread([this, take] {
        while (!stop_) {
            if (!readable(site_, kStep)) continue;
            take(site_, [this](auto& buffer, std::size_t size, auto& sender, socklen_t length) {
                for (int copy = 0; copy < 3; ++copy) {
                    ::sendto(site_.get(), buffer.data(), size, 0, reinterpret_cast<const sockaddr*>(&sender), length);
                }
            });
        }
    });
}

Flood::~Flood() {
    stop_ = true;
    sender_.join();
    answerer_.join();
}

Download::Download(const sys::NetworkNamespace& client, const sys::NetworkNamespace& site, std::size_t size, int window)
    : size_(size) {
    const auto server = tcp_listener(site, "11.2.0.2", 0);
    receiver_ = tcp_connect(client, "11.2.0.2", port_of(server), kPatience);
    if (window > 0) ::setsockopt(receiver_.get(), SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
    auto accepted = std::make_shared<sys::Fd>(tcp_accept(server));
    if (!receiver_.valid() || !accepted->valid()) throw std::runtime_error("no connection to the site");
    sender_ = std::thread([this, accepted] {
        const Bytes block(65536, 'x');
        std::size_t sent = 0;
        while (!stop_ && sent < size_) {
            if (!writable(*accepted, kStep)) continue;
            const auto step = ::send(accepted->get(), block.data(), std::min(block.size(), size_ - sent),
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
            if (step > 0) sent += static_cast<std::size_t>(step);
            if (step < 0 && errno != EAGAIN) return;
        }
        ::shutdown(accepted->get(), SHUT_WR);
        while (!stop_ && !eventually([this] { return received_ >= size_; }, kStep)) {
        }
    });
    reader_ = std::thread([this] {
        std::array<std::uint8_t, 65536> buffer{};
        while (!stop_) {
            if (!readable(receiver_, kStep)) continue;
            const auto got = ::recv(receiver_.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0) return;
            received_ += static_cast<std::size_t>(got);
        }
    });
}

std::size_t Download::finish() {
    std::ignore = eventually([this] { return received_ >= size_; }, kDownloadLimit);
    return received_;
}

Download::~Download() {
    stop_ = true;
    sender_.join();
    reader_.join();
}

VpnNetns::Client::~Client() {
    if (tunnel) std::ignore = daemon->run(tunnel->close());
    tunnel.reset();
}

void VpnNetns::SetUp() {
    if (const auto missing = missing_for(kind()); !missing.empty()) GTEST_SKIP() << missing;
    network_.emplace();
}

void VpnNetns::TearDown() {
    if (exit_) std::ignore = exit_daemon_->run(exit_->close());
    exit_.reset();
    exit_daemon_.reset();
}

std::unique_ptr<Daemon> VpnNetns::make_daemon(const sys::NetworkNamespace& machine) {
    last_state_ = directory_.path() + "/daemon" + std::to_string(daemons_++);
    return std::make_unique<Daemon>(machine, last_state_, kind());
}

void VpnNetns::open_exit(ports::ExitSettings settings) {
    exit_daemon_ = make_daemon(network().provider);
    settings.listen_port = 0;
    settings.uplink = "up";
    settings.mtu = kMtu;
    exit_ = must(exit_daemon_->run(exit_daemon_->driver().open_exit(settings)), "open the exit");
}

VpnNetns::Invitation VpnNetns::invite(Daemon& client, const std::string& endpoint, const std::string& address,
                                      std::uint64_t allowance) {
    auto keys = client.call([&] { return client.driver().make_keys(); });
    const auto id = random_bytes<SessionId>(random_);
    require(exit_daemon_->run(exit_->add_peer(id, keys.public_key, address)), "add peer");
    require(exit_daemon_->run(exit_->set_allowance(id, allowance)), "set allowance");
    ports::TunnelOffer offer;
    offer.server_key = exit_->public_key();
    offer.endpoint_host = endpoint;
    offer.endpoint_port = exit_->listen_port();
    offer.client_address = address;
    offer.server_address = exit_->server_address();
    offer.mtu = kMtu;
    offer.dns = {"11.2.0.2"};
    return {id, offer, std::move(keys)};
}

VpnNetns::Client VpnNetns::join(const sys::NetworkNamespace& machine, const std::string& endpoint,
                                const std::string& address, std::uint64_t allowance) {
    return join(make_daemon(machine), endpoint, address, allowance);
}

VpnNetns::Client VpnNetns::join(std::unique_ptr<Daemon> daemon, const std::string& endpoint, const std::string& address,
                                std::uint64_t allowance) {
    Client client;
    client.state = last_state_;
    client.daemon = std::move(daemon);
    auto [id, offer, keys] = invite(*client.daemon, endpoint, address, allowance);
    client.id = id;
    client.tunnel = must(client.daemon->run(client.daemon->driver().connect(offer, std::move(keys))), "connect");
    return client;
}

ports::TrafficCounters VpnNetns::client_counters(Client& client) {
    return must(client.daemon->call([&] { return client.tunnel->counters(); }), "client counters");
}

ports::TrafficCounters VpnNetns::exit_counters(const SessionId& id) {
    for (const auto& [peer, traffic] : must(exit_daemon_->call([&] { return exit_->counters(); }), "exit counters")) {
        if (peer == id) return traffic;
    }
    ADD_FAILURE() << "the exit does not know the session";
    return {};
}

std::size_t VpnNetns::download(const sys::NetworkNamespace& client, std::size_t size, int window) {
    return Download(client, network().site, size, window).finish();
}

std::string kind_name(const ::testing::TestParamInfo<WireguardKind>& tested) {
    switch (tested.param) {
        case WireguardKind::builtin: return "Builtin";
        case WireguardKind::kernel: return "Kernel";
        case WireguardKind::program: break;
    }
    return "Program";
}

}  // namespace myst::vpn::test
