#include "myst/vpn/tunnel_record.hpp"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/sysctl.hpp"

namespace myst::vpn {
namespace {

constexpr std::size_t kMaxStat = 4096;

/// Field 22 of /proc/<pid>/stat; the second field is a name in brackets that may hold anything.
Result<std::uint64_t> start_time(int pid) {
    auto stat = sys::read_file(fmt::format("/proc/{}/stat", pid), kMaxStat);
    if (!stat) return forward_error(stat);
    auto text = as_text(*stat);
    text.remove_prefix(std::min(text.size(), text.rfind(')') + 1));
    if (text.starts_with(" Z")) return fail(ErrorCode::not_found, "the process has ended");
    for (int field = 2; field < 22; ++field) {
        const auto space = text.find(' ');
        if (space == std::string_view::npos) return fail(ErrorCode::invalid_data, "unexpected form of /proc/*/stat");
        text.remove_prefix(space + 1);
    }
    return parse_u64(text.substr(0, text.find(' ')));
}

Result<std::string> boot_id() {
    auto text = sys::read_sysctl("kernel/random/boot_id");
    if (!text) return forward_error(text);
    return *text;
}

bool is_name(std::string_view text, std::size_t limit) {
    if (text.empty() || text.size() > limit || text.front() == '.') return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

bool is_sysctl(std::string_view name, std::string_view value) {
    if (!name.starts_with("net/ipv4/") || name.size() > 100 || name.find("..") != std::string_view::npos) return false;
    return !value.empty() && value.size() <= 20 &&
           std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto number = parse_u64(text);
    if (!number || *number > static_cast<std::uint64_t>(std::numeric_limits<Number>::max())) return false;
    out = static_cast<Number>(*number);
    return true;
}

bool take(TunnelRecord& record, std::string_view key, std::string_view value) {
    const auto store_name = [value](std::string& out) {
        out = value;
        return is_name(value, 15);
    };
    if (key == "pid") return read_number(value, record.owner.pid);
    if (key == "started") return read_number(value, record.owner.started);
    if (key == "boot") {
        record.owner.boot = value;
        return is_name(value, 36);
    }
    if (key == "network") return read_number(value, record.network);
    if (key == "device") return store_name(record.device);
    if (key == "claim") return store_name(record.claim);
    if (key == "first_rule") return read_number(value, record.first_rule);
    if (key == "last_rule") return read_number(value, record.last_rule);
    if (key == "route_table") return read_number(value, record.route_table);
    if (key == "table") {
        record.tables.emplace_back(value);
        return is_name(value, 64);
    }
    if (key == "resolv_conf") {
        record.resolv_conf = value;
        return value.starts_with('/');
    }
    const auto equals = value.find('=');
    if (key != "sysctl" || equals == std::string_view::npos) return false;
    record.sysctls.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    return is_sysctl(value.substr(0, equals), value.substr(equals + 1));
}

}  // namespace

Result<ProcessMark> ProcessMark::of_this_process() {
    auto started = start_time(::getpid());
    if (!started) return forward_error(started);
    auto boot = boot_id();
    if (!boot) return forward_error(boot);
    return ProcessMark{.pid = ::getpid(), .started = *started, .boot = *boot};
}

bool ProcessMark::same_boot() const {
    const auto now = boot_id();
    return now && *now == boot;
}

bool ProcessMark::alive() const {
    if (!same_boot()) return false;
    const auto now = start_time(pid);
    return now && *now == started;
}

std::string ProcessMark::label() const {
    return fmt::format("mystd {} {}", pid, started);
}

std::string TunnelRecord::encode() const {
    auto text = fmt::format("pid={}\nstarted={}\nboot={}\nnetwork={}\ndevice={}\nclaim={}\n", owner.pid, owner.started,
                            owner.boot, network, device, claim);
    text += fmt::format("first_rule={}\nlast_rule={}\nroute_table={}\n", first_rule, last_rule, route_table);
    for (const auto& table : tables) text += "table=" + table + "\n";
    if (!resolv_conf.empty()) text += "resolv_conf=" + resolv_conf + "\n";
    for (const auto& [name, value] : sysctls) text += "sysctl=" + name + "=" + value + "\n";
    return text;
}

Result<TunnelRecord> TunnelRecord::parse(std::string_view text) {
    TunnelRecord record;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        const auto equals = line.find('=');
        if (end == std::string_view::npos || equals == std::string_view::npos ||
            !take(record, line.substr(0, equals), line.substr(equals + 1))) {
            return fail(ErrorCode::invalid_data, "damaged tunnel record: \"" + std::string(line.substr(0, 80)) + "\"");
        }
        text.remove_prefix(end + 1);
    }
    if (record.owner.pid == 0 || record.device.empty() || record.claim.empty()) {
        return fail(ErrorCode::invalid_data, "incomplete tunnel record");
    }
    return record;
}

}  // namespace myst::vpn
