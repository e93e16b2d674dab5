#include "myst/vpn/exit_interface.hpp"

#include "myst/vpn/claim.hpp"
#include "myst/vpn/exit_socket.hpp"

namespace myst::vpn {
namespace {

constexpr const char* kDevicePrefix = "mystw";
constexpr const char* kLinkPrefix = "mystx";

TunnelRecord numbered(TunnelRecord record, int number) {
    const auto text = std::to_string(number);
    record.device = kDevicePrefix + text;
    record.claim = kLinkPrefix + text;
    record.tables = {"myst_nat" + text};
    return record;
}

/// Takes a name by creating the link pair; already_exists if somebody was faster.
Result<> create_links(sys::Netlink& links, const TunnelRecord& record, const sys::NetworkNamespace& inside,
                      std::uint16_t mtu) {
    auto created = links.create_veth(record.claim, record.claim + "i", inside.fd(), mtu);
    if (!created) return created;
    auto labelled = label_link(links, record.claim, record.owner);
    if (!labelled) std::ignore = links.delete_link(record.claim);
    return labelled;
}

Result<> delete_link_here(const std::string& name) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    return links->delete_link(name);
}

}  // namespace

Result<std::unique_ptr<ExitInterface>> ExitInterface::open(const DriverSettings& settings, Rng& rng,
                                                           const CheckedExit& exit, const Secret<32>& private_key) {
    const TunnelRecords records(settings.state_directory);
    if (auto prepared = records.prepare(); !prepared) return forward_error(prepared);
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto blank = begin_record();
    if (!blank) return forward_error(blank);
    auto inside = sys::NetworkNamespace::create();
    if (!inside) return forward_error(inside);
    for (int first = 0;;) {
        auto number = free_number(*links, first, {kDevicePrefix, kLinkPrefix});
        if (!number) return forward_error(number);
        first = *number + 1;
        auto record = numbered(*blank, *number);
        if (auto saved = records.save(record); !saved) return forward_error(saved);
        if (auto created = create_links(*links, record, *inside, exit.mtu); !created) {
            std::ignore = records.remove(record);
            if (created.error().code != ErrorCode::already_exists) return forward_error(created);
            continue;
        }
        auto device = create_wireguard(record.device, settings.wireguard, rng);
        if (!device) {
            std::ignore = records.undo(record);
            if (device.error().code != ErrorCode::already_exists) return forward_error(device);
            continue;
        }
        std::unique_ptr<ExitInterface> interface(new ExitInterface(settings, exit, std::move(record), *inside));
        interface->number_ = *number;
        interface->device_ = std::move(*device);
        if (auto done = interface->set_up(private_key); !done) {
            std::ignore = interface->close();
            return forward_error(done, "open the exit");
        }
        return interface;
    }
}

ExitInterface::~ExitInterface() {
    std::ignore = close();
}

Result<int> ExitInterface::listen_inside(std::uint16_t port) const {
    if (closed_) return fail(ErrorCode::failed_precondition, "the exit is closed");
    const auto address = exit_.server_address;
    return inside_.run([address, port] { return listen_tcp(address, port); });
}

Result<> ExitInterface::add_peer(const SessionId& id, const TunnelKey& key, Ipv4 address) {
    const std::lock_guard lock(mutex_);
    // While nobody sends under this address; remove_peer has done it already, unless it failed or the exit is a new
    // one.
    if (auto forgotten = forget_flows(address); !forgotten) return forgotten;
    if (auto added = tables_->apply(meters_->rules_to_add(id, address)); !added) return added;
    auto known = device_->set_peer({.key = key,
                                    .endpoint = std::nullopt,
                                    .allowed_networks = {address.to_string() + "/32"},
                                    .keepalive = seconds(0),
                                    .meter = meters_->add(id)});
    if (!known) {
        meters_->remove(id);
        std::ignore = tables_->apply(meters_->rules_to_remove(id, address));
    }
    return known;
}

Result<> ExitInterface::forget_flows(Ipv4 client) {
    for (auto& table : flows_) {
        if (auto done = table.forget(client.to_string()); !done) return done;
    }
    return {};
}

Result<> ExitInterface::remove_peer(const SessionId& id, const TunnelKey& key, Ipv4 address) {
    const std::lock_guard lock(mutex_);
    auto forgotten = device_->remove_peer(key);
    meters_->remove(id);
    auto removed = tables_->apply(meters_->rules_to_remove(id, address));
    if (removed) removed = forget_flows(address);
    return forgotten ? removed : forgotten;
}

Result<> ExitInterface::set_allowance(const SessionId& id, std::uint64_t bytes) {
    if (closed_) return fail(ErrorCode::failed_precondition, "the exit is closed");
    return meters_->set_allowance(id, bytes);
}

Result<ExitMeters::Readings> ExitInterface::counters() {
    if (closed_) return fail(ErrorCode::failed_precondition, "the exit is closed");
    return meters_->counters();
}

Result<> ExitInterface::close() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return {};
    // Sockets that callers still hold may keep the namespace, but not the tunnel in it.
    if (device_) device_->stop();
    std::ignore = inside_.run([this] { return delete_link_here(record_.device); });
    auto undone = records_.undo(record_);
    meters_.reset();
    flows_.clear();
    tables_.reset();
    return undone;
}

}  // namespace myst::vpn
