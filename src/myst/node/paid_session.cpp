#include "myst/node/paid_session.hpp"

#include "myst/runtime/task_group.hpp"

namespace myst::node {
namespace {

constexpr milliseconds kOpenLimit{2'000};
constexpr milliseconds kAnswerLimit{3'000};
constexpr milliseconds kHeartbeat{1'000};
constexpr milliseconds kGoodbyeLimit{2'000};
constexpr milliseconds kSilenceLimit{30'000};
constexpr milliseconds kBusyPoll{4};   ///< between looks at the meter while data flows
constexpr milliseconds kIdlePoll{50};  ///< and while none does
constexpr milliseconds kIdleAfter{500};

Error to_error(const pay::RefuseFrame& refusal) {
    const std::string message = "the provider refused a payment: " + std::string(to_string(refusal.code)) +
                                (refusal.text.empty() ? "" : " (" + refusal.text + ")");
    switch (refusal.code) {
        case pay::RefuseCode::unknown_session:
        case pay::RefuseCode::session_over:
        case pay::RefuseCode::risk_limit:
        case pay::RefuseCode::storage: return {ErrorCode::unavailable, message};
        case pay::RefuseCode::not_covered:
            return {ErrorCode::insufficient_funds, message, "run: myst wallet deposit AMOUNT"};
        case pay::RefuseCode::malformed:
        case pay::RefuseCode::wrong_epoch:
        case pay::RefuseCode::wrong_signer:
        case pay::RefuseCode::wrong_terms:
        case pay::RefuseCode::wrong_tick: return {ErrorCode::failed_precondition, message};
    }
    return {ErrorCode::failed_precondition, message};
}

Error unexpected_frame() {
    return {ErrorCode::invalid_data, "payment stream: the provider sent a frame out of turn"};
}

}  // namespace

PaidSession::PaidSession(Context& context, PaidSessionSetup setup, ports::ClientTunnel& tunnel)
    : context_(context),
      setup_(std::move(setup)),
      tunnel_(tunnel),
      payer_(setup_.terms, setup_.funds.issued, setup_.funds.spendable),
      chunk_(setup_.chunk),
      signer_({*context.keys.signer(), lane_domain(context.chain.identity()), setup_.accept.payee, setup_.accept.epoch,
               setup_.accept.id, setup_.funds.cap},
              context.clock, context.rng),
      changed_(context.executor) {
    payer_.set_chunk(chunk_.choice().bytes);
    progress_.chunk_bytes = chunk_.choice().bytes;
    update_progress();
}

milliseconds PaidSession::connected() const {
    if (!started_) return milliseconds(0);
    return std::chrono::duration_cast<milliseconds>(context_.clock.now() - *started_);
}

std::uint64_t PaidSession::billable() const {
    return payer_.billable(progress_.traffic.total(), progress_.traffic_peer.total());
}

Task<Result<>> PaidSession::open() {
    stream_.reset();
    failure_.reset();
    waiting_since_.reset();
    if (!started_) {
        auto now = tunnel_.counters();
        if (!now) co_return forward_error(now);
        baseline_ = *now;
    }
    const auto& offer = setup_.accept.offer;
    auto stream =
        co_await PaymentStream::connect(offer.client_address, offer.server_address, offer.payment_port, kOpenLimit);
    if (!stream) co_return forward_error(stream);
    stream_.emplace(std::move(*stream));
    const pay::Frame hello = pay::HelloFrame{setup_.accept.id};
    if (auto sent = co_await stream_->send(hello); !sent) co_return forward_error(sent);
    auto answer = co_await stream_->receive(kOpenLimit);
    if (!answer) co_return forward_error(answer);
    if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*answer)) co_return tl::unexpected(to_error(*refusal));
    const auto* held = std::get_if<pay::ResumeFrame>(&*answer);
    if (!held) co_return tl::unexpected(unexpected_frame());
    if (!started_) {
        started_ = context_.clock.now();
        started_at_ = context_.clock.unix_now();
        chosen_at_ = *started_;
    }
    co_return co_await resume(*held);
}

Result<> PaidSession::adopt(const pay::ResumeFrame& held) {
    if (held.epoch != setup_.accept.epoch) {
        return fail(ErrorCode::unavailable, "the lane's epoch has changed since the session was agreed");
    }
    auto proven = verify(held);
    if (!proven) return forward_error(proven);
    payer_.adopt(proven->total);
    signer_.remember_cap(proven->cap);
    update_progress();
    // Signing on from what the chain says would let whoever answers for the chain decide how much is signed.
    if (payer_.issued_total() < setup_.funds.drawn) {
        return fail(ErrorCode::invalid_data,
                    "the chain says that " + format_tokens(setup_.funds.drawn) +
                        " was drawn by this provider, and neither side has a voucher for it",
                    "connect to another provider; if it is the same there, check chain.endpoints");
    }
    return {};
}

Result<PaidSession::Proven> PaidSession::verify(const pay::ResumeFrame& held) const {
    const auto domain = lane_domain(context_.chain.identity());
    const auto not_ours = fail(ErrorCode::invalid_data, "the provider returned a voucher that we did not sign");
    const auto is_ours = [&](const Result<Address>& signer, const codec::Voucher& voucher) {
        return signer && *signer == context_.keys.signer()->address() && voucher.epoch == held.epoch;
    };
    if (const auto* plain = std::get_if<pay::VoucherFrame>(&held.held)) {
        const auto voucher = plain->with_provider(setup_.accept.payee);
        if (!is_ours(codec::recover_signer(domain, voucher), voucher.voucher)) return not_ours;
        return Proven{voucher.voucher.total, voucher.voucher.cap};
    }
    if (const auto* ticks = std::get_if<pay::HeldTicks>(&held.held)) {
        const auto voucher = ticks->voucher.with_provider(setup_.accept.payee);
        if (!is_ours(codec::recover_signer(domain, voucher), voucher.tick_voucher.voucher)) return not_ours;
        auto chain = pay::TickPayee::begin(domain, voucher.tick_voucher);
        if (!chain) return not_ours;
        auto owed = chain->take(ticks->newest);
        if (!owed) return forward_error(owed);
        return Proven{*owed, voucher.tick_voucher.voucher.cap};
    }
    return Proven{};
}

Task<Result<>> PaidSession::resume(pay::ResumeFrame held) {
    if (auto adopted = adopt(held); !adopted) co_return adopted;
    auto due = payer_.due(billable(), connected());
    if (!due) co_return forward_error(due);
    auto paid = co_await pay_by_voucher(due->value_or(payer_.issued_total()));
    if (!paid) co_return forward_error(paid);
    auto answer = co_await stream_->receive(kAnswerLimit);
    if (!answer) co_return forward_error(answer);
    if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*answer)) co_return tl::unexpected(to_error(*refusal));
    const auto* ack = std::get_if<pay::AckFrame>(&*answer);
    if (!ack) co_return tl::unexpected(unexpected_frame());
    co_return take_ack(*ack);
}

Task<Result<>> PaidSession::run() {
    TaskGroup reader(context_.executor);
    reader.spawn("payment answers", read_answers());
    std::function<void()> stop = [this] { stream_->close(); };
    co_return co_await with_children(pay_until_stopped(), reader, std::move(stop));
}

Task<Result<>> PaidSession::pay_until_stopped() {
    while (!stopping_) {
        auto paid = co_await pay_and_check();
        if (!paid) co_return paid;
        if (stopping_) break;
        const bool idle = context_.clock.now() - last_growth_ > kIdleAfter;
        const auto pause = idle ? kIdlePoll : kBusyPoll;
        std::ignore = co_await changed_.wait(pause);
    }
    co_return co_await say_goodbye();
}

void PaidSession::stop() {
    stopping_ = true;
    changed_.notify();
}

Task<Result<>> PaidSession::pay_and_check() {
    if (failure_) co_return tl::unexpected(*failure_);
    const auto now = context_.clock.now();
    if (waiting_since_ && now - *waiting_since_ > kAnswerLimit) {
        co_return fail(ErrorCode::timeout, "the provider does not acknowledge payments any more");
    }
    if (auto read = read_meter(); !read) co_return forward_error(read);
    auto due = payer_.due(billable(), connected());
    if (!due) co_return forward_error(due);
    if (*due) co_return co_await pay_ahead(**due);
    if (signer_.must_convert()) co_return co_await pay_by_voucher(payer_.issued_total());
    if (now - last_sent_ > kHeartbeat && last_payment_) co_return co_await send_payment(*last_payment_);
    co_return Result<>();
}

Task<Result<>> PaidSession::pay_ahead(Amount total) {
    choose_chunk();
    if (!chunk_.choice().ticks) return pay_by_voucher(total);
    const auto limit = payer_.issued_total().plus_saturating(payer_.left());
    return store_and_send(signer_.by_tick(total, payer_.step(), limit));
}

Task<Result<>> PaidSession::pay_by_voucher(Amount total) {
    // Whoever leaves has no use for more reservation.
    return store_and_send(signer_.by_voucher(total, stopping_ ? total : payer_.cap_for(total)));
}

Task<Result<>> PaidSession::store_and_send(Payment payment) {
    auto stored = co_await context_.ledger.record_issued(payment.proof);
    if (!stored) co_return forward_error(stored, "storing a payment before sending it");
    payer_.issued(payment.proof.total());
    last_payment_ = payment.frame;
    ++progress_.vouchers;
    update_progress();
    co_return co_await send_payment(payment.frame);
}

Task<Result<>> PaidSession::send_payment(pay::Frame frame) {
    last_sent_ = context_.clock.now();
    if (!waiting_since_) waiting_since_ = last_sent_;
    return stream_->send(std::move(frame));
}

/// For the steps after the one that is being paid.
void PaidSession::choose_chunk() {
    const auto now = context_.clock.now();
    const auto used = progress_.traffic.total();
    chunk_.set_voucher_cost(signer_.signing_time());
    chunk_.observe(used - chosen_used_, std::chrono::duration_cast<milliseconds>(now - chosen_at_));
    chosen_used_ = used;
    chosen_at_ = now;
    payer_.set_chunk(chunk_.choice().bytes);
    progress_.chunk_bytes = chunk_.choice().bytes;
}

Task<> PaidSession::read_answers() {
    while (!failure_ && !peer_finished_) {
        auto frame = co_await stream_->receive(kSilenceLimit);
        if (!frame) {
            failure_ = frame.error();
        } else if (const auto* ack = std::get_if<pay::AckFrame>(&*frame)) {
            if (auto taken = take_ack(*ack); !taken) failure_ = taken.error();
        } else if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*frame)) {
            failure_ = to_error(*refusal);
        } else if (std::holds_alternative<pay::ByeFrame>(*frame) && stopping_) {
            peer_finished_ = true;
        } else {
            failure_ = unexpected_frame();
        }
        changed_.notify();
    }
}

