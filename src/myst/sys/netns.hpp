// Network namespaces. setns(2) changes the calling thread, so all work inside another namespace runs on a helper
// thread that ends with it; the caller's thread never leaves its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>

#include "myst/base/error.hpp"
#include "myst/sys/fd.hpp"

namespace myst::sys {

/// Keeps a namespace alive. When the last handle, socket and process in it is gone, the kernel destroys it and
/// everything inside, also after SIGKILL. Copies share one descriptor; any thread.
class NetworkNamespace {
public:
    /// A new, empty namespace (needs CAP_SYS_ADMIN).
    [[nodiscard]] static Result<NetworkNamespace> create();
    /// The calling thread's namespace.
    [[nodiscard]] static Result<NetworkNamespace> current();

    /// The namespace that this descriptor stands for.
    [[nodiscard]] static Result<NetworkNamespace> from(Fd fd);

    /// For IFLA_NET_NS_FD; stays with this object.
    [[nodiscard]] int fd() const { return fd_->get(); }
    /// Identifies the namespace as long as it exists.
    [[nodiscard]] std::uint64_t inode() const { return inode_; }

    /// Runs `work` (returning a Result) on a helper thread inside the namespace and waits for it. Sockets that it opens
    /// belong to the namespace for their lifetime.
    template <class Work>
    [[nodiscard]] std::invoke_result_t<Work&> run(Work work) const {
        std::optional<std::invoke_result_t<Work&>> outcome;
        std::thread([&] {
            if (auto entered = enter(); !entered) {
                outcome.emplace(forward_error(entered));
            } else {
                outcome.emplace(work());
            }
        }).join();
        return std::move(*outcome);
    }

private:
    explicit NetworkNamespace(Fd fd, std::uint64_t inode) : fd_(std::make_shared<Fd>(std::move(fd))), inode_(inode) {}
    [[nodiscard]] static Result<NetworkNamespace> open_current();
    [[nodiscard]] Result<> enter() const;

    std::shared_ptr<Fd> fd_;
    std::uint64_t inode_ = 0;
};

}  // namespace myst::sys
