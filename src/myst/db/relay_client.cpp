#include "myst/db/relay_client.hpp"

#include <set>

#include "myst/base/at_exit.hpp"
#include "myst/base/backoff.hpp"
#include "myst/base/log.hpp"
#include "myst/db/outgoing_queue.hpp"
#include "myst/db/relay_auth.hpp"
#include "myst/db/relay_requests.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::db {

using detail::LiveSubscription;
using detail::PendingPublish;
using detail::PendingQuery;
using detail::PendingSync;

namespace {

constexpr std::size_t kMaxOutgoingBytes = 2 * 1024 * 1024;
/// A connection that lasted this long was a good one: the next pause is short again.
constexpr seconds kGoodConnection{30};
constexpr std::size_t kMaxShown = 4'096;

}  // namespace

/// Kept alive by the client, and by publishes and queries that are under way.
class RelayClient::Impl {
public:
    Impl(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers, Settings chosen)
        : settings(std::move(chosen)),
          name(settings.url.text()),
          executor_(executor),
          clock_(clock),
          rng_(rng),
          workers_(workers),
          connection_made_(executor) {
        connection_made_.expires_at(asio::steady_timer::time_point::max());
    }

    static Task<> run(std::shared_ptr<Impl> self);
    static Task<RelayEnd> connect_once(std::shared_ptr<Impl> self);
    static Task<Result<std::string>> publish(std::shared_ptr<Impl> self, SharedRecord record);
    static Task<Result<std::vector<SharedRecord>>> query(std::shared_ptr<Impl> self, std::vector<codec::Filter> filters,
                                                         std::size_t limit);
    static Task<Result<Bytes>> sync(std::shared_ptr<Impl> self, std::string id, std::string text, bool opening);
    [[nodiscard]] std::string sync_name() { return requests_.next_name('n'); }
    void sync_close(const std::string& id) { std::ignore = send(encode_neg_close(id)); }
    std::string subscribe(std::shared_ptr<LiveSubscription> subscription);
    void unsubscribe(const std::string& subscription);

    const Settings settings;
    const std::string name;
    std::string last_error;
    std::function<void()> on_connected;
    SeenIds shown{kMaxShown};
    [[nodiscard]] bool connected() const { return outgoing_ != nullptr; }

private:
    Task<> session(std::unique_ptr<WebSocket> socket);
    Task<> read_loop(WebSocket* socket, TaskGroup* group);
    Task<> write_loop(WebSocket* socket, TaskGroup* group);
    Task<Result<>> read_one(WebSocket* socket, std::size_t* bad);
    /// Notes which record the relay sends; whether the message needs no further look.
    [[nodiscard]] bool skip(std::string_view text);
    Task<> wait_connected();
    void begin_session();
    void end_session();
    [[nodiscard]] bool send(std::string message);
    void send_req(const std::string& subscription, const LiveSubscription& live);
    /// Takes the messages of NIP-42: true if this was one, and has been dealt with.
    [[nodiscard]] bool authenticate(const RelayMessage& message);
    /// Proves the keys that the filters name and that were not proven yet; false if there is none.
    [[nodiscard]] bool prove_recipients(const std::vector<codec::Filter>& filters);

    asio::any_io_executor executor_;
    const Clock& clock_;
    Rng& rng_;
    WorkerPool& workers_;
    asio::steady_timer connection_made_;       ///< cancelled to wake everyone who waits for a connection
    std::unique_ptr<OutgoingQueue> outgoing_;  ///< only while connected
    detail::RelayRequests requests_;
    std::size_t received_ = 0;  ///< bytes of messages in the current connection
    bool forged_ = false;       ///< in the current connection, or the last one
    std::string challenge_;     ///< of this connection; empty if the relay sent none
    std::set<NodeKey> proven_;  ///< in this connection, as far as the relay has not objected
};

Task<> RelayClient::Impl::run(std::shared_ptr<Impl> self) {
    Backoff backoff(self->settings.first_retry, self->settings.last_retry, self->rng_);
    if (self->settings.spread_start) co_await sleep_for(backoff.start());
    for (;;) {
        const auto began = self->clock_.now();
        const auto end = co_await connect_once(self);
        if (end == RelayEnd::lost && self->clock_.now() - began >= kGoodConnection) backoff.reset();
        const bool distrusted = end == RelayEnd::forged || end == RelayEnd::is_self;
        const auto pause = distrusted ? self->settings.distrust : backoff.next();
        log::debug("relay {}: {}; next attempt in {} ms", self->name, self->last_error, pause.count());
        co_await sleep_for(pause);
    }
}

