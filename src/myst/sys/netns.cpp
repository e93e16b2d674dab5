#include "myst/sys/netns.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>

#include "myst/sys/os_error.hpp"

namespace myst::sys {

Result<NetworkNamespace> NetworkNamespace::open_current() {
    Fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return fail_errno("open the network namespace", errno);
    return from(std::move(fd));
}

Result<NetworkNamespace> NetworkNamespace::from(Fd fd) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return fail_errno("stat the network namespace", errno);
    return NetworkNamespace(std::move(fd), static_cast<std::uint64_t>(info.st_ino));
}

Result<NetworkNamespace> NetworkNamespace::current() {
    return open_current();
}

Result<NetworkNamespace> NetworkNamespace::create() {
    std::optional<Result<NetworkNamespace>> outcome;
    std::thread([&outcome] {
        if (::unshare(CLONE_NEWNET) != 0) {
            outcome.emplace(fail_errno("create a network namespace", errno, "run as root"));
        } else {
            outcome.emplace(open_current());
        }
    }).join();
    return std::move(*outcome);
}

Result<> NetworkNamespace::enter() const {
    if (::setns(fd_->get(), CLONE_NEWNET) != 0) return fail_errno("enter a network namespace", errno, "run as root");
    return {};
}

}  // namespace myst::sys
