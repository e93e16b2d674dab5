#include "myst/node/consumer.hpp"

#include "myst/base/log.hpp"
#include "myst/node/offer_list.hpp"
#include "myst/node/offer_search.hpp"
#include "myst/node/record_work.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxAttempts = 3;
constexpr milliseconds kAnswerLimit{5'000};
constexpr milliseconds kReceiptLimit{2'000};       ///< for relays to take it
constexpr milliseconds kReceiptWorkLimit{10'000};  ///< for its work before that
constexpr std::uint64_t kMib = 1 << 20;
constexpr milliseconds kFirstRetry{250};
constexpr milliseconds kLongestRetry{5'000};
constexpr std::uint64_t kLeastInFlight = 1 << 20;
constexpr std::string_view kBlocked =
    "nothing leaves in clear: myst disconnect opens the ordinary way, myst connect takes another provider";

/// Whether another attempt may succeed without the user doing anything.
bool may_recover(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
}

void add(PaidSessionProgress& sum, const PaidSessionProgress& part) {
    sum.traffic_peer.up += part.traffic_peer.up;
    sum.traffic_peer.down += part.traffic_peer.down;
    sum.paid = sum.paid.plus_saturating(part.paid);
    sum.acknowledged = sum.acknowledged.plus_saturating(part.acknowledged);
    sum.worth = sum.worth.plus_saturating(part.worth);
    sum.vouchers += part.vouchers;
}

/// Whose fault the end of a connection was: what may recover is nobody's, nor is an empty deposit.
ReceiptOutcome outcome_of(const Result<>& end) {
    if (end) return ReceiptOutcome::good;
    const auto code = end.error().code;
    const bool is_providers = code == ErrorCode::invalid_data || code == ErrorCode::failed_precondition;
    return is_providers ? ReceiptOutcome::bad : ReceiptOutcome::good;
}

/// The tighter of two limits, either of which may be absent.
std::optional<Amount> tighter(std::optional<Amount> a, std::optional<Amount> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

Task<Result<>> joined(TaskGroup& group) {
    co_await group.join();
    co_return Result<>();
}

}  // namespace

Consumer::Consumer(Context& context, ConsumerSettings settings)
    : context_(context),
      settings_(settings),
      wake_(context.executor),
      retry_(kFirstRetry, kLongestRetry, context.rng) {}

Result<> Consumer::connect(ProposalFilter filter) {
    if (status_.state != ConnectionState::disconnected && status_.state != ConnectionState::blocked) {
        return fail(ErrorCode::failed_precondition, "there is a connection already", "run: myst disconnect");
    }
    if (!context_.keys.signer()) {
        return fail(ErrorCode::failed_precondition, "this node has no wallet yet", "run: myst wallet create");
    }
    if (auto possible = context_.driver.available(); !possible) return forward_error(possible);
    if (auto possible = check_answerable(filter, context_.chain); !possible) return forward_error(possible);
    filter.max_per_gib = tighter(filter.max_per_gib, settings_.max_per_gib);
    filter.max_per_hour = tighter(filter.max_per_hour, settings_.max_per_hour);
    if (filter.service.empty()) filter.service = context_.driver.service();
    before_ = {};
    if (tunnel_) before_ = tunnel_->counters().value_or(ports::TrafficCounters{});
    status_ = ConnectionStatus{};
    earlier_ = {};
    agreed_.reset();
    last_funds_.reset();
    retry_.reset();
    retry_at_once_ = true;
    stopping_ = false;
    started_ = context_.clock.now();
    enter(ConnectionState::connecting, "looking for offers");
    task_ = std::make_unique<TaskGroup>(context_.executor);
    task_->spawn("connection", run(std::move(filter)));
    return {};
}

Task<Result<ConnectionStatus>> Consumer::disconnect() {
    if (status_.state == ConnectionState::disconnected) co_return status();
    stopping_ = true;
    if (session_) session_->stop();
    wake_.notify();
    std::string late = "the session did not end in time";
    auto ended = co_await with_timeout(joined(*task_), settings_.disconnect_limit, late);
    if (!ended) log::warn("{}", ended.error().message);
    co_await end_session(std::move(late));  // if the task did not come to it
    enter(ConnectionState::disconnecting, "closing the tunnel");
    co_await close_tunnel();
    protected_ = false;
    enter(ConnectionState::disconnected, "");
    co_return status();
}

ConnectionStatus Consumer::status() const {
    auto status = status_;
    status.bytes_per_second = session_ ? session_->bytes_per_second() : 0;
    if (session_) {
        const auto& progress = session_->progress();
        status.traffic_peer = {earlier_.traffic_peer.up + progress.traffic_peer.up,
                               earlier_.traffic_peer.down + progress.traffic_peer.down};
        status.paid = earlier_.paid.plus_saturating(progress.paid);
        status.acknowledged = earlier_.acknowledged.plus_saturating(progress.acknowledged);
        status.vouchers = earlier_.vouchers + progress.vouchers;
        status.deposit_left = progress.left;
        status.bytes_left = pay::bytes_covered(status.proposal->tariff, progress.left, milliseconds(0));
    }
    if (tunnel_) {
        if (auto traffic = tunnel_->counters()) {
            status.traffic = {traffic->up - before_.up, traffic->down - before_.down};
        }
    }
    if (status.state == ConnectionState::connected || status.state == ConnectionState::reconnecting) {
        status.connected_for = std::chrono::duration_cast<seconds>(context_.clock.now() - connected_at_);
    }
    return status;
}

void Consumer::enter(ConnectionState state, std::string step) {
    status_.state = state;
    status_.step = std::move(step);
}

Task<> Consumer::run(ProposalFilter filter) {
    auto outcome = co_await establish(std::move(filter));
    std::optional<ReceiptOutcome> ended;  // none: it did not come to a connection
    if (outcome && !stopping_) {
        protected_ = true;
        agreed_ = status_.proposal;
        connected_at_ = context_.clock.now();
        status_.connect_time = std::chrono::duration_cast<milliseconds>(connected_at_ - started_);
        enter(ConnectionState::connected, "");
        log::info("connected in {} ms", status_.connect_time.count());
        outcome = co_await keep_up();
        ended = outcome_of(outcome);
    }
    if (!outcome) {
        status_.last_error = outcome.error().describe();
        log::warn("the connection ended: {}", status_.last_error);
    }
    std::string reason = outcome ? "the consumer left" : status_.last_error;
    co_await end_session(std::move(reason));
    if (ended) {
        auto published = co_await publish_receipt(*ended);
        if (!published) log::warn("{}", published.error().in("publishing the receipt").describe());
    }
    if (protected_ && tunnel_ && !stopping_) {
        enter(ConnectionState::blocked, std::string(kBlocked));
        co_return;
    }
    enter(ConnectionState::disconnecting, "closing the tunnel");
    co_await close_tunnel();
    protected_ = false;
    enter(ConnectionState::disconnected, "");
}

// Finding a provider

Task<Result<>> Consumer::establish(ProposalFilter filter) {
    auto offers = co_await find_offers(context_, filter);
    if (!offers) co_return forward_error(offers);
    if (offers->empty()) {
        co_return fail(ErrorCode::not_found, "no provider on offer matches", "widen the filter; see: myst proposals");
    }
    Result<> outcome;
    std::size_t attempts = 0;
    std::vector<NodeKey> failed;
    RegistryView registry(context_);
    if (auto prepared = co_await registry.prepare(*offers); !prepared) co_return prepared;
    for (const auto& offer : *offers) {
        if (stopping_ || attempts == kMaxAttempts) break;
        if (std::find(failed.begin(), failed.end(), offer.provider) != failed.end()) continue;
        auto eligible = co_await check_offer(offer, filter, &registry);
        if (!eligible) {
            log::debug("an offer of {} was passed over: {}", offer.provider.hex(), eligible.error().message);
            if (may_recover(eligible.error())) co_return eligible;  // the chain cannot be read: so with all offers
            if (attempts == 0 && outcome) outcome = eligible;
            continue;
        }
        ++attempts;
        outcome = co_await establish_with(offer);
        if (outcome) co_return outcome;
        log::warn("attempt {} of {}: {}", attempts, kMaxAttempts, outcome.error().describe());
        failed.push_back(offer.provider);
        auto reason = outcome.error().describe();
        co_await end_session(std::move(reason));
        if (!protected_) co_await close_tunnel();
    }
    co_return outcome;
}

Task<Result<>> Consumer::check_offer(Proposal proposal, const ProposalFilter& filter, RegistryView* registry) {
    if (auto bearable = check_risk(proposal.tariff); !bearable) co_return bearable;
    auto offer = co_await registry->look_up(std::move(proposal));
    if (!offer) co_return forward_error(offer);
    if (!*offer) {
        co_return fail(ErrorCode::failed_precondition,
                       "the provider is not registered on chain, or has revoked its key",
                       "connect to another provider");
    }
    if (!suits(**offer, filter)) {
        co_return fail(ErrorCode::not_found, "no provider on offer has the stake and reputation that were asked for",
                       "widen the filter; see: myst proposals");
    }
    co_return Result<>();
}

Result<> Consumer::check_risk(const pay::Tariff& tariff) const {
    const pay::PayerTerms defaults;
    const Amount step = pay::cost_of(tariff, settings_.chunk.least + settings_.tolerance_bytes, defaults.time_slice);
    if (lost().plus_saturating(step) <= settings_.risk_limit) return {};
    const auto limit = format_tokens(settings_.risk_limit);
    if (lost().is_zero()) {
        return fail(ErrorCode::limit_exceeded,
                    "the first step of this offer costs " + format_tokens(step) + ", the risk limit is " + limit,
                    "choose another offer, or see consumer.risk_limit and consumer.chunk_bytes");
    }
    return fail(ErrorCode::limit_exceeded,
                format_tokens(lost()) + " was paid for what never arrived, the risk limit is " + limit,
                "connect to another provider");
}

/// A provider takes a request that is not later than the one before for a repetition of it.
UnixTime Consumer::next_request_time() {
    last_request_ = std::max(context_.clock.unix_now(), last_request_ + seconds(1));
    return last_request_;
}

Task<Result<>> Consumer::establish_with(Proposal proposal) {
    status_.proposal = proposal;
    enter(ConnectionState::connecting, "asking the provider for a session");
    auto agreed = co_await request_session(context_, proposal, next_request_time(), kAnswerLimit);
    if (!agreed) co_return forward_error(agreed);
    // Before the tunnel is there: until it is paid, it carries no question to a name server.
    enter(ConnectionState::connecting, "looking at the deposit");
    auto funds = co_await read_lane_funds(context_, agreed->accept.payee, agreed->accept.epoch);
    if (!funds) co_return forward_error(funds);
    enter(ConnectionState::connecting, "bringing up the tunnel");
    auto setup = payment_setup(agreed->accept, proposal, *funds);
    if (auto opened = co_await open_tunnel(*agreed); !opened) co_return opened;
    enter(ConnectionState::connecting, "paying for the first chunk");
    co_return co_await open_session(std::move(setup));
}

Task<Result<>> Consumer::open_tunnel(AgreedSession& agreed) {
    auto offer = agreed.accept.offer;
    if (tunnel_) co_return co_await tunnel_->replace(std::move(offer), std::move(agreed.keys));
    auto tunnel = co_await context_.driver.connect(std::move(offer), std::move(agreed.keys));
    if (!tunnel) co_return forward_error(tunnel);
    tunnel_ = std::move(*tunnel);
    status_.interface_name = tunnel_->interface_name();
    co_return Result<>();
}

Task<Result<>> Consumer::open_session(PaidSessionSetup setup) {
    status_.session = setup.accept.id;
    session_ = std::make_unique<PaidSession>(context_, std::move(setup), *tunnel_);
    co_return co_await session_->open();
}

PaidSessionSetup Consumer::payment_setup(SessionAccept accept, const Proposal& proposal, LaneFunds funds) const {
    PaidSessionSetup setup;
    // What is under way is in queues on the path; a provider that claims to give more credit cannot lie by more.
    setup.terms.in_flight_bytes = std::min(accept.credit_bytes, std::max(settings_.chunk.least, kLeastInFlight));
    setup.accept = std::move(accept);
    setup.provider = proposal.provider;
    setup.funds = funds;
    setup.terms.tariff = proposal.tariff;
    setup.terms.reserve_ahead = settings_.reserve_ahead;
    setup.terms.tolerance_bytes = settings_.tolerance_bytes;
    setup.terms.tolerance_percent = settings_.tolerance_percent;
    setup.chunk.tariff = proposal.tariff;
    setup.chunk.risk_limit = settings_.risk_limit.minus_saturating(lost());
    setup.chunk.bounds = settings_.chunk;
    setup.chunk.tick_use = settings_.ticks;
    setup.chunk.tolerance_bytes = settings_.tolerance_bytes;
    setup.chunk.time_slice = setup.terms.time_slice;
    return setup;
}

// Staying connected

Task<Result<>> Consumer::keep_up() {
    for (;;) {
        const auto before = session_->progress().traffic.total();
        auto outcome = co_await session_->run();
        if (outcome || stopping_) co_return outcome;
        if (!may_recover(outcome.error())) co_return outcome;
        log::warn("session interrupted: {}", outcome.error().message);
        enter(ConnectionState::reconnecting, "the provider is silent; reopening the payment stream");
        const auto& progress = session_->progress();
        const bool was_useful = (progress.traffic.total() - before) * 2 >= progress.chunk_bytes;
        if (was_useful) {
            retry_.reset();
            retry_at_once_ = true;
        }
        co_await pause_before_retry();
        if (stopping_) co_return Result<>();
        auto reopened = co_await session_->open();
        if (!reopened && may_recover(reopened.error())) reopened = co_await re_establish();
        if (stopping_) co_return Result<>();
        if (!reopened) co_return reopened;
        enter(ConnectionState::connected, "");
    }
}

Task<> Consumer::pause_before_retry() {
    if (std::exchange(retry_at_once_, false)) co_return;
    const auto pause = retry_.next();
    std::ignore = co_await wake_.wait(pause);
}

Task<Result<>> Consumer::re_establish() {
    std::string vanished = "the provider vanished";
    co_await end_session(std::move(vanished));
    while (!stopping_) {
        enter(ConnectionState::reconnecting, "asking the provider for a new session");
        auto outcome = co_await ask_again();
        if (outcome || !may_recover(outcome.error())) co_return outcome;
        log::info("no session yet: {}", outcome.error().message);
        auto reason = outcome.error().describe();
        co_await end_session(std::move(reason));
        co_await pause_before_retry();
    }
    co_return Result<>();
}

Task<Result<>> Consumer::ask_again() {
    ProposalFilter filter;
    filter.service = agreed_->service;
    filter.provider = agreed_->provider;
    auto offers = co_await find_offers(context_, std::move(filter));
    if (!offers) co_return forward_error(offers);
    auto proposal = renewed(*offers);
    if (!proposal) co_return forward_error(proposal);
    Revocations revocations(context_.records);
    auto revoked = co_await revocations.has(proposal->provider);
    if (!revoked) co_return forward_error(revoked);
    if (*revoked) {
        co_return fail(ErrorCode::failed_precondition, "the provider has revoked its key",
                       "connect to another provider");
    }
    if (auto bearable = check_risk(proposal->tariff); !bearable) co_return bearable;
    auto agreed = co_await request_session(context_, *proposal, next_request_time(), kAnswerLimit);
    if (!agreed) co_return forward_error(agreed);
    // The chain is asked only if it must be: an endpoint known by name may be out of reach until the tunnel is paid.
    if (!last_funds_ || last_funds_->epoch != agreed->accept.epoch) {
        auto funds = co_await read_lane_funds(context_, agreed->accept.payee, agreed->accept.epoch);
        if (!funds) co_return forward_error(funds);
        last_funds_ = *funds;
    }
    auto setup = payment_setup(agreed->accept, *proposal, *last_funds_);
    status_.proposal = *proposal;
    if (auto replaced = co_await open_tunnel(*agreed); !replaced) co_return replaced;
    co_return co_await open_session(std::move(setup));
}

Result<Proposal> Consumer::renewed(const std::vector<Proposal>& offers) const {
    if (offers.empty()) return fail(ErrorCode::unavailable, "the provider is not on offer any more");
    for (const auto& offer : offers) {
        const bool no_dearer =
            offer.tariff.per_gib <= agreed_->tariff.per_gib && offer.tariff.per_hour <= agreed_->tariff.per_hour;
        if (no_dearer && offer.payee == agreed_->payee) return offer;
    }
    return fail(ErrorCode::failed_precondition,
                "the provider has raised its price, or wants to be paid elsewhere, since the connection was made",
                "look at the offers again: myst proposals");
}

// Ending

Task<Result<>> Consumer::publish_receipt(ReceiptOutcome outcome) {
    if (!settings_.publish_receipts || status_.acknowledged.is_zero() || !last_funds_) co_return Result<>();
    const auto& signer = *context_.keys.signer();
    SettledReceipt receipt;
    receipt.payee = agreed_->payee;
    receipt.epoch = last_funds_->epoch;
    auto issued = co_await context_.ledger.highest_issued(signer.address(), receipt.payee, receipt.epoch);
    if (!issued) co_return forward_error(issued);
    if (!*issued) co_return Result<>();
    receipt.total = (**issued).total();
    receipt.mib = (status_.traffic.total() + kMib - 1) / kMib;
    receipt.outcome = outcome;
    receipt.time = context_.clock.unix_now();
    auto record = make_receipt(receipt, context_.chain.identity(), signer, context_.rng);
    const auto author = receipt_author(signer, receipt.payee);
    std::string long_work = "the work for it took too long";
    auto working = sign_with_work(context_, std::move(record), author);
    auto worked = co_await with_timeout(std::move(working), kReceiptWorkLimit, std::move(long_work));
    if (!worked) co_return forward_error(worked);
    std::string late = "the relays did not answer in time";
    auto publishing = context_.records.publish(std::move(*worked));
    auto report = co_await with_timeout(std::move(publishing), kReceiptLimit, std::move(late));
    if (!report) co_return forward_error(report);
    co_return Result<>();
}

Task<> Consumer::end_session(std::string reason) {
    if (!session_) co_return;
    keep_counters();
    auto record = session_->record(std::move(reason));
    add(earlier_, session_->progress());
    last_funds_ = session_->funds();
    session_.reset();
    std::string late = "the ledger did not answer in time";
    auto saved = co_await with_timeout(context_.ledger.save_session(std::move(record)), settings_.disconnect_limit,
                                       std::move(late));
    if (!saved) log::error("{}", saved.error().in("saving the session").describe());
}

Task<> Consumer::close_tunnel() {
    if (!tunnel_) co_return;
    keep_counters();
    const auto tunnel = tunnel_;  // it stays until it is closed, also if this task is cancelled meanwhile
    std::string late = "the tunnel did not close in time";
    auto closed = co_await with_timeout(tunnel->close(), settings_.disconnect_limit, std::move(late));
    if (tunnel_ == tunnel) tunnel_.reset();
    if (!closed) {
        status_.last_error = closed.error().in("closing the tunnel").describe();
        log::error("{}", status_.last_error);
    }
}

}  // namespace myst::node