Task<RelayEnd> RelayClient::Impl::connect_once(std::shared_ptr<Impl> self) {
    auto socket_settings = self->settings.socket;
    const auto check = self->settings.self_check;
    if (check) socket_settings.connection_id = check->begin();
    bool is_self = false;
    std::unique_ptr<WebSocket> socket;
    {
        const AtExit ended([&] { is_self = check && check->end(socket_settings.connection_id); });
        auto connecting = connect_web_socket(self->settings.url, socket_settings);
        auto connected = co_await std::move(connecting);
        if (connected) socket = std::move(*connected);
        if (!connected) self->last_error = connected.error().describe();
    }
    if (is_self) {
        self->last_error = "this is the node's own relay";
        co_return RelayEnd::is_self;
    }
    if (!socket) co_return RelayEnd::unreachable;
    self->forged_ = false;
    co_await self->session(std::move(socket));
    co_return self->forged_ ? RelayEnd::forged : RelayEnd::lost;
}

Task<> RelayClient::Impl::session(std::unique_ptr<WebSocket> socket) {
    begin_session();
    const AtExit ended([this] { end_session(); });
    TaskGroup group(executor_);
    group.spawn("relay client reader", read_loop(socket.get(), &group));
    group.spawn("relay client writer", write_loop(socket.get(), &group));
    if (on_connected) on_connected();
    co_await group.join();
}

void RelayClient::Impl::begin_session() {
    outgoing_ = std::make_unique<OutgoingQueue>(executor_, settings.max_waiting_messages, kMaxOutgoingBytes);
    shown = SeenIds(kMaxShown);
    received_ = 0;
    last_error.clear();
    requests_.closed_reason.clear();
    challenge_.clear();
    proven_.clear();
    log::info("relay {}: connected", name);
    for (const auto& [subscription, live] : requests_.subscriptions) send_req(subscription, *live);
    connection_made_.cancel();
}

void RelayClient::Impl::end_session() {
    outgoing_.reset();
    if (last_error.empty()) last_error = "the connection was lost";
    log::info("relay {}: disconnected: {}", name, last_error);
    requests_.fail_pending(Error{ErrorCode::unavailable, name + ": " + last_error});
}

Task<> RelayClient::Impl::read_loop(WebSocket* socket, TaskGroup* group) {
    std::size_t bad = 0;
    for (;;) {
        auto done = co_await read_one(socket, &bad);
        if (done) continue;
        if (last_error.empty()) last_error = done.error().message;
        socket->abort();
        group->cancel();
        co_return;
    }
}

Task<Result<>> RelayClient::Impl::read_one(WebSocket* socket, std::size_t* bad) {
    auto text = co_await socket->read();
    if (!text) co_return forward_error(text);
    received_ += text->size();
    if (received_ > settings.max_received) co_return fail(ErrorCode::limit_exceeded, "it sent too much");
    if (skip(*text)) co_return Result<>();
    auto work = [text = std::move(*text), limits = settings.message] { return decode_relay_message(text, limits); };
    auto job = workers_.run(std::move(work));
    auto message = co_await std::move(job);
    const auto* notice = message ? std::get_if<RelayNotice>(&*message) : nullptr;
    if (notice) log::debug("relay {} says: {}", name, notice->message);
    if (message && authenticate(*message)) co_return Result<>();
    const bool good = message && requests_.dispatch(std::move(*message));
    if (!good && ++*bad > settings.max_bad_messages) {
        forged_ = true;
        co_return fail(ErrorCode::invalid_data, "it sent too many forged or malformed messages");
    }
    if (!requests_.closed_reason.empty()) co_return fail(ErrorCode::unavailable, requests_.closed_reason);
    co_return Result<>();
}

bool RelayClient::Impl::authenticate(const RelayMessage& message) {
    if (const auto* challenge = std::get_if<RelayChallenge>(&message)) {
        challenge_ = challenge->text;
        return true;
    }
    const auto* closed = std::get_if<RelayClosed>(&message);
    if (closed == nullptr) return false;
    // A relay says "restricted" to somebody who has proven another key, for instance that of another session.
    const bool asked = closed->message.starts_with("auth-required:") || closed->message.starts_with("restricted:");
    if (!asked) return false;
    const auto& id = closed->subscription;
    if (const auto found = requests_.subscriptions.find(id); found != requests_.subscriptions.end()) {
        if (!prove_recipients(found->second->filters)) return false;
        send_req(id, *found->second);
        return true;
    }
    const auto found = requests_.queries.find(id);
    if (found == requests_.queries.end() || !prove_recipients(found->second->filters)) return false;
    return send(encode_req(id, found->second->filters));
}

