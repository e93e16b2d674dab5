// Packet filter rules of one network namespace, as nft(8) text through libnftables.
#pragma once

#include <memory>
#include <string>

#include "myst/sys/netns.hpp"

namespace myst::sys {

/// Applies rules inside the namespace given at construction. Blocks for some milliseconds: not for the control thread.
/// Safe from any thread; calls of all instances wait for each other, because libnftables shares tables among contexts.
class Nftables {
public:
    [[nodiscard]] static Result<Nftables> open(const NetworkNamespace& network);

    /// Runs all commands in one kernel transaction: all take effect at once or, on failure, none does.
    [[nodiscard]] Result<> apply(const std::string& commands) const;
    /// The output of commands that list.
    [[nodiscard]] Result<std::string> query(const std::string& commands) const;
    /// Removes a table with everything in it; a missing one is no error.
    [[nodiscard]] Result<> delete_table(const std::string& name) const;

private:
    explicit Nftables(NetworkNamespace network) : network_(std::move(network)) {}
    NetworkNamespace network_;
};

}  // namespace myst::sys
