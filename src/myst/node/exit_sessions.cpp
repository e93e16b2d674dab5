#include "myst/node/exit_sessions.hpp"

#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/node/exit_payment.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxStreamsPerClient = 4;
constexpr milliseconds kHelloLimit{3'000};
constexpr milliseconds kSilenceLimit{60'000};
constexpr milliseconds kOpenLimit{30'000};
constexpr milliseconds kStorePoll{10};
constexpr milliseconds kTurnPoll{20};
constexpr milliseconds kGoodbyeLimit{1'000};
constexpr milliseconds kCoverageAge{1'000};
constexpr milliseconds kMeterPoll{100};
constexpr milliseconds kSaveInterval{2'000};
constexpr std::uint32_t kNewcomersPerSecond = 10;
constexpr std::uint32_t kNewcomerBurst = 20;

/// Marks a payer's session as being ended for as long as it lives.
class Ending {
public:
    Ending(std::multiset<Address>& ending, const Address& payer) : ending_(ending), mark_(ending_.insert(payer)) {}
    ~Ending() { ending_.erase(mark_); }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

private:
    std::multiset<Address>& ending_;
    std::multiset<Address>::iterator mark_;
};

/// Counts a stream for as long as it lives.
class StreamOfClient {
public:
    StreamOfClient(std::map<std::string, std::size_t>& counts, std::string client)
        : counts_(counts), client_(std::move(client)) {}
    ~StreamOfClient() {
        if (--counts_[client_] == 0) counts_.erase(client_);
    }
    StreamOfClient(const StreamOfClient&) = delete;
    StreamOfClient& operator=(const StreamOfClient&) = delete;

private:
    std::map<std::string, std::size_t>& counts_;
    std::string client_;
};

bool is_payment(const pay::Frame& frame) {
    return std::holds_alternative<pay::VoucherFrame>(frame) || std::holds_alternative<pay::TickVoucherFrame>(frame) ||
           std::holds_alternative<pay::TickFrame>(frame);
}

/// What is held, as RESUME shows it.
decltype(pay::ResumeFrame::held) as_resumed(const ports::HeldVoucher& held) {
    if (const auto voucher = held.tick_voucher()) {
        return pay::HeldTicks{pay::TickVoucherFrame::of(*voucher), held.ticks->newest};
    }
    return pay::VoucherFrame::of(held.voucher);
}

}  // namespace

ExitSessions::ExitSessions(Context& context, ExitSessionsSettings settings, ports::ExitTunnel& exit, AddressPool pool,
                           std::function<void()> on_exposure)
    : context_(context),
      settings_(std::move(settings)),
      exit_(exit),
      pool_(std::move(pool)),
      on_exposure_(std::move(on_exposure)),
      newcomer_looks_(kNewcomersPerSecond, kNewcomerBurst, context.clock.now()),
      streams_(context.executor) {}

// Payment streams

Task<> ExitSessions::serve(PaymentListener listener) {
    for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) {
            log::warn("{}", stream.error().message);
            co_await sleep_for(kMeterPoll);
            continue;
        }
        // Only who is let in may ask, and nobody can take the others' place: what is refused is closed at once.
        const auto client = stream->remote_address();
        if (!find_by_address(client) || streams_of_[client] >= kMaxStreamsPerClient) continue;
        ++streams_of_[client];
        streams_.spawn("payment stream", serve_stream(std::move(*stream)));
    }
}

Task<> ExitSessions::serve_stream(PaymentStream stream) {
    const StreamOfClient counted(streams_of_, stream.remote_address());
    auto hello = co_await stream.receive(kHelloLimit);
    if (!hello) co_return;
    const auto* greeting = std::get_if<pay::HelloFrame>(&*hello);
    const auto session = find_by_address(stream.remote_address());
    if (!greeting || !session || session->id != greeting->session) {
        const auto code = greeting ? pay::RefuseCode::unknown_session : pay::RefuseCode::malformed;
        const pay::Frame refusal = pay::RefuseFrame{code, ""};
        std::ignore = co_await stream.send(refusal);
        co_return;
    }
    co_await wait_for_turn(session);
    const auto number = ++session->stream;
    auto outcome = co_await greet(stream, session);
    if (outcome) outcome = co_await talk(stream, session, number);
    if (!outcome) log::debug("payment stream of session {} ended: {}", session->id.hex(), outcome.error().message);
    stream.close();
}

Task<> ExitSessions::wait_for_turn(SessionPtr session) {
    while (!session->frames.take(context_.clock.now())) co_await sleep_for(kTurnPoll);
}

Task<Result<>> ExitSessions::greet(PaymentStream& stream, SessionPtr session) {
    session->last_frame = context_.clock.now();
    if (!session->opened) session->opened = session->funded_at = session->last_frame;
    auto held = co_await context_.ledger.highest_voucher(session->payee.signer(), settings_.payee);
    if (!held) co_return forward_error(held);
    pay::ResumeFrame resume;
    resume.epoch = session->payee.epoch();
    if (*held && (*held)->voucher.voucher.epoch == resume.epoch) resume.held = as_resumed(**held);
    auto opened = co_await update_gate(session);
    if (!opened) co_return forward_error(opened);
    const pay::Frame frame = resume;
    co_return co_await stream.send(frame);
}

Task<Result<>> ExitSessions::talk(PaymentStream& stream, SessionPtr session, std::uint64_t number) {
    for (;;) {
        co_await wait_for_turn(session);
        auto frame = co_await stream.receive(kSilenceLimit);
        if (!frame) co_return forward_error(frame);
        if (session->stream != number) co_return Result<>();
        if (session->ended) co_return co_await refuse_payment(stream, session, pay::RefuseCode::session_over);
        session->last_frame = context_.clock.now();
        if (std::holds_alternative<pay::ByeFrame>(*frame)) co_return co_await take_leave(stream, session);
        if (!is_payment(*frame)) co_return co_await refuse_payment(stream, session, pay::RefuseCode::malformed);
        const auto refused = co_await take_payment(session, *frame);
        if (refused) co_return co_await refuse_payment(stream, session, *refused);
        auto acknowledged = co_await acknowledge(stream, session);
        if (!acknowledged) co_return acknowledged;
    }
}

Task<Result<>> ExitSessions::refuse_payment(PaymentStream& stream, SessionPtr session, pay::RefuseCode code) {
    log::warn("session {}: payment refused, {}", session->id.hex(), to_string(code));
    const pay::Frame refusal = pay::RefuseFrame{code, ""};
    auto told = co_await stream.send(refusal);
    if (session->payee.too_many_wrong_ticks()) {
        std::string reason = "too many wrong ticks";
        co_await end(session, std::move(reason));
    }
    co_await end_if_uncovered(session);
    co_return told;
}

Task<Result<>> ExitSessions::take_leave(PaymentStream& stream, SessionPtr session) {
    read_meter();
    std::ignore = co_await acknowledge(stream, session);
    const pay::Frame bye = pay::ByeFrame{};
    std::ignore = co_await stream.send(bye);
    std::ignore = co_await stream.receive(kGoodbyeLimit);  // until the consumer has closed
    std::string reason = "the consumer left";
    co_await end(session, std::move(reason));
    co_return Result<>();
}

Task<std::optional<pay::RefuseCode>> ExitSessions::take_payment(SessionPtr session, pay::Frame frame) {
    if (context_.clock.now() - session->coverage_at > kCoverageAge) {
        auto refreshed = co_await refresh_coverage(session);
        if (!refreshed) log::warn("{}", refreshed.error().in("the deposit was not re-checked").message);
    }
    const auto domain = lane_domain(context_.chain.identity());
    const auto proof = judge(*session, frame, domain, settings_.payee);
    if (!proof) {
        if (proof.error() == pay::RefuseCode::risk_limit) on_exposure_();
        co_return proof.error();
    }
    if (!*proof) co_return std::nullopt;
    if (session->ended) co_return pay::RefuseCode::session_over;
    read_meter();
    ++session->storing;
    auto stored = co_await store(session, **proof);
    --session->storing;
    if (!stored) {
        log::error("{}", stored.error().in("storing a payment").describe());
        co_return pay::RefuseCode::storage;
    }
    const auto before = session->payee.total();
    credit(*session, **proof, domain);
    const auto gained = session->payee.total().minus_saturating(before);
    if (!gained.is_zero()) session->funded_at = context_.clock.now();
    if (is_worth_a_frame(*session, gained)) session->frames.give_back();
    if (session->payee.should_settle(session->coverage)) on_exposure_();
    co_return std::nullopt;
}

Task<Result<>> ExitSessions::store(SessionPtr session, ports::HeldVoucher proof) {
    auto record = session->record(context_.clock, settings_.payee, std::string());
    record.paid = record.paid.plus_saturating(proof.total().minus_saturating(session->payee.total()));
    ++record.vouchers;
    session->saved = context_.clock.now();
    co_return co_await context_.ledger.keep_voucher(proof, std::move(record));
}

Task<Result<>> ExitSessions::acknowledge(PaymentStream& stream, SessionPtr session) {
    if (session->ended) {
        co_return co_await refuse_payment(stream, session, pay::RefuseCode::session_over);
    }
    auto opened = co_await update_gate(session);
    if (!opened) co_return forward_error(opened);
    const pay::Frame ack =
        pay::AckFrame{session->payee.total(), session->traffic.up, session->traffic.down, session->allowance};
    co_return co_await stream.send(ack);
}

Task<Result<>> ExitSessions::refresh_coverage(SessionPtr session) {
    // The lane first: what a settlement in between has moved into it is then missing, not counted twice.
    auto lane = co_await context_.chain.lane(session->payee.signer(), settings_.payee);
    if (!lane) co_return forward_error(lane);
    auto account = co_await context_.chain.account(session->payee.signer());
    if (!account) co_return forward_error(account);
    const bool was_leaving = std::exchange(session->coverage, coverage_of(*lane, *account)).leaving;
    if (session->coverage.leaving && !was_leaving) on_exposure_();
    session->coverage_at = context_.clock.now();
    co_return Result<>();
}

Task<> ExitSessions::end_if_uncovered(SessionPtr session) {
    if (session->payee.is_covered(session->coverage)) co_return;
    std::string reason = "the deposit does not cover what was paid any more";
    if (session->coverage.releasing) reason = "the payer takes back what is reserved";
    if (session->coverage.epoch != session->payee.epoch()) reason = "the lane was released";
    co_await end(session, std::move(reason));
}

Task<> ExitSessions::watch_deposits() {
    for (;;) {
        co_await sleep_for(settings_.deposit_look);
        std::vector<SessionPtr> current;
        for (const auto& [id, session] : sessions_) current.push_back(session);
        for (const auto& session : current) {
            if (session->ended || context_.clock.now() - session->coverage_at < settings_.deposit_look) continue;
            auto refreshed = co_await refresh_coverage(session);
            if (!refreshed) {
                log::warn("{}", refreshed.error().in("the deposits were not re-checked").message);
                break;
            }
            co_await end_if_uncovered(session);
        }
    }
}

Task<Result<>> ExitSessions::update_gate(SessionPtr session) {
    // One setting at a time: two that overtook each other would leave the older allowance in force. Whoever comes
    // meanwhile leaves it to the one at work, which looks again before it stops.
    while (!session->ended && !session->setting_gate) {
        const auto allowance = session->payee.allowance(session->connected(context_.clock.now()));
        if (allowance == session->allowance) break;
        session->allowance = allowance;
        session->setting_gate = true;
        auto set = co_await exit_.set_allowance(session->id, allowance);
        session->setting_gate = false;
        if (!set) co_return set;
    }
    co_return Result<>();
}

// Metering and ends

void ExitSessions::read_meter() {
    auto counters = exit_.counters();
    if (!counters) {
        log::error("{}", counters.error().in("reading the meter").describe());
        return;
    }
    for (const auto& [id, traffic] : *counters) {
        const auto found = sessions_.find(id);
        if (found != sessions_.end()) found->second->traffic = traffic;
    }
}

std::optional<std::string> ExitSessions::abandoned(ExitSession& session) const {
    const auto now = context_.clock.now();
    if (!session.opened) {
        if (now - session.last_frame > kOpenLimit) return "the consumer never came";
        return std::nullopt;
    }
    if (now - session.last_frame > kSilenceLimit) return "the consumer fell silent";
    // The quota drops the packet that would pass it, so traffic stops up to a packet below the allowance.
    if (session.is_gate_open(settings_.mtu)) session.funded_at = now;
    if (now - session.funded_at > settings_.unpaid_limit) return "the consumer stopped paying";
    return std::nullopt;
}

Task<> ExitSessions::watch() {
    for (;;) {
        co_await sleep_for(kMeterPoll);
        if (sessions_.empty()) continue;
        read_meter();
        const auto now = context_.clock.now();
        std::vector<SessionPtr> current;
        for (const auto& [id, session] : sessions_) current.push_back(session);
        for (const auto& session : current) {
            if (session->ended) continue;
            if (auto reason = abandoned(*session)) {
                co_await end(session, std::move(*reason));
                continue;
            }
            if (!session->opened) continue;
            auto updated = co_await update_gate(session);
            if (!updated) log::error("{}", updated.error().in("setting the gate").describe());
            if (now - session->saved <= kSaveInterval) continue;
            std::string still_open;
            co_await save(session, std::move(still_open));
        }
    }
}

Task<> ExitSessions::save(SessionPtr session, std::string end_reason) {
    session->saved = context_.clock.now();
    auto record = session->record(context_.clock, settings_.payee, std::move(end_reason));
    auto saved = co_await context_.ledger.save_session(std::move(record));
    if (!saved) log::error("{}", saved.error().in("saving a session").describe());
}

Task<> ExitSessions::end(SessionPtr session, std::string reason) {
    if (std::exchange(session->ended, true)) co_return;
    const Ending mark(ending_, session->payee.signer());
    log::info("session {} ends: {}", session->id.hex(), reason);
    sessions_.erase(session->id);
    co_await close_gate(session);
    auto removed = co_await exit_.remove_peer(session->id);
    if (!removed) log::error("{}", removed.error().in("removing a peer").describe());
    pool_.give_back(session->client_address);
    // A voucher that is on its way to the disk counts in this session, and must not count in the payer's next one.
    while (session->storing > 0) co_await sleep_for(kStorePoll);
    co_await save(session, std::move(reason));
    on_exposure_();
}

Task<> ExitSessions::close_gate(SessionPtr session) {
    while (session->setting_gate) co_await sleep_for(kStorePoll);  // it would open the gate again
    auto closed = co_await exit_.set_allowance(session->id, 0);
    if (!closed) log::error("{}", closed.error().in("closing the gate").describe());
    auto counters = exit_.counters();
    if (!counters) {
        log::error("{}", counters.error().in("reading the meter").describe());
        co_return;
    }
    for (const auto& [id, traffic] : *counters) {
        if (id == session->id) session->traffic = traffic;
    }
}

Task<> ExitSessions::end_all(std::string reason) {
    while (!sessions_.empty()) {
        const auto session = sessions_.begin()->second;
        co_await end(session, reason);
    }
    streams_.cancel();
    co_await streams_.join();
}

ExitSessions::SessionPtr ExitSessions::find_by_address(const std::string& address) const {
    for (const auto& [id, session] : sessions_) {
        if (session->client_address == address) return session;
    }
    return nullptr;
}

ExitSessions::SessionPtr ExitSessions::find_by_payer(const Address& payer) const {
    for (const auto& [id, session] : sessions_) {
        if (session->payee.signer() == payer) return session;
    }
    return nullptr;
}

bool ExitSessions::serves(const Address& payer) const {
    return find_by_payer(payer) != nullptr || admitting_.contains(payer) || ending_.contains(payer);
}

std::vector<ProvidedSession> ExitSessions::open_sessions() const {
    std::vector<ProvidedSession> views;
    for (const auto& [id, session] : sessions_) views.push_back(session->view(context_.clock));
    return views;
}

}  // namespace myst::node