bool RelayClient::Impl::prove_recipients(const std::vector<codec::Filter>& filters) {
    if (challenge_.empty() || !settings.mailboxes) return false;
    bool proven = false;
    for (const auto& recipient : recipients_in(filters)) {
        const auto* key = settings.mailboxes->find(recipient);
        if (key == nullptr || !proven_.insert(recipient).second) continue;
        const auto answer =
            answer_challenge(settings.url, challenge_, *key, clock_.unix_now(), random_bytes<Hash32>(rng_));
        proven = send(encode_auth(codec::to_json(answer))) || proven;
    }
    return proven;
}

bool RelayClient::Impl::skip(std::string_view text) {
    const auto head = peek_relay_event(text);
    if (!head) return false;
    std::ignore = shown.insert(head->id);
    return settings.known && requests_.subscriptions.contains(std::string(head->subscription)) &&
           settings.known(head->id);
}

Task<> RelayClient::Impl::write_loop(WebSocket* socket, TaskGroup* group) {
    for (;;) {
        auto message = co_await outgoing_->pop();
        auto limited = with_timeout(socket->write(std::move(message)), settings.answer_timeout, "writing");
        auto written = co_await std::move(limited);
        if (written) continue;
        if (last_error.empty()) last_error = written.error().message;
        socket->abort();
        group->cancel();
        co_return;
    }
}

bool RelayClient::Impl::send(std::string message) {
    return outgoing_ && outgoing_->push(std::make_shared<const std::string>(std::move(message)));
}

void RelayClient::Impl::send_req(const std::string& subscription, const LiveSubscription& live) {
    const auto filters = live.resume_filters(settings.overlap, clock_.unix_now());
    if (!send(encode_req(subscription, filters))) {
        log::warn("relay {}: a subscription had to be left out: too many messages wait", name);
    }
}

std::string RelayClient::Impl::subscribe(std::shared_ptr<LiveSubscription> subscription) {
    auto id = requests_.next_name('s');
    if (connected()) send_req(id, *subscription);
    requests_.subscriptions.emplace(id, std::move(subscription));
    return id;
}

void RelayClient::Impl::unsubscribe(const std::string& subscription) {
    requests_.subscriptions.erase(subscription);
    if (connected()) std::ignore = send(encode_close(subscription));
}

Task<> RelayClient::Impl::wait_connected() {
    while (!connected()) {
        std::ignore = co_await connection_made_.async_wait(no_throw);
        co_await unwind_if_cancelled();
    }
}

Task<Result<std::string>> RelayClient::Impl::publish(std::shared_ptr<Impl> self, SharedRecord record) {
    co_await self->wait_connected();
    auto pending = std::make_shared<PendingPublish>(self->executor_);
    const auto place = self->requests_.publishes.emplace(record->event().id, pending);
    const AtExit forget([self, place] { self->requests_.publishes.erase(place); });
    if (!self->send(encode_event(record->json()))) {
        co_return fail(ErrorCode::limit_exceeded, self->name + ": too many messages wait to be sent");
    }
    while (!pending->outcome) co_await pending->answered.wait();
    co_return std::move(*pending->outcome);
}

Task<Result<std::vector<SharedRecord>>> RelayClient::Impl::query(std::shared_ptr<Impl> self,
                                                                 std::vector<codec::Filter> filters,
                                                                 std::size_t limit) {
    co_await self->wait_connected();
    auto pending = std::make_shared<PendingQuery>(self->executor_);
    for (auto& filter : filters) {
        const auto asked = std::min<std::size_t>(filter.limit.value_or(UINT32_MAX), limit);
        filter.limit = static_cast<std::uint32_t>(asked);
    }
    pending->filters = filters;
    pending->limit = limit * std::max<std::size_t>(filters.size(), 1);
    const auto id = self->requests_.next_name('q');
    self->requests_.queries.emplace(id, pending);
    const AtExit forget([self, id] {
        self->requests_.queries.erase(id);
        std::ignore = self->send(encode_close(id));
    });
    if (!self->send(encode_req(id, filters))) {
        co_return fail(ErrorCode::limit_exceeded, self->name + ": too many messages wait to be sent");
    }
    while (!pending->outcome) co_await pending->answered.wait();
    if (!*pending->outcome) co_return tl::unexpected<Error>(pending->outcome->error());
    if (pending->records.size() > limit) pending->records.resize(limit);
    co_return std::move(pending->records);
}

