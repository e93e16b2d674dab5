#include "myst/vpn/client_interface.hpp"

#include <algorithm>

#include "myst/vpn/claim.hpp"
#include "myst/vpn/client_rules.hpp"

namespace myst::vpn {
namespace {

constexpr const char* kPrefix = "myst";
constexpr std::uint32_t kFirstTable = 0x6d79;
constexpr std::uint32_t kFirstRule = 28000;
constexpr std::uint32_t kRulesPerTunnel = 10;
TunnelRecord numbered(TunnelRecord record, int number) {
    const auto n = static_cast<std::uint32_t>(number);
    record.device = kPrefix + std::to_string(number);
    record.claim = record.device;
    record.tables = {"myst_client" + std::to_string(number)};
    record.route_table = kFirstTable + n;
    record.first_rule = kFirstRule + n * kRulesPerTunnel;
    record.last_rule = record.first_rule + kRulesPerTunnel - 1;
    return record;
}

}  // namespace

Result<std::unique_ptr<ClientInterface>> ClientInterface::open(const DriverSettings& settings, Rng& rng,
                                                               const CheckedOffer& offer,
                                                               const Secret<32>& private_key) {
    const TunnelRecords records(settings.state_directory);
    if (auto prepared = records.prepare(); !prepared) return forward_error(prepared);
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto blank = begin_record();
    if (!blank) return forward_error(blank);
    for (int first = 0;;) {
        auto number = free_number(*links, first, {kPrefix});
        if (!number) return forward_error(number);
        auto record = numbered(*blank, *number);
        if (auto saved = records.save(record); !saved) return forward_error(saved);
        auto device = create_wireguard(record.device, settings.wireguard, rng);
        if (!device) {
            std::ignore = records.remove(record);
            if (device.error().code != ErrorCode::already_exists) return forward_error(device);
            first = *number + 1;  // somebody was faster
            continue;
        }
        std::unique_ptr<ClientInterface> interface(new ClientInterface(settings, std::move(record)));
        interface->device_ = std::move(*device);
        if (auto done = interface->set_up(offer, private_key); !done) {
            std::ignore = interface->close();
            return forward_error(done, "open the tunnel");
        }
        return interface;
    }
}

Result<> ClientInterface::set_up(const CheckedOffer& offer, const Secret<32>& private_key) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    if (auto done = check_collisions(*links, offer); !done) return done;
    if (auto done = set_up_filter(offer); !done) return done;
    if (auto done = set_up_link(*links, offer); !done) return done;
    if (auto done = set_up_peer(offer, private_key); !done) return done;
    if (auto done = pin_addresses(*links, offer); !done) return done;
    if (auto done = set_up_routes(*links); !done) return done;
    if (auto done = set_resolvers(offer); !done) return done;
    offer_ = offer;
    links_ = std::move(*links);
    return {};
}

Result<> ClientInterface::replace(const CheckedOffer& offer, const Secret<32>& private_key) {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorCode::failed_precondition, "the connection is closed");
    const auto before = offer_.server_key;
    auto changed = change_offer(offer, private_key);
    if (!changed) {
        std::ignore = device_->remove_peer(before);
        std::ignore = device_->remove_peer(offer.server_key);
    }
    return changed;
}

Result<> ClientInterface::drop_peer() {
    const std::lock_guard lock(mutex_);
    if (closed_) return {};
    return device_->remove_peer(offer_.server_key);
}

Result<ports::TrafficCounters> ClientInterface::counters_of_device() {
    if (device_->ended()) return fail(ErrorCode::io, "the interface " + record_.device + " has gone");
    // In this order: what comes in meanwhile makes the result too small for a moment, never too great.
    const auto counted = meter_.read();
    auto accepted = objects_->count(kAcceptedDown);
    if (!accepted) return forward_error(accepted);
    auto arrived = objects_->count(kArrivedDown);
    if (!arrived) return forward_error(arrived);
    return ports::TrafficCounters{.up = counted.sent,
                                  .down = accepted->bytes + headers_to_pay(counted.joined, *arrived, *accepted)};
}

Result<ports::TrafficCounters> ClientInterface::counters_of_filter() {
    auto server_up = objects_->counter(kServerUp);
    if (!server_up) return forward_error(server_up);
    std::uint64_t sent = 0;
    if (device_->counting() == Counting::filter) {
        auto counted = objects_->counter(kTunnelUp);
        if (!counted) return forward_error(counted);
        sent = *counted;
    } else {
        auto stats = links_->stats(link_index_);
        if (!stats) return forward_error(stats);
        sent = stats->tx_bytes;
    }
    auto accepted = objects_->counter(kAcceptedDown);
    if (!accepted) return forward_error(accepted);
    return ports::TrafficCounters{.up = sent > *server_up ? sent - *server_up : 0, .down = *accepted};
}

Result<ports::TrafficCounters> ClientInterface::counters() {
    if (closed_) return fail(ErrorCode::failed_precondition, "the connection is closed");
    auto now = device_->counting() == Counting::meters ? counters_of_device() : counters_of_filter();
    if (!now) return now;
    // A packet between two counters can make a difference step back for a moment; the contract says never.
    last_.up = std::max(last_.up, now->up);
    last_.down = std::max(last_.down, now->down);
    return last_;
}

Result<std::optional<seconds>> ClientInterface::handshake_age() {
    auto status = device_->status();
    if (!status) return forward_error(status);
    if (status->peers.empty() || !status->peers.front().last_handshake) return std::nullopt;
    const auto age = SystemClock().unix_now() - *status->peers.front().last_handshake;
    return std::max(age, seconds(0));
}

ClientInterface::~ClientInterface() {
    std::ignore = close();
}

Result<> ClientInterface::close() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return {};
    objects_.reset();
    links_.reset();
    if (device_) device_->stop();
    return records_.undo(record_);
}

}  // namespace myst::vpn
