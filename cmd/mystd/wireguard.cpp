#include "wireguard.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "myst/base/log.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/sys/os_error.hpp"
#include "myst/sys/startup_code.hpp"

namespace {

int complain(const myst::Error& error) {
    std::fprintf(stderr, "mystd wireguard: %s\n", error.describe().c_str());
    return 1;
}

/// Keys must not end in a core file or another process's debugger.
void forbid_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
}

/// Readable when the process is asked to end.
myst::Result<myst::sys::Fd> ending() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    myst::sys::Fd asked(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!asked.valid()) return myst::sys::fail_errno("taking signals", errno);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    return asked;
}

}  // namespace

int run_wireguard(const myst::dataplane::Tunnel::Settings& settings) {
    forbid_dumps();
    myst::sys::release_startup_code();  // that of the libraries; below that of self-tests
    const auto stop = ending();
    if (!stop) return complain(stop.error());
    myst::crypto::SystemRng rng;
    auto tunnel = myst::dataplane::Tunnel::create(settings, rng);
    if (!tunnel) return complain(tunnel.error());
    myst::log::info("{} is there, encryption by {}", (*tunnel)->name(), (*tunnel)->encryption());
    myst::sys::release_startup_code();
    if (auto ended = (*tunnel)->run(stop->get(), [] { return false; }); !ended) return complain(ended.error());
    return 0;
}
