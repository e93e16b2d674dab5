// A bound that tunnel.py measures: `bench_tunnel_end IFNAME` carries an interface as `mystd wireguard IFNAME` does, but
// leaves data packets as they are. Handshakes are real, so two of these talk to each other, and to nobody else.
#include <sys/signalfd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "myst/crypto/system_rng.hpp"
#include "myst/dataplane/tunnel.hpp"

namespace {

using namespace myst;

/// Encrypts nothing and believes everything: what input and output cost alone. For benchmarks only.
class NullAead final : public wireguard::Aead {
public:
    [[nodiscard]] std::string_view name() const override { return "none"; }

private:
    void seal_group(Group) override {}
    void open_group(Group jobs) override {
        for (auto* job : jobs) job->authentic = true;
    }
};

/// Readable when the process is asked to end.
sys::Fd ending() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    return sys::Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int complain(const Error& error) {
    std::cerr << "bench_tunnel_end: " << error.describe() << '\n';
    return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bench_tunnel_end IFNAME\n";
        return EXIT_FAILURE;
    }
    const auto stop = ending();
    crypto::SystemRng rng;
    dataplane::Tunnel::Settings settings;
    settings.name = argv[1];
    auto tunnel = dataplane::Tunnel::create(settings, rng, std::make_unique<NullAead>());
    if (!tunnel) return complain(tunnel.error());
    if (auto ended = (*tunnel)->run(stop.get(), [] { return false; }); !ended) return complain(ended.error());
    return EXIT_SUCCESS;
}
