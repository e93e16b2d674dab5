#include "myst/vpn/tunnel_records.hpp"

#include <unistd.h>

#include <filesystem>

#include "myst/base/bytes.hpp"
#include "myst/base/log.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"
#include "myst/sys/nftables.hpp"
#include "myst/sys/sysctl.hpp"
#include "myst/vpn/resolv_conf.hpp"
#include "myst/vpn/uapi_socket.hpp"

namespace myst::vpn {
namespace {

constexpr std::size_t kMaxRecord = 64 * 1024;
constexpr std::size_t kMaxRecords = 1024;
constexpr std::string_view kPrefix = "tunnel-";

/// Keeps the first failure.
void note(Result<>& total, Result<> step) {
    if (step) return;
    log::warn("removing a tunnel: {}", step.error().describe());
    if (total) total = std::move(step);
}

/// Whether the number in the record's names is this record's: its interface is gone, or ours by its label.
bool owns_names(sys::Netlink& links, const TunnelRecord& record) {
    const auto link = links.link(record.claim);
    return !link || link->alias.empty() || link->alias == record.owner.label();
}

Result<> undo_network(const TunnelRecord& record) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    if (!owns_names(*links, record)) return {};
    Result<> total;
    if (record.last_rule != 0) note(total, links->delete_rules(kRouteProtocol, record.first_rule, record.last_rule));
    if (record.route_table != 0) note(total, links->delete_routes(kRouteProtocol, record.route_table));
    note(total, links->delete_link(record.device));
    note(total, links->delete_link(record.claim));
    auto network = sys::NetworkNamespace::current();
    if (!network) return forward_error(network);
    auto tables = sys::Nftables::open(*network);
    if (!tables) return forward_error(tables);
    for (const auto& table : record.tables) note(total, tables->delete_table(table));
    if (!uapi_alive(record.device)) note(total, sys::remove_file(uapi_path(record.device)));
    return total;
}

}  // namespace

std::string TunnelRecords::file_of(const TunnelRecord& record) const {
    return directory_ + "/" + std::string(kPrefix) + record.device;
}

Result<> TunnelRecords::prepare() const {
    return sys::make_private_directory(directory_);
}

Result<> TunnelRecords::save(const TunnelRecord& record) const {
    const auto text = record.encode();
    return sys::write_file_atomic(file_of(record), as_bytes(text));
}

Result<> TunnelRecords::remove(const TunnelRecord& record) const {
    return sys::remove_file(file_of(record));
}

Result<> TunnelRecords::enable_sysctl(TunnelRecord& record, const std::string& name) const {
    auto before = sys::read_sysctl(name);
    if (!before) return forward_error(before);
    if (*before == "0") {
        record.sysctls.emplace_back(name, *before);
        if (auto saved = save(record); !saved) return saved;
        return sys::write_sysctl(name, "1");
    }
    // Changed by another tunnel of ours? Then whoever of us closes last restores it.
    Result<> ignored;
    for (const auto& other : load(ignored)) {
        if (other.network != record.network || !other.owner.alive()) continue;
        for (const auto& entry : other.sysctls) {
            if (entry.first != name) continue;
            record.sysctls.push_back(entry);
            return save(record);
        }
    }
    return {};
}

Result<> TunnelRecords::restore_sysctls(const TunnelRecord& record) const {
    Result<> total;
    Result<> ignored;
    const auto others = load(ignored);
    for (const auto& [name, value] : record.sysctls) {
        bool needed = false;
        for (const auto& other : others) {
            if (other.device == record.device || other.network != record.network || !other.owner.alive()) continue;
            for (const auto& entry : other.sysctls) needed = needed || entry.first == name;
        }
        if (!needed) note(total, sys::write_sysctl(name, value));
    }
    return total;
}

Result<> TunnelRecords::undo(const TunnelRecord& record) const {
    Result<> total;
    if (!record.resolv_conf.empty()) {
        note(total, ResolvConf(record.resolv_conf, backup_of_resolv_conf()).restore());
    }
    auto network = sys::NetworkNamespace::current();
    if (!network) return forward_error(network);
    // What was in another namespace vanished with it, or is out of our reach; a restart of the machine removed the
    // rest.
    if (network->inode() == record.network && record.owner.same_boot()) {
        note(total, undo_network(record));
        note(total, restore_sysctls(record));
    }
    if (total) note(total, remove(record));
    return total;
}

std::vector<TunnelRecord> TunnelRecords::load(Result<>& problem) const {
    std::vector<TunnelRecord> records;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        if (!name.starts_with(kPrefix) || name.find('.') != std::string::npos) continue;
        auto content = sys::read_file(entry->path().string(), kMaxRecord);
        if (!content) {
            note(problem, forward_error(content));
            continue;
        }
        auto record = TunnelRecord::parse(as_text(*content));
        if (!record) {
            note(problem, forward_error(record, entry->path().string()));
            continue;
        }
        records.push_back(std::move(*record));
        if (records.size() == kMaxRecords) break;
    }
    return records;
}

Result<> TunnelRecords::undo_stale() const {
    Result<> total;
    for (const auto& record : load(total)) {
        if (record.owner.alive()) continue;
        log::info("removing what process {} left of {}", record.owner.pid, record.device);
        note(total, undo(record));
    }
    return total;
}

}  // namespace myst::vpn
