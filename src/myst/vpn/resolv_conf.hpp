// The machine's list of DNS resolvers while a connection is open.
#pragma once

#include <string>
#include <vector>

#include "myst/base/error.hpp"

namespace myst::vpn {

/// Replaces the resolver list and puts the old one back. Calls block on the disk; not for the control thread.
class ResolvConf {
public:
    /// `path` is the file the C library reads; `backup` is where the original waits, also for the next run of the
    /// program if this one is killed.
    ResolvConf(std::string path, std::string backup) : path_(std::move(path)), backup_(std::move(backup)) {}

    /// Saves the original durably, then writes these resolvers (IP literals, at most three are used) in place: the file
    /// keeps its inode, because it may be mounted or linked. An existing backup means that the file is replaced
    /// already: already_exists.
    [[nodiscard]] Result<> replace(const std::vector<std::string>& servers) const;
    /// Other resolvers for a file that `replace` has replaced.
    [[nodiscard]] Result<> change(const std::vector<std::string>& servers) const;
    /// Puts the original back, unless somebody else has rewritten the file since; then that content stays. Removes the
    /// backup. Without a backup it does nothing.
    [[nodiscard]] Result<> restore() const;

private:
    std::string path_;
    std::string backup_;
};

}  // namespace myst::vpn
