#include "myst/node/provider.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "myst/base/busy.hpp"
#include "myst/base/log.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/record_work.hpp"
#include "myst/node/revocation.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxInbox = 256;
constexpr std::size_t kSessionHistory = 200;
constexpr seconds kProposalLifetime{3600};
constexpr milliseconds kRepublish{15 * 60 * 1000};
constexpr milliseconds kRepublishAfterFailure{5'000};
constexpr seconds kWithdrawnLifetime{1};
constexpr milliseconds kInboxPoll{60'000};
constexpr std::size_t kMaxAnswering = 16;
constexpr std::size_t kMaxNewcomers = kMaxAnswering - kMaxAnswering / 4;
constexpr std::size_t kMaxSending = 256;
/// With so many answers on their way no ping gets one, so that slow relays leave room for those to requests.
constexpr std::size_t kMaxSendingForPings = kMaxSending / 8;
constexpr unsigned kRefusalsPerSecond = 10;
constexpr unsigned kPingsPerSecond = 20;
constexpr unsigned kPingBurst = 40;

/// Counts a task for as long as it lives, and tells when it is gone.
class Counted {
public:
    Counted(std::size_t& count, EventSignal& changed) : count_(count), changed_(changed) {}
    ~Counted() {
        --count_;
        changed_.notify();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    std::size_t& count_;
    EventSignal& changed_;
};

/// Part of the risk limit that may be used before it is settled.
Amount settle_trigger(const ProviderSettings& settings) {
    return Amount::from_wide(settings.risk_limit.units() * settings.settle_trigger_percent / 100).value_or(Amount{});
}

SettlerSettings settler_settings(const ProviderSettings& settings) {
    auto chosen = settings.settlement;
    chosen.terms.trigger = settle_trigger(settings);
    chosen.terms.margin = 2 * settings.outage_tolerated;
    return chosen;
}

}  // namespace

Provider::Provider(Context& context, Wallet& wallet, ProviderSettings settings)
    : context_(context),
      wallet_(wallet),
      settings_(std::move(settings)),
      registration_(context, wallet, settings_.stake),
      arrived_(context.executor),
      pings_(kPingsPerSecond, kPingBurst, context.clock.now()),
      settler_(context, wallet, settler_settings(settings_),
               [this](const Address& payer) { return sessions_ && sessions_->serves(payer); }) {}

Provider::~Provider() = default;

// Start and stop

Task<Result<ProviderStatus>> Provider::start() {
    if (changing_) co_return fail(ErrorCode::failed_precondition, "the provider is starting or stopping already");
    if (status_.running) co_return co_await status();
    if (auto known = wallet_.info(); !known) co_return forward_error(known);
    if (auto possible = context_.driver.available(); !possible) co_return forward_error(possible);
    Busy busy(changing_);
    auto up = co_await bring_up();
    status_.step.clear();
    if (!up) {
        std::string reason = "the provider could not start";
        co_await tear_down(std::move(reason));
        co_return forward_error(up, "starting the provider");
    }
    status_.running = true;
    log::info("selling {} at {} tokens per GiB", context_.driver.service(), format_tokens(settings_.tariff.per_gib));
    co_return co_await status();
}

Task<Result<>> Provider::bring_up() {
    tasks_ = std::make_unique<TaskGroup>(context_.executor);
    answering_ = sending_ = 0;
    if (auto usable = co_await check_key(); !usable) co_return usable;
    status_.step = "closing interrupted sessions";
    if (auto done = co_await close_interrupted_sessions(); !done) co_return done;
    status_.step = "registering on chain";
    if (auto done = co_await registration_.ensure(); !done) co_return done;
    if (auto known = co_await settler_.know_open_release(); !known) co_return known;
    status_.step = "opening the exit";
    if (auto done = co_await open_exit(); !done) co_return done;
    tasks_->spawn("payment listener", sessions_->serve(std::move(*listener_)));
    tasks_->spawn("session watch", sessions_->watch());
    tasks_->spawn("deposit watch", sessions_->watch_deposits());
    listen_for_requests();
    tasks_->spawn("session requests", answer_requests());
    status_.step = "publishing the offer";
    if (auto done = co_await publish_proposal(kProposalLifetime); !done) co_return done;
    tasks_->spawn("proposal", keep_published());
    co_return Result<>();
}

Task<Result<ProviderStatus>> Provider::stop() {
    if (changing_) co_return fail(ErrorCode::failed_precondition, "the provider is starting or stopping already");
    if (!status_.running) co_return co_await status();
    Busy busy(changing_);
    auto withdrawn = co_await publish_proposal(kWithdrawnLifetime);
    if (!withdrawn) log::warn("{}", withdrawn.error().in("withdrawing the offer").describe());
    std::string reason = "the provider stopped";
    co_await tear_down(std::move(reason));
    co_return co_await status();
}

Task<> Provider::tear_down(std::string reason) {
    status_.running = false;
    requests_.reset();
    mailbox_.reset();
    inbox_.clear();
    if (tasks_) {
        tasks_->cancel();
        co_await tasks_->join();
    }
    if (sessions_) co_await sessions_->end_all(std::move(reason));
    sessions_.reset();
    listener_.reset();
    if (exit_) {
        auto closed = co_await exit_->close();
        if (!closed) log::error("{}", closed.error().in("closing the exit").describe());
    }
    exit_.reset();
    status_.proposal.reset();
}

Task<Result<>> Provider::close_interrupted_sessions() {
    auto open = co_await context_.ledger.open_sessions(context_.keys.wallet()->address());
    if (!open) co_return forward_error(open);
    for (auto& session : *open) {
        session.ended = context_.clock.unix_now();
        session.end_reason = "the provider's program was interrupted";
        auto saved = co_await context_.ledger.save_session(session);
        if (!saved) co_return forward_error(saved);
    }
    co_return Result<>();
}

Result<Endpoint> Provider::public_endpoint(std::uint16_t listen_port) const {
    const bool has_port = settings_.endpoint.find(':') != std::string::npos;
    auto endpoint =
        parse_endpoint(has_port ? settings_.endpoint : settings_.endpoint + ":" + std::to_string(listen_port));
    if (!endpoint) return forward_error(endpoint, "provider.endpoint \"" + settings_.endpoint + "\"");
    if (!is_public_ipv4(endpoint->host)) {
        return fail(ErrorCode::invalid_argument,
                    "provider.endpoint " + endpoint->host + " cannot be reached from the internet",
                    "set it to this machine's public IPv4 address");
    }
    return endpoint;
}

/// Only this node can make it, and makes the same again after a restart.
Hash32 Provider::pool_secret() const {
    const auto signature = context_.keys.node().sign(crypto::keccak256(as_bytes("mysterium tunnel addresses")));
    return crypto::keccak256({BytesView(signature.r.bytes), BytesView(signature.vs.bytes)});
}

Task<Result<>> Provider::open_exit() {
    auto pool = AddressPool::parse(settings_.exit.pool, pool_secret());
    if (!pool) co_return forward_error(pool);
    auto exit = co_await context_.driver.open_exit(settings_.exit);
    if (!exit) co_return forward_error(exit);
    exit_ = std::move(*exit);
    auto endpoint = public_endpoint(exit_->listen_port());
    if (!endpoint) co_return forward_error(endpoint);
    auto descriptor = exit_->listen_inside(0);
    if (!descriptor) co_return forward_error(descriptor, "payment listener");
    auto listener = PaymentListener::adopt(context_.executor, *descriptor);
    if (!listener) co_return forward_error(listener);
    listener_.emplace(std::move(*listener));
    ExitSessionsSettings sessions;
    sessions.payee = context_.keys.wallet()->address();
    sessions.service = context_.driver.service();
    sessions.tariff = settings_.tariff;
    sessions.endpoint_host = endpoint->host;
    sessions.endpoint_port = endpoint->port;
    sessions.payment_port = listener_->port();
    sessions.mtu = settings_.exit.mtu;
    sessions.dns = settings_.dns;
    sessions.credit_bytes = settings_.credit_bytes;
    sessions.risk_limit = settings_.risk_limit;
    sessions.settle_trigger = settle_trigger(settings_);
    sessions.deposit_look = settings_.deposit_look;
    sessions.unpaid_limit = settings_.unpaid_limit;
    sessions.min_free = settings_.min_free;
    sessions.frames_per_second = settings_.frames_per_second;
    sessions.max_sessions = settings_.max_sessions;
    sessions.max_newcomers = kMaxNewcomers;
    sessions.is_releasing = [this](const Address& payer) { return settler_.is_releasing(payer); };
    auto on_exposure = [this] { settler_.look_soon(); };
    sessions_ =
        std::make_unique<ExitSessions>(context_, std::move(sessions), *exit_, std::move(*pool), std::move(on_exposure));
    co_return Result<>();
}

Task<Result<>> Provider::check_key() {
    Revocations revocations(context_.records);
    auto revoked = co_await revocations.has(context_.keys.node().node_key());
    // Relays may not be connected yet. Who publishes in vain hears of it then.
    if (!revoked) log::warn("{}", revoked.error().in("whether this node's key was revoked").describe());
    if (!revoked || !*revoked) co_return Result<>();
    co_return fail(ErrorCode::failed_precondition, "the key of this node was revoked, nobody would buy from it",
                   "stop the daemon, move keys/node.json away, and start it: it makes a new key");
}

// The offer

Task<Result<>> Provider::publish_proposal(seconds lifetime) {
    Proposal proposal;
    proposal.provider = context_.keys.node().node_key();
    proposal.payee = context_.keys.wallet()->address();
    proposal.service = context_.driver.service();
    proposal.country = settings_.country;
    proposal.city = settings_.city;
    proposal.tariff = settings_.tariff;
    proposal.name = settings_.name;
    proposal.terms = settings_.terms;
    proposal.relays = settings_.relays;
    // A replacement must be newer than what it replaces, even within one second or after the clock stepped back.
    proposal.published = context_.clock.unix_now();
    if (status_.proposal) proposal.published = std::max(proposal.published, status_.proposal->published + seconds(1));
    proposal.expires = proposal.published + lifetime;
    auto offer = make_proposal(proposal, context_.chain.identity(), context_.keys.node(), context_.rng);
    auto event = co_await sign_with_work(context_, std::move(offer), context_.keys.node());
    if (!event) co_return forward_error(event);
    auto report = co_await context_.records.publish(std::move(*event));
    if (!report) co_return forward_error(report);
    for (const auto& [relay, reason] : report->rejected) log::warn("{} refused the proposal: {}", relay, reason);
    status_.proposal = std::move(proposal);
    co_return Result<>();
}

Task<> Provider::keep_published() {
    milliseconds pause = kRepublish;
    for (;;) {
        co_await sleep_for(pause);
        auto published = co_await publish_proposal(kProposalLifetime);
        if (!published) log::warn("{}", published.error().in("renewing the offer").describe());
        pause = published ? kRepublish : kRepublishAfterFailure;
    }
}

// Requests

void Provider::listen_for_requests() {
    codec::Filter filter;
    filter.kinds = {kEnvelopeKind};
    filter.tags['p'] = {context_.keys.node().node_key().hex()};
    mailbox_ = context_.mailboxes->hold(context_.keys.node().clone());
    requests_ = context_.records.subscribe({filter}, [this](const codec::Event& event) {
        if (inbox_.size() >= kMaxInbox) return;  // overload: consumers see no answer and try elsewhere
        inbox_.push_back(event);
        arrived_.notify();
    });
}

Task<> Provider::answer_requests() {
    for (;;) {
        while (!inbox_.empty() && answering_ < kMaxAnswering) {
            auto event = std::move(inbox_.front());
            inbox_.pop_front();
            ++answering_;
            tasks_->spawn("session request", answer(std::move(event)));
        }
        std::ignore = co_await arrived_.wait(kInboxPoll);
    }
}

Task<> Provider::answer(codec::Event event) {
    const Counted counted(answering_, arrived_);
    auto envelope = open_envelope(event, context_.keys.node());
    if (!envelope) {
        log::debug("an envelope was dropped: {}", envelope.error().message);
        co_return;
    }
    if (const auto* ping = std::get_if<Ping>(&*envelope); ping && may_answer_ping(event.created_at)) {
        reply(Pong{ping->id}, event.pubkey);
    }
    const auto* request = std::get_if<SessionRequest>(&*envelope);
    if (!request) co_return;
    const auto judged = co_await sessions_->admit(*request, event.pubkey);
    // Strangers can make us refuse as often as they like; who is let in has a deposit.
    if (!std::holds_alternative<SessionReject>(judged) || may_refuse()) reply(judged, event.pubkey);
}

void Provider::reply(const Envelope& envelope, const NodeKey& to) {
    // Relays may take seconds to report; the next request does not wait for that.
    if (sending_ >= kMaxSending) return;
    auto sealed = seal_envelope(envelope, context_.keys.node(), to, context_.clock.unix_now(), context_.rng);
    if (!sealed) return log::error("{}", sealed.error().describe());
    ++sending_;
    tasks_->spawn("answer", send_answer(std::move(*sealed)));
}

Task<> Provider::send_answer(codec::Event event) {
    const Counted counted(sending_, arrived_);
    auto published = co_await context_.records.publish(std::move(event));
    if (!published) log::warn("{}", published.error().in("answering a session request").describe());
}

/// A relay may have kept it back, or show it again; whoever wants to know asks anew.
bool Provider::may_answer_ping(UnixTime sent) {
    const auto now = context_.clock.unix_now();
    const auto age = now > sent ? now - sent : sent - now;
    if (age > codec::kEnvelopeLife || sending_ >= kMaxSendingForPings) return false;
    return pings_.take(context_.clock.now());
}

bool Provider::may_refuse() {
    const auto now = context_.clock.now();
    if (now - refusals_since_ >= seconds(1)) {
        refusals_since_ = now;
        refusals_ = 0;
    }
    return ++refusals_ <= kRefusalsPerSecond;
}

// Money and views

Task<Result<UnregisterResult>> Provider::unregister() {
    if (changing_ || status_.running) {
        co_return fail(ErrorCode::failed_precondition, "this provider is selling", "run first: myst provider stop");
    }
    const Busy busy(changing_);
    co_return co_await registration_.leave();
}

Task<Result<ProviderLimits>> Provider::limits() {
    if (auto known = wallet_.info(); !known) co_return forward_error(known);
    ProviderLimits limits;
    const pay::PayeeTerms credit;
    limits.credit_bytes = settings_.credit_bytes;
    limits.credit = pay::cost_of(settings_.tariff, settings_.credit_bytes, credit.time_credit);
    limits.risk_limit = settings_.risk_limit;
    limits.min_free = settings_.min_free;
    limits.outage_tolerated = settings_.outage_tolerated;
    auto reported = co_await settler_.report(limits);
    if (!reported) co_return forward_error(reported);
    co_return limits;
}

Task<Result<ProviderStatus>> Provider::status() {
    if (auto known = wallet_.info(); !known) co_return status_;
    const auto payee = context_.keys.wallet()->address();
    auto held = co_await context_.ledger.held_vouchers(payee);
    if (!held) co_return forward_error(held);
    auto unsettled = co_await settler_.unsettled();
    if (!unsettled) co_return forward_error(unsettled);
    auto status = status_;
    status.registered = registration_.is_registered();
    status.open_sessions = sessions_ ? sessions_->open_sessions().size() : 0;
    for (const auto& voucher : *held) {
        status.earned = status.earned.plus_saturating(voucher.total());
    }
    for (const auto& voucher : unsettled->vouchers) status.unsettled = status.unsettled.plus_saturating(voucher.gain());
    co_return status;
}

Task<Result<std::vector<ProvidedSession>>> Provider::sessions() {
    std::vector<ProvidedSession> past;
    if (const auto* wallet = context_.keys.wallet()) {
        auto sold = co_await context_.ledger.sold_sessions(wallet->address(), kSessionHistory);
        if (!sold) co_return forward_error(sold);
        for (const auto& record : *sold) past.push_back(view_of(record));
    }
    auto views = sessions_ ? sessions_->open_sessions() : std::vector<ProvidedSession>{};
    const auto newer = [](const ProvidedSession& a, const ProvidedSession& b) { return a.started > b.started; };
    std::stable_sort(views.begin(), views.end(), newer);
    std::set<SessionId> open;
    for (const auto& view : views) open.insert(view.id);
    std::copy_if(past.begin(), past.end(), std::back_inserter(views),
                 [&](const ProvidedSession& view) { return !open.contains(view.id); });
    co_return views;
}

}  // namespace myst::node
