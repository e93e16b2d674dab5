#include "myst/db/relay_connection.hpp"

#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/db/record_query.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::db {
namespace {

constexpr milliseconds kTokenPause{20};
constexpr std::size_t kPageBytes = 64 * 1024;  ///< of an answer, read from the store at a time
constexpr std::size_t kFilterBase = 8;         ///< a filter without values counts as so many
/// What the price of one message covers; a record that is compared with more filters, or handed to more subscribers,
/// costs its sender accordingly.
constexpr std::size_t kComparedPerToken = 64;
constexpr std::size_t kDeliveredPerToken = 16 * 1024;  ///< bytes
constexpr std::size_t kDeliveryBytes = 1024;           ///< added for each delivery
constexpr std::size_t kSyncItemsPerToken = 10'000;

}  // namespace

RelayConnection::RelayConnection(asio::any_io_executor executor, std::unique_ptr<WebSocket> socket, RecordHub& hub,
                                 WorkerPool& workers, const Clock& clock, const RelayLimits& limits,
                                 SyncBudget& sync_budget, RelayReader reader)
    : limits_(limits),
      hub_(hub),
      workers_(workers),
      clock_(clock),
      socket_(std::move(socket)),
      reader_(std::move(reader)),
      outgoing_(executor, limits.outgoing_messages, limits.outgoing_bytes),
      bucket_(limits.messages_per_second, limits.burst, clock.now()),
      ending_(executor),
      syncs_(hub, workers, clock, limits, sync_budget),
      tasks_(executor) {}

Task<> RelayConnection::run() {
    if (auto greeting = reader_.greeting(); !greeting.empty()) send(std::move(greeting));
    tasks_.spawn("relay reader", read_loop());
    tasks_.spawn("relay writer", write_loop());
    tasks_.spawn("relay closer", close_loop());
    tasks_.spawn("relay reconciliations", sync_loop());
    co_await tasks_.join();
}

Task<> RelayConnection::read_loop() {
    for (;;) {
        auto text = co_await socket_->read();
        if (!text) {
            log::debug("relay: a client left: {}", text.error().message);
            give_up(CloseCode::normal, "");
            co_return;
        }
        co_await wait_for_token();
        co_await handle(std::move(*text));
    }
}

Task<> RelayConnection::wait_for_token() {
    while (!bucket_.take(clock_.now())) co_await sleep_for(kTokenPause);
}

Task<> RelayConnection::write_loop() {
    for (;;) {
        auto message = co_await outgoing_.pop();
        auto limited = with_timeout(socket_->write(std::move(message)), limits_.write_timeout, "writing");
        auto written = co_await std::move(limited);
        if (written) continue;
        if (written.error().code == ErrorCode::timeout) give_up(CloseCode::policy, "slow consumer: nothing is read");
        give_up(CloseCode::normal, "");
        co_return;
    }
}

Task<> RelayConnection::close_loop() {
    while (!end_reason_) co_await ending_.wait();
    subscriptions_.clear();
    syncs_.clear();
    outgoing_.clear();
    auto [code, reason] = *end_reason_;
    if (!reason.empty()) log::info("relay: closing a connection: {}", reason);
    co_await socket_->close(code, std::move(reason));
    tasks_.cancel();
}

void RelayConnection::give_up(CloseCode code, std::string reason) {
    if (end_reason_) return;
    end_reason_.emplace(code, std::move(reason));
    ending_.notify();
}

void RelayConnection::send(std::string message) {
    if (end_reason_) return;
    if (!outgoing_.push(std::make_shared<const std::string>(std::move(message)))) {
        give_up(CloseCode::policy, "slow consumer: too many messages wait for you");
    }
}

Task<> RelayConnection::handle(std::string text) {
    auto work = [text = std::move(text), limits = limits_.message] { return decode_client_message(text, limits); };
    auto job = workers_.run(std::move(work));
    auto message = co_await std::move(job);
    if (!message) {
        send(std::move(message.error().reply));
    } else if (auto* event = std::get_if<EventMessage>(&*message)) {
        co_await on_event(std::move(*event));
    } else if (auto* req = std::get_if<ReqMessage>(&*message)) {
        co_await on_req(std::move(*req));
    } else if (const auto* proof = std::get_if<AuthMessage>(&*message)) {
        on_auth(*proof);
    } else if (auto* open = std::get_if<NegOpenMessage>(&*message)) {
        co_await on_sync_open(std::move(*open));
    } else if (auto* next = std::get_if<NegMessage>(&*message)) {
        auto answering = syncs_.go_on(std::move(*next));
        co_await on_sync(std::move(answering));
    } else if (const auto* ended = std::get_if<NegCloseMessage>(&*message)) {
        syncs_.close(ended->name);
    } else {
        subscriptions_.erase(std::get<CloseMessage>(*message).subscription);
    }
}