Result<> PaidSession::take_ack(const pay::AckFrame& ack) {
    if (auto known = payer_.acknowledged(ack.total); !known) return known;
    if (auto read = read_meter(); !read) return read;
    waiting_since_.reset();
    if (payer_.acknowledged_total() < payer_.issued_total()) waiting_since_ = last_sent_;
    progress_.traffic_peer = {ack.up, ack.down};
    served_ = connected();
    update_progress();
    return payer_.check_meter(progress_.traffic.total(), progress_.traffic_peer.total());
}

Result<> PaidSession::read_meter() {
    auto now = tunnel_.counters();
    if (!now) return forward_error(now);
    const ports::TrafficCounters used{now->up - baseline_.up, now->down - baseline_.down};
    if (used != progress_.traffic) last_growth_ = context_.clock.now();
    rate_.observe(context_.clock.now(), used.total());
    progress_.traffic = used;
    update_progress();
    return {};
}

void PaidSession::update_progress() {
    progress_.paid = payer_.paid();
    progress_.acknowledged = payer_.paid_and_acknowledged();
    progress_.left = payer_.left();
    const auto own = progress_.traffic.total();
    const auto peer = progress_.traffic_peer.total();
    // What was lost on the way: metered, but not by us. The fixed part of the tolerance is worth nothing.
    const auto lost = std::min(peer - std::min(own, peer), own / 100 * setup_.terms.tolerance_percent);
    progress_.worth = pay::cost_of(setup_.terms.tariff, own + lost, served_);
}

