// The counters and quotas of an nf_tables table, read and changed by plain netlink messages: microseconds instead of
// the milliseconds of libnftables, fit for the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "myst/sys/netlink_socket.hpp"

namespace myst::sys {

/// What a counter has seen.
struct NftCount {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

/// Named objects of one `inet` table in the namespace where this was opened. One thread at a time.
class NftObjects {
public:
    [[nodiscard]] static Result<NftObjects> open(std::string table);

    /// Name and bytes of every counter, in one pass. The kernel reads each counter atomically, not all at one instant.
    [[nodiscard]] Result<std::vector<std::pair<std::string, std::uint64_t>>> counters();
    /// One counter; not_found if there is none of this name.
    [[nodiscard]] Result<NftCount> count(const std::string& name);
    /// Its bytes.
    [[nodiscard]] Result<std::uint64_t> counter(const std::string& name);
    /// Sets the limit of an existing "over" quota. What it has counted so far stays.
    [[nodiscard]] Result<> set_quota(const std::string& name, std::uint64_t bytes);

private:
    NftObjects(NetlinkSocket socket, std::string table) : socket_(std::move(socket)), table_(std::move(table)) {}
    NetlinkSocket socket_;
    std::string table_;
};

}  // namespace myst::sys