Task<Result<Bytes>> RelayClient::Impl::sync(std::shared_ptr<Impl> self, std::string id, std::string text,
                                            bool opening) {
    co_await self->wait_connected();
    auto pending = std::make_shared<PendingSync>(self->executor_);
    pending->opening = opening;
    self->requests_.syncs.insert_or_assign(id, pending);
    const AtExit forget([self, id] { self->requests_.syncs.erase(id); });
    if (!self->send(std::move(text))) {
        co_return fail(ErrorCode::limit_exceeded, self->name + ": too many messages wait to be sent");
    }
    while (!pending->outcome) co_await pending->answered.wait();
    co_return std::move(*pending->outcome);
}

namespace {

/// Ends a subscription when it is destroyed, if the client still exists.
class ClientSubscription final : public ports::Subscription {
public:
    ClientSubscription(std::function<void()> end, std::shared_ptr<LiveSubscription> live)
        : end_(std::move(end)), live_(std::move(live)) {}
    ~ClientSubscription() override {
        live_->active = false;
        end_();
    }

private:
    std::function<void()> end_;
    std::shared_ptr<LiveSubscription> live_;
};

}  // namespace

RelayClient::RelayClient(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers,
                         Settings settings)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, rng, workers, std::move(settings))) {}

RelayClient::~RelayClient() = default;

Task<> RelayClient::run() {
    return Impl::run(impl_);
}

Task<RelayEnd> RelayClient::connect_once() {
    return Impl::connect_once(impl_);
}

Task<Result<std::string>> RelayClient::publish(SharedRecord record) {
    return with_timeout(Impl::publish(impl_, std::move(record)), impl_->settings.answer_timeout,
                        impl_->name + ": no answer to a record");
}

Task<Result<std::vector<SharedRecord>>> RelayClient::query(std::vector<codec::Filter> filters, std::size_t limit) {
    return with_timeout(Impl::query(impl_, std::move(filters), limit), impl_->settings.answer_timeout,
                        impl_->name + ": no answer to a query");
}

std::string RelayClient::sync_name() {
    return impl_->sync_name();
}

Task<Result<Bytes>> RelayClient::sync_open(std::string name, codec::Filter filter, Bytes message) {
    auto text = encode_neg_open(name, filter, message);
    return with_timeout(Impl::sync(impl_, std::move(name), std::move(text), true), impl_->settings.answer_timeout,
                        impl_->name + ": no answer to the beginning of a reconciliation");
}

Task<Result<Bytes>> RelayClient::sync_next(std::string name, Bytes message) {
    auto text = encode_neg_message(name, message);
    return with_timeout(Impl::sync(impl_, std::move(name), std::move(text), false), impl_->settings.answer_timeout,
                        impl_->name + ": no answer in a reconciliation");
}

void RelayClient::sync_close(const std::string& name) {
    impl_->sync_close(name);
}

std::unique_ptr<ports::Subscription> RelayClient::subscribe(std::vector<codec::Filter> filters, Callback callback) {
    auto live = std::make_shared<LiveSubscription>();
    live->filters = std::move(filters);
    live->callback = std::move(callback);
    const auto id = impl_->subscribe(live);
    auto end = [weak = std::weak_ptr<Impl>(impl_), id] {
        if (const auto impl = weak.lock()) impl->unsubscribe(id);
    };
    return std::make_unique<ClientSubscription>(std::move(end), std::move(live));
}

const RelayUrl& RelayClient::url() const {
    return impl_->settings.url;
}

ports::RelayStatus RelayClient::status() const {
    return {impl_->name, impl_->connected(), impl_->last_error};
}

bool RelayClient::has_shown(const Hash32& id) const {
    return impl_->shown.contains(id);
}

bool RelayClient::connected() const {
    return impl_->connected();
}

void RelayClient::on_connected(std::function<void()> callback) {
    impl_->on_connected = std::move(callback);
}

}  // namespace myst::db
