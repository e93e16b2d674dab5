#include "myst/db/full_network.hpp"

#include <algorithm>

#include "myst/base/at_exit.hpp"
#include "myst/base/log.hpp"
#include "myst/db/catch_up.hpp"
#include "myst/db/publishing.hpp"

namespace myst::db {
namespace {

/// Records of peers submitted at the same time; they share the store's transactions.
constexpr std::size_t kMaxDrainers = 64;
constexpr std::size_t kMaxCaughtUp = 5'000;
constexpr std::size_t kMaxWaitingLive = 10'000;
constexpr std::size_t kMaxAnswerBytes = 16 * 1024 * 1024;

bool is_ephemeral(std::uint32_t kind) {
    return codec::classify_kind(kind) == codec::KindClass::ephemeral;
}

/// The part of the filters that concerns ephemeral kinds: those are never replicated, so the peers have to be asked.
std::vector<codec::Filter> ephemeral_part(const std::vector<codec::Filter>& filters) {
    std::vector<codec::Filter> result;
    for (const auto& filter : filters) {
        codec::Filter part = filter;
        std::erase_if(part.kinds, [](std::uint32_t kind) { return !is_ephemeral(kind); });
        if (!part.kinds.empty()) result.push_back(std::move(part));
    }
    return result;
}

/// What the hub has is not verified again for each further peer that sends it.
FullNetwork::Settings with_known(FullNetwork::Settings settings, const RecordHub& hub) {
    settings.peers.client.known = [&hub](const Hash32& id) { return hub.knows(id); };
    return settings;
}

}  // namespace

RelaySet::Settings watchful(RelaySet::Settings peers) {
    peers.client.socket.idle_timeout = milliseconds(10'000);
    peers.client.socket.handshake_timeout = milliseconds(5'000);
    peers.client.last_retry = milliseconds(3'000);
    peers.client.spread_start = true;
    return peers;
}

/// A subscription of the node itself.
struct FullNetwork::Local {
    Callback callback;
    std::vector<codec::Filter> filters;
    CatchUp catch_up{kMaxWaitingLive};
    bool active = true;
    std::unique_ptr<ports::Subscription> following;
    std::unique_ptr<ports::Subscription> remote;

    void hand_on(const SharedRecord& record) {
        if (active) callback(record->event());
    }
};

class FullNetwork::Handle final : public ports::Subscription {
public:
    explicit Handle(std::shared_ptr<Local> local) : local_(std::move(local)) {}
    ~Handle() override {
        local_->active = false;
        local_->following.reset();
        local_->remote.reset();
    }

private:
    std::shared_ptr<Local> local_;
};

FullNetwork::FullNetwork(asio::any_io_executor executor, RecordHub& hub, const Clock& clock, Rng& rng,
                         WorkerPool& workers, Settings settings)
    : executor_(executor),
      hub_(hub),
      workers_(workers),
      settings_(with_known(std::move(settings), hub)),
      carrier_(executor, clock, rng, workers, settings_.peers.client, settings_.envelopes),
      peers_(executor, clock, rng, workers, settings_.peers),
      keeper_(
          executor, hub, clock, rng, settings_.peers.relays,
          [this](RelayUrl url, asio::ip::address address) { return visit(std::move(url), address); }, settings_.found),
      tasks_(executor) {
    if (settings_.replicated.empty()) return;
    codec::Filter replicated;
    replicated.kinds = settings_.replicated;
    replicated.limit = 0;  // what is stored there comes by reconciliation
    std::vector<codec::Filter> filters(1, replicated);
    following_ = peers_.subscribe(std::move(filters), [this](const SharedRecord& record) { ingest(record); });
    for (const auto& peer : peers_.clients()) add_exchange(*peer);
    follow_new_records();
    peers_.on_connected([this](const RelayClient& peer) { on_connected(peer); });
}

FullNetwork::~FullNetwork() = default;

FullNetwork::Exchange& FullNetwork::add_exchange(RelayClient& peer) {
    Replication::Settings each;
    each.kinds = settings_.replicated;
    each.interval = settings_.reconcile_interval;
    auto made = std::make_unique<Exchange>(
        Exchange{{executor_, hub_, workers_, peer, asked_, std::move(each)}, {executor_, peer, Forwarder::Settings{}}});
    made->replication.on_taken = [this, from = &peer] {
        for (const auto& [other, exchange] : exchanges_) {
            if (other != from) exchange->replication.soon();
        }
    };
    return *exchanges_.insert_or_assign(&peer, std::move(made)).first->second;
}

void FullNetwork::on_connected(const RelayClient& peer) {
    keeper_.connected(peer.url());
    if (const auto found = exchanges_.find(&peer); found != exchanges_.end()) found->second->replication.connected();
}

void FullNetwork::follow_new_records() {
    if (peers_.clients().empty() && settings_.found.wanted == 0) return;
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = settings_.replicated;
    forwarding_ = hub_.follow(std::move(filters), [this](const SharedRecord& record) {
        // What comes by reconciliation is spread by it: the other peers may have had it for long.
        if (asked_.contains(record->event().id)) return;
        for (const auto& [peer, exchange] : exchanges_) exchange->forwarder.add(record);
    });
}

Task<> FullNetwork::run() {
    tasks_.spawn("relays", peers_.run());
    for (const auto& [peer, exchange] : exchanges_) {
        tasks_.spawn("replication", exchange->replication.run());
        tasks_.spawn("new records to a peer", exchange->forwarder.run());
    }
    tasks_.spawn("purging expired records", purge_loop());
    tasks_.spawn("peers", keeper_.run());
    co_await tasks_.join();
}

Task<RelayEnd> FullNetwork::visit(RelayUrl url, asio::ip::address address) {
    auto settings = settings_.peers.client;
    settings.url = std::move(url);
    settings.socket.address = address;
    settings.mailboxes = nullptr;  // a stranger is told no key of this node
    const auto client = peers_.add(std::move(settings), RelaySet::Trust::found);
    const AtExit gone([this, client] {
        exchanges_.erase(client.get());
        peers_.remove(*client);
    });
    auto& exchange = add_exchange(*client);
    TaskGroup beside(executor_);
    beside.spawn("replication", exchange.replication.run());
    beside.spawn("new records to a peer", exchange.forwarder.run());
    auto connection = with_children(client->connect_once(), beside, [] {});
    co_return co_await std::move(connection);
}

Task<> FullNetwork::purge_loop() {
    for (;;) {
        auto purged = co_await hub_.purge();
        if (!purged) log::error("{}", purged.error().describe());
        if (purged && *purged > 0) log::debug("records: {} expired records deleted", *purged);
        co_await sleep_for(settings_.purge_interval);
    }
}

void FullNetwork::ingest(const SharedRecord& record) {
    const std::size_t size = record->json().size();
    if (waiting_.size() >= settings_.max_waiting_records || waiting_bytes_ + size > settings_.max_waiting_bytes) {
        if (dropped_++ % 1000 == 0)
            log::warn("records: peers send faster than the store can take; {} dropped", dropped_);
        return;
    }
    waiting_bytes_ += size;
    waiting_.push_back(record);
    if (drainers_ >= kMaxDrainers) return;
    ++drainers_;
    tasks_.spawn("records of peers", drain());
}

Task<> FullNetwork::drain() {
    const AtExit ended([this] { --drainers_; });
    while (!waiting_.empty()) {
        auto record = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= record->json().size();
        auto receipt = co_await hub_.submit(std::move(record));
        if (!receipt.accepted) log::debug("records: a peer's record was refused: {}", receipt.message);
    }
}

Task<Result<ports::PublishReport>> FullNetwork::publish(codec::Event event) {
    auto record = co_await verify_own(workers_, std::move(event));
    if (!record) co_return forward_error(record);
    const bool ephemeral = is_ephemeral((*record)->event().kind);
    auto receipt = co_await hub_.submit(*record);
    if (!ephemeral && receipt.accepted) peers_.keep(*record);
    auto report = co_await peers_.publish(std::move(*record), RelaySet::Absent::skip);
    const bool taken = receipt.accepted && (!ephemeral || receipt.delivered > 0);
    if (taken) {
        report.accepted.insert(report.accepted.begin(), "local");
    } else {
        report.rejected.emplace_back("local", receipt.accepted ? "nobody follows it here" : receipt.message);
    }
    co_return conclude(std::move(report));
}

Task<Result<std::vector<codec::Event>>> FullNetwork::query(std::vector<codec::Filter> filters, std::size_t limit) {
    QueryLimits limits;
    limits.records = limit;
    limits.bytes = kMaxAnswerBytes;
    auto records = co_await hub_.query(std::move(filters), limits);
    if (!records) co_return forward_error(records);
    co_return to_events(*records);
}

std::unique_ptr<ports::Subscription> FullNetwork::subscribe(std::vector<codec::Filter> filters, Callback callback) {
    auto local = std::make_shared<Local>();
    local->callback = std::move(callback);
    local->filters = filters;
    local->following = hub_.follow(filters, [weak = std::weak_ptr<Local>(local)](const SharedRecord& record) {
        const auto kept = weak.lock();
        if (kept && !kept->catch_up.hold(record)) kept->hand_on(record);
    });
    auto remote = ephemeral_part(filters);
    if (!remote.empty()) {
        local->remote = peers_.subscribe(std::move(remote), [this](const SharedRecord& record) { ingest(record); });
    }
    tasks_.spawn("subscription", catch_up(local));
    return std::make_unique<Handle>(std::move(local));
}

Task<> FullNetwork::catch_up(std::shared_ptr<Local> local) {
    QueryLimits limits;
    limits.records = kMaxCaughtUp;
    limits.bytes = kMaxAnswerBytes;
    auto found = co_await hub_.query(local->filters, limits);
    if (!found) log::error("subscription: {}", found.error().describe());
    if (found) {
        for (const auto& record : *found) {
            local->catch_up.note(record->event().id);
            local->hand_on(record);
        }
    }
    if (local->catch_up.overflowed()) log::warn("subscription: too many new records at its start; some were left out");
    for (const auto& record : local->catch_up.finish()) local->hand_on(record);
}

Task<Result<>> FullNetwork::exchange(ports::EnvelopeExchange exchange) {
    return carrier_.carry(*this, peers_.reached(), std::move(exchange));
}

std::vector<ports::RelayStatus> FullNetwork::relays() const {
    std::vector<ports::RelayStatus> result;
    for (const auto& peer : peers_.clients()) {
        auto status = peer->status();
        status.group = group_of(peer->url());
        if (const auto* found = keeper_.find(peer->url())) {
            status.origin = found->registered ? ports::RelayOrigin::registry : ports::RelayOrigin::record;
            status.group = found->group;
        }
        const auto exchange = exchanges_.find(peer.get());
        if (exchange != exchanges_.end()) status.in_common = exchange->second->replication.in_common();
        result.push_back(std::move(status));
    }
    return result;
}

}  // namespace myst::db
