// What a tunnel changed on this machine, written down before it is changed: the way back, also after SIGKILL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "myst/base/error.hpp"

namespace myst::vpn {

/// Marks our routes and rules (field "protocol").
inline constexpr std::uint8_t kRouteProtocol = 109;

/// The process that owns a tunnel; start time and boot tell it from a later one with the same id.
struct ProcessMark {
    int pid = 0;
    std::uint64_t started = 0;  ///< clock ticks after boot
    std::string boot;           ///< the kernel's random name of this run of the machine
    [[nodiscard]] static Result<ProcessMark> of_this_process();
    [[nodiscard]] bool alive() const;
    /// Whether the machine has not been restarted since: only then are there interfaces, rules and settings to undo.
    [[nodiscard]] bool same_boot() const;
    /// Label of our interfaces.
    [[nodiscard]] std::string label() const;
    bool operator==(const ProcessMark&) const = default;
};

/// One tunnel's traces. Everything in it carries the interface's number, so the traces of tunnels never mix.
struct TunnelRecord {
    ProcessMark owner;
    std::uint64_t network = 0;        ///< inode of the network namespace
    std::string device;               ///< WireGuard interface, e.g. "myst0"
    std::string claim;                ///< labelled interface in the owner's namespace; its name guards the rest
    std::vector<std::string> tables;  ///< nf_tables tables of family inet
    std::uint32_t first_rule = 0;     ///< priorities of routing rules; zero: none
    std::uint32_t last_rule = 0;
    std::uint32_t route_table = 0;  ///< zero: none
    std::string resolv_conf;        ///< path of the replaced resolver list; empty: none
    /// Kernel settings and the values they had. Of several tunnels that need the same one, the last to close restores.
    std::vector<std::pair<std::string, std::string>> sysctls;

    [[nodiscard]] std::string encode() const;
    /// Strict: unknown lines, bad numbers or unsafe names are invalid_data.
    [[nodiscard]] static Result<TunnelRecord> parse(std::string_view text);
};

}  // namespace myst::vpn
