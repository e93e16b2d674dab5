#include "myst/vpn/wireguard_device.hpp"

#include <poll.h>
#include <unistd.h>

#include <chrono>

#include "myst/sys/child_process.hpp"
#include "myst/sys/child_sockets.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/vpn/builtin_wireguard.hpp"
#include "myst/vpn/uapi_socket.hpp"
#include "myst/vpn/wireguard_netlink.hpp"
#include "myst/vpn/wireguard_uapi.hpp"

namespace myst::vpn {
namespace {

constexpr milliseconds kStartLimit{5000};
constexpr milliseconds kStartPoll{2};
constexpr milliseconds kStopGrace{2000};
constexpr milliseconds kSocketLimit{200};
constexpr int kSocketBuffer = 4 << 20;  // bytes: a tenth of a second at 300 Mbit/s

class ProgramWireguard final : public WireguardDevice {
public:
    ProgramWireguard(std::string name, sys::ChildProcess child)
        : name_(std::move(name)), child_(std::move(child)), socket_(name_, child_.pid()) {}

    const std::string& name() const override { return name_; }
    Counting counting() const override { return Counting::statistics; }
    Result<> configure(const DeviceSettings& settings) override { return socket_.set(encode_uapi(settings)); }
    Result<> set_peer(const PeerSettings& peer) override {
        make_room();
        return socket_.set(encode_uapi(peer));
    }
    Result<> remove_peer(const TunnelKey& key) override { return socket_.set(encode_uapi_removal(key)); }
    Result<DeviceStatus> status() override { return socket_.get(); }
    Result<> follow(const sys::NetworkNamespace&) override { return {}; }  // its socket is a file
    void stop() override { child_.stop(kStopGrace); }

    /// Waits until the program serves its socket.
    Result<> wait_ready() {
        const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
        while (true) {
            auto probed = socket_.probe();
            if (probed || probed.error().code == ErrorCode::already_exists) return probed;
            if (child_.wait_for_end(kStartPoll)) {
                return fail(ErrorCode::io, "the WireGuard program ended at once: " + child_.last_output());
            }
            if (std::chrono::steady_clock::now() > deadline) return forward_error(probed, "start WireGuard program");
        }
    }

private:
    /// The program keeps the system's default buffers, which overflow whenever it is not scheduled for some
    /// milliseconds; what is lost there was metered and paid. Its sockets appear soon after the link has come up.
    void make_room() {
        const auto deadline = std::chrono::steady_clock::now() + kSocketLimit;
        while (!roomy_ && std::chrono::steady_clock::now() < deadline) {
            roomy_ = sys::enlarge_udp_buffers(child_.pid(), kSocketBuffer) > 0 || child_.wait_for_end(kStartPoll);
        }
    }

    std::string name_;
    bool roomy_ = false;
    sys::ChildProcess child_;
    UapiSocket socket_;
};

Result<std::string> find_program(const std::vector<std::string>& programs) {
    for (const auto& path : programs) {
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return fail(ErrorCode::unavailable, "there is no program on this machine that provides WireGuard",
                "apt-get install wireguard-go, or set vpn.wireguard to \"builtin\"");
}

Result<std::unique_ptr<WireguardDevice>> create_program_wireguard(const std::string& name,
                                                                  const std::vector<std::string>& programs) {
    auto program = find_program(programs);
    if (!program) return forward_error(program);
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    if (links->link(name) || uapi_alive(name)) {
        return fail(ErrorCode::already_exists, "WireGuard interface name " + name + " is in use");
    }
    const sys::ChildSettings settings{.program = *program,
                                      .arguments = {"-f", name},
                                      .environment = {"LOG_LEVEL=error"},
                                      .log_name = "wireguard-go " + name};
    auto child = sys::ChildProcess::start(settings);
    if (!child) return forward_error(child);
    auto device = std::make_unique<ProgramWireguard>(name, std::move(*child));
    if (auto ready = device->wait_ready(); !ready) return forward_error(ready);
    return device;
}

}  // namespace

const std::vector<std::string>& default_wireguard_programs() {
    static const std::vector<std::string> paths{"/usr/bin/wireguard-go", "/usr/local/bin/wireguard-go",
                                                "/usr/sbin/wireguard-go"};
    return paths;
}

Result<> check_wireguard(const WireguardChoice& choice) {
    if (choice.kind == WireguardKind::kernel) {
        auto present = check_kernel_wireguard();
        if (!present) present.error().cure = "set vpn.wireguard to \"builtin\", or use a kernel with WireGuard";
        return present;
    }
    if (choice.kind == WireguardKind::program) {
        if (auto program = find_program(choice.programs); !program) return forward_error(program);
    }
    return check_tun();
}

Result<std::unique_ptr<WireguardDevice>> create_wireguard(const std::string& name, const WireguardChoice& choice,
                                                          Rng& rng) {
    switch (choice.kind) {
        case WireguardKind::builtin: return create_builtin_wireguard(name, rng);
        case WireguardKind::kernel: return create_kernel_wireguard(name);
        case WireguardKind::program: break;
    }
    return create_program_wireguard(name, choice.programs);
}

}  // namespace myst::vpn
