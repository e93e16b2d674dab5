// For tests: a disk that is full.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <cstdint>

namespace myst::sys::testing {

/// While it lives, files of this process cannot grow beyond `size` bytes.
class FullDisk {
public:
    explicit FullDisk(std::uintmax_t size) : on_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit full = before_;
        full.rlim_cur = size;
        setrlimit(RLIMIT_FSIZE, &full);
    }
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, on_signal_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit before_{};
    void (*on_signal_)(int);
};

}  // namespace myst::sys::testing
