// The files in which tunnels leave their records, and the way back.
#pragma once

#include <string>
#include <vector>

#include "myst/vpn/tunnel_record.hpp"

namespace myst::vpn {

/// The records of this machine's tunnels, one file each, in a private directory. Blocking calls, any thread.
class TunnelRecords {
public:
    explicit TunnelRecords(std::string directory) : directory_(std::move(directory)) {}

    /// Creates the directory, with mode 0700.
    [[nodiscard]] Result<> prepare() const;
    /// Writes the record durably.
    [[nodiscard]] Result<> save(const TunnelRecord& record) const;
    [[nodiscard]] Result<> remove(const TunnelRecord& record) const;
    /// Switches a kernel setting from 0 to 1, noting that in the record (and on disk); other values stay as they are.
    [[nodiscard]] Result<> enable_sysctl(TunnelRecord& record, const std::string& name) const;
    /// Removes everything the record names and then the record; goes on after failures and reports the first.
    [[nodiscard]] Result<> undo(const TunnelRecord& record) const;
    /// Undoes the records of processes that are gone. A record that cannot be read is reported and left.
    [[nodiscard]] Result<> undo_stale() const;
    [[nodiscard]] std::string backup_of_resolv_conf() const { return directory_ + "/resolv.conf.saved"; }

private:
    [[nodiscard]] std::vector<TunnelRecord> load(Result<>& problem) const;
    [[nodiscard]] Result<> restore_sysctls(const TunnelRecord& record) const;
    [[nodiscard]] std::string file_of(const TunnelRecord& record) const;
    std::string directory_;
};

}  // namespace myst::vpn