LaneFunds PaidSession::funds() const {
    return {setup_.accept.epoch, payer_.issued_total(), signer_.cap(), setup_.funds.drawn, payer_.left()};
}

Task<Result<>> PaidSession::say_goodbye() {
    if (failure_) co_return tl::unexpected(*failure_);
    if (auto read = read_meter(); !read) co_return forward_error(read);
    if (const auto owed = payer_.owed(billable(), connected())) {
        auto paid = co_await pay_by_voucher(*owed);
        if (!paid) co_return forward_error(paid);
    } else if (signer_.has_chain()) {
        auto converted = co_await pay_by_voucher(payer_.issued_total());
        if (!converted) co_return forward_error(converted);
    }
    const pay::Frame bye = pay::ByeFrame{};
    if (auto sent = co_await stream_->send(bye); !sent) co_return forward_error(sent);
    const auto deadline = context_.clock.now() + kGoodbyeLimit;
    while (!failure_ && !peer_finished_ && context_.clock.now() < deadline) {
        std::ignore = co_await changed_.wait(kIdlePoll);
    }
    co_return Result<>();
}

ports::SessionRecord PaidSession::record(std::string end_reason) const {
    ports::SessionRecord record;
    record.id = setup_.accept.id;
    record.signer = context_.keys.signer()->address();
    record.provider = setup_.accept.payee;
    record.peer = setup_.provider;
    record.started = started_at_;
    record.ended = context_.clock.unix_now();
    record.bytes_up = progress_.traffic.up;
    record.bytes_down = progress_.traffic.down;
    record.cost = pay::cost_of(setup_.terms.tariff, progress_.traffic.total(), connected());
    record.paid = progress_.acknowledged;
    record.vouchers = progress_.vouchers;
    record.end_reason = std::move(end_reason);
    return record;
}

}  // namespace myst::node