Task<> RelayConnection::on_sync_open(NegOpenMessage message) {
    const auto& kinds = hub_.policy().kinds;
    const bool gifts = kinds.empty() || std::find(kinds.begin(), kinds.end(), codec::kGiftWrapKind) != kinds.end();
    const auto refusal = reader_.sync_refusal(message.filter, gifts);
    if (!refusal.empty()) {
        send(encode_neg_error(message.name, refusal));
        co_return;
    }
    auto answering = syncs_.open(std::move(message));
    co_await on_sync(std::move(answering));
}

Task<> RelayConnection::on_sync(Task<RelaySync::Reply> work) {
    auto reply = co_await std::move(work);
    bucket_.charge(reply.items / kSyncItemsPerToken);
    send(std::move(reply.text));
}

Task<> RelayConnection::sync_loop() {
    for (;;) {
        co_await sleep_for(limits_.sync_timeout / 2);
        for (auto& text : syncs_.drop_idle()) send(std::move(text));
    }
}

Task<> RelayConnection::on_event(EventMessage message) {
    const auto record = std::move(message.record);
    const Hash32 id = record->event().id;
    auto receipt = co_await hub_.submit(record);
    // What a record costs this node is its sender's bill: work beyond the usual makes the sender slower.
    bucket_.charge(receipt.compared / kComparedPerToken +
                   receipt.delivered * (record->json().size() + kDeliveryBytes) / kDeliveredPerToken);
    send(encode_ok(id, receipt.accepted, receipt.message));
}

void RelayConnection::on_auth(const AuthMessage& message) {
    const auto& event = message.record->event();
    const auto refusal = reader_.prove(event, clock_.unix_now());
    send(encode_ok(event.id, refusal.empty(), refusal));
}

std::string RelayConnection::check_room(std::size_t filter_values) const {
    if (subscriptions_.size() >= limits_.subscriptions) {
        return "rate-limited: too many subscriptions on this connection";
    }
    for (const auto& [name, subscribed] : subscriptions_) filter_values += subscribed->filter_values;
    if (filter_values > limits_.filter_values) return "rate-limited: too many filter values on this connection";
    return {};
}

Task<> RelayConnection::on_req(ReqMessage message) {
    const std::string name = std::move(message.subscription);
    subscriptions_.erase(name);
    auto subscribed = std::make_shared<Subscribed>();
    for (const auto& filter : message.filters) subscribed->filter_values += kFilterBase + count_values(filter);
    auto refusal = reader_.refusal(message.filters);
    if (refusal.empty()) refusal = check_room(subscribed->filter_values);
    if (!refusal.empty()) {
        send(encode_closed(name, refusal));
        co_return;
    }
    auto* target = subscribed.get();
    subscribed->following = hub_.follow(
        message.filters, [this, target, name](const SharedRecord& record) { on_live(*target, name, record); });
    subscriptions_.emplace(name, subscribed);
    auto found = co_await hub_.find(std::move(message.filters), limits_.query_records);
    if (found) {
        for (const auto& id : *found) subscribed->catch_up.note(id);
        auto sending = send_stored(name, std::move(*found));
        auto sent = co_await std::move(sending);
        if (!sent) found = forward_error(sent);
    }
    if (end_reason_) co_return;
    if (!found) {
        const bool theirs = found.error().code == ErrorCode::limit_exceeded;
        if (!theirs) log::error("{}", found.error().describe());
        send(encode_closed(name, theirs ? "invalid: " + found.error().message : "error: this relay cannot read now"));
        subscriptions_.erase(name);
        co_return;
    }
    send(encode_eose(name));
    if (subscribed->catch_up.overflowed()) give_up(CloseCode::try_later, "too many new records during the query");
    for (const auto& record : subscribed->catch_up.finish()) send(encode_relay_event(name, record->json()));
}

Task<Result<>> RelayConnection::send_stored(std::string name, std::vector<Hash32> ids) {
    std::size_t bytes = 0;
    for (std::size_t next = 0; next < ids.size() && bytes < limits_.query_bytes;) {
        std::vector<Hash32> rest(ids.begin() + static_cast<std::ptrdiff_t>(next), ids.end());
        auto page = co_await hub_.load(std::move(rest), kPageBytes);
        if (!page) co_return forward_error(page);
        next += page->taken;
        for (const auto& text : page->texts) {
            if (!reader_.may_see_text(text)) continue;
            const bool room = co_await outgoing_.wait_for_room(limits_.write_timeout);
            if (!room) give_up(CloseCode::policy, "slow consumer: nothing is read");
            if (end_reason_) co_return Result<>();
            bytes += text.size();
            if (bytes > limits_.query_bytes) co_return Result<>();
            send(encode_relay_event(name, text));
        }
    }
    co_return Result<>();
}

void RelayConnection::on_live(Subscribed& subscribed, const std::string& name, const SharedRecord& record) {
    if (!reader_.may_see(record->event()) || subscribed.catch_up.hold(record)) return;
    send(encode_relay_event(name, record->json()));
}

}  // namespace myst::db
