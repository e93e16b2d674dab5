#include "consumer.hpp"

#include "provider.hpp"

namespace myst::sim {
namespace {

constexpr milliseconds kOpenLimit{2'000};
constexpr milliseconds kAnswerLimit{3'000};
constexpr milliseconds kRequestLimit{5'000};
constexpr milliseconds kHeartbeat{1'000};
constexpr milliseconds kGoodbyeLimit{2'000};
constexpr milliseconds kSoon{500};
constexpr milliseconds kUsersPatience{2'000};  // until somebody connects again after a final error
constexpr std::uint64_t kLeastInFlight = 1 << 20;

}  // namespace

// Running

void Consumer::tick() {
    if (!up_ || storing_) return;
    switch (phase_) {
        case Phase::idle:
            if (leaving_)
                phase_ = Phase::done;
            else if (now() >= retry_at_)
                ask();
            break;
        case Phase::asking:
            if (now() > deadline_) end_session(kSoon);
            break;
        case Phase::greeting:
        case Phase::first_payment:
            if (now() > deadline_) interrupted();
            break;
        case Phase::running: pay_and_check(); break;
        case Phase::leaving:
            if (now() > deadline_) end_session(kSoon);
            break;
        case Phase::done: break;
    }
}

void Consumer::receive(std::uint64_t connection, Result<pay::Frame> frame) {
    if (!up_ || connection != connection_ || !session_) return;
    if (!frame) return fail();
    if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*frame)) return take_refusal(refusal->code);
    if (const auto* held = std::get_if<pay::ResumeFrame>(&*frame); held && phase_ == Phase::greeting) {
        return resume(*held);
    }
    const bool open = phase_ == Phase::first_payment || phase_ == Phase::running || phase_ == Phase::leaving;
    if (const auto* ack = std::get_if<pay::AckFrame>(&*frame); ack && open) return take_ack(*ack);
    if (std::holds_alternative<pay::ByeFrame>(*frame) && phase_ == Phase::leaving) return end_session(kSoon);
    fail();
}

void Consumer::pay_and_check() {
    auto& session = *session_;
    if (session.waiting_since && now() - *session.waiting_since > kAnswerLimit) return interrupted();
    if (leaving_) {
        const auto owed = session.payer.owed(billable(), connected());
        if (owed || session.signer.has_chain()) return pay_by_voucher(owed.value_or(session.payer.issued_total()));
        return say_goodbye();
    }
    if (now() >= pays_again_) {
        const auto due = session.payer.due(billable(), connected());
        if (!due) return give_up();
        if (session.signer.must_convert()) ++world_.tally.aged;
        if (*due) return pay_ahead(**due);
        if (session.signer.must_convert()) return pay_by_voucher(session.payer.issued_total());
    }
    if (now() - session.last_sent > kHeartbeat && session.last) send_payment();
}

void Consumer::pay_ahead(Amount total) {
    auto& payer = session_->payer;
    auto& signer = session_->signer;
    audit_step(total);
    choose_chunk();
    if (!session_->chunk.choice().ticks) return pay_by_voucher(total);
    pay(signer.by_tick(total, payer.step(), payer.issued_total().plus_saturating(payer.left())));
}

void Consumer::pay_by_voucher(Amount total) {
    pay(session_->signer.by_voucher(total, leaving_ ? total : session_->payer.cap_for(total)));
}

void Consumer::choose_chunk() {
    auto& session = *session_;
    session.chunk.set_voucher_cost(world_.plan.chunk.voucher.processor);
    session.chunk.observe(session.own_count - session.chosen_used, now() - session.chosen_at);
    session.chosen_used = session.own_count;
    session.chosen_at = now();
    const auto bytes = session.chunk.choice().bytes;
    if (bytes != session.payer.terms().chunk_bytes) ++world_.tally.resized;
    session.payer.set_chunk(bytes);
}

void Consumer::pay(const node::Payment& payment) {
    world_.auditor.consumer_signs(payment.proof);
    count(payment);
    storing_ = true;
    auto write = [proof = payment.proof](ConsumerLedger& ledger) { ledger.issued.keep(proof); };
    disk_.write(std::move(write), [this, life = life_, payment, then_bye = leaving_](bool stored) {
        if (life != life_) return;
        storing_ = false;
        if (!stored) return give_up();
        session_->payer.issued(payment.proof.total());
        session_->last = payment;
        forger_.watch(payment.frame);
        send_payment();
        if (failed_) return end_session(kUsersPatience);
        if (then_bye) say_goodbye();
    });
}

void Consumer::count(const node::Payment& payment) const {
    auto& tally = world_.tally;
    const auto& ticks = payment.proof.ticks;
    const auto& before = session_->last;
    world_.note(ticks ? "consumer pays with ticks" : "consumer signs", payment.proof.total());
    if (!ticks || ticks->newest.index == 0) ++tally.vouchers;
    if (!ticks) return;
    world_.note("tick", ticks->newest.index);
    if (ticks->newest.index == 0) {
        ++tally.chains;
        return;
    }
    ++tally.ticks;
    if (before && before->proof.ticks && ticks->newest.index > before->proof.ticks->newest.index + 1) ++tally.leaps;
}

void Consumer::send_payment() {
    auto& session = *session_;
    session.last_sent = now();
    if (!session.waiting_since) session.waiting_since = now();
    const auto& proof = session.last->proof;
    world_.auditor.consumer_sends(proof, disk_.durable().issued.highest(proof.voucher.voucher.epoch));
    world_.send_to_provider(connection_, session.last->frame);
}

void Consumer::say_goodbye() {
    phase_ = Phase::leaving;
    deadline_ = now() + kGoodbyeLimit;
    world_.send_to_provider(connection_, pay::ByeFrame{});
}

void Consumer::audit_step(Amount total) {
    const auto& payer = session_->payer;
    const auto& terms = payer.terms();
    const auto own = session_->own_count;
    const auto tolerance = std::max(terms.tolerance_bytes, own / 100 * terms.tolerance_percent);
    const auto ahead = pay::cost_of(terms.tariff, own + tolerance + terms.chunk_bytes, connected() + terms.time_slice);
    const auto paid = payer.paid().plus_saturating(total.minus_saturating(payer.issued_total()));
    world_.auditor.require(paid <= ahead, "the consumer pays too far ahead of its use");
    const auto& chunk = world_.plan.chunk;
    const auto step = pay::cost_of(terms.tariff, terms.chunk_bytes + terms.tolerance_bytes, terms.time_slice);
    const bool is_least = terms.chunk_bytes == chunk.bounds.least;
    world_.auditor.require(is_least || step.units() <= chunk.risk_limit.minus_saturating(lost()).units() / 4,
                           "a chunk stakes more than a quarter of the risk limit");
    world_.largest_chunk = std::max(world_.largest_chunk, terms.chunk_bytes);
}

void Consumer::take_ack(const pay::AckFrame& ack) {
    auto& session = *session_;
    if (!session.payer.acknowledged(ack.total)) return fail();
    session.waiting_since.reset();
    if (session.payer.acknowledged_total() < session.payer.issued_total()) session.waiting_since = session.last_sent;
    session.peer_count = ack.up + ack.down < ack.up ? ~std::uint64_t{0} : ack.up + ack.down;
    session.served = connected();
    if (!session.payer.check_meter(session.own_count, session.peer_count)) return fail();
    if (phase_ != Phase::first_payment) return;
    phase_ = Phase::running;
    reopened_ = false;
}

void Consumer::take_refusal(pay::RefuseCode code) {
    world_.note("consumer is refused, code", static_cast<std::uint64_t>(code));
    if (storing_) return fail();
    switch (code) {
        case pay::RefuseCode::unknown_session:
        case pay::RefuseCode::session_over:
        case pay::RefuseCode::risk_limit:
        case pay::RefuseCode::storage: return interrupted();
        default: return end_session(kUsersPatience);
    }
}

std::uint64_t Consumer::billable() const {
    return session_->payer.billable(session_->own_count, session_->peer_count);
}

milliseconds Consumer::connected() const {
    return session_->started ? now() - *session_->started : milliseconds(0);
}

Amount Consumer::worth() const {
    const auto own = session_->own_count;
    const auto lost = std::min(session_->peer_count - std::min(own, session_->peer_count), own / 100 * 2);
    return pay::cost_of(world_.plan.tariff, own + lost, session_->served);
}

void Consumer::audit_loss() {
    const auto& chunk = world_.plan.chunk;
    // Time is paid until nobody answers any more, and worth something until the last answer.
    const auto unanswered = pay::cost_of(chunk.tariff, 0, 2 * (kAnswerLimit + kOpenLimit));
    world_.auditor.require(lost() <= chunk.risk_limit.plus_saturating(unanswered),
                           "the consumer loses more than its risk limit");
}

// Opening

void Consumer::ask() {
    const auto& chunk = world_.plan.chunk;
    const auto step = pay::cost_of(chunk.tariff, chunk.bounds.least + chunk.tolerance_bytes, chunk.time_slice);
    if (lost().plus_saturating(step) > chunk.risk_limit) return give_up();
    SessionId id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(world_.random.next());
    asked_ = id;
    phase_ = Phase::asking;
    deadline_ = now() + kRequestLimit;
    world_.post([this, id, created = world_.unix_now() + skew_, life = life_] {
        world_.provider->request(id, created, [this, id, life](auto epoch, std::uint64_t credit_bytes) {
            world_.post([this, id, life, epoch, credit_bytes] {
                if (life == life_) accepted(id, epoch, credit_bytes);
            });
        });
    });
}

void Consumer::accepted(const SessionId& id, std::optional<std::uint32_t> epoch, std::uint64_t credit_bytes) {
    if (!up_ || phase_ != Phase::asking || asked_ != id) return;
    if (!epoch) return end_session(kSoon);
    if (!last_funds_ || last_funds_->epoch != *epoch) last_funds_ = read_funds(*epoch);
    if (!last_funds_) return end_session(kSoon);
    auto chunk = world_.plan.chunk;
    chunk.risk_limit = chunk.risk_limit.minus_saturating(lost());
    pay::PayerTerms terms;
    terms.tariff = chunk.tariff;
    terms.reserve_ahead = world_.plan.reserve_ahead;
    terms.in_flight_bytes = std::min(credit_bytes, std::max(chunk.bounds.least, kLeastInFlight));
    const auto& funds = *last_funds_;
    session_.emplace(Session{id,
                             funds,
                             {terms, funds.issued, funds.spendable},
                             pay::ChunkPolicy(chunk),
                             {{world_.signatures.payer(), world_.signatures.domain(), kProvider, *epoch, id, funds.cap},
                              world_.clock,
                              world_.random}});
    session_->payer.set_chunk(session_->chunk.choice().bytes);
    open_stream();
}

std::optional<node::LaneFunds> Consumer::read_funds(std::uint32_t epoch) const {
    if (now() < chain_back_) return std::nullopt;
    const auto& contract = world_.chain.view(0);
    const auto lane = contract.lane(world_.payer(), kProvider);
    if (lane.epoch != epoch) return std::nullopt;
    node::LaneFunds funds;
    funds.epoch = epoch;
    funds.drawn = lane.paid;
    if (const auto* issued = disk_.durable().issued.find(epoch)) {
        funds.issued = issued->total();
        funds.cap = issued->voucher.voucher.cap;
    }
    funds.spendable = lane.cap.plus_saturating(contract.account(world_.payer()).free).minus_saturating(funds.issued);
    return funds;
}

void Consumer::open_stream() {
    static_assert(kOpenLimit < kAnswerLimit);
    ++connection_;
    session_->waiting_since.reset();
    phase_ = Phase::greeting;
    deadline_ = now() + kOpenLimit;
    world_.send_to_provider(connection_, pay::HelloFrame{session_->id});
}

void Consumer::resume(const pay::ResumeFrame& held) {
    if (!session_->started) session_->started = session_->chosen_at = now();
    if (!adopt(held)) return end_session(kUsersPatience);
    const auto due = session_->payer.due(billable(), connected());
    if (!due) return give_up();
    phase_ = Phase::first_payment;
    deadline_ = now() + kAnswerLimit;
    if (*due) audit_step(**due);
    pay_by_voucher(due->value_or(session_->payer.issued_total()));
}

bool Consumer::adopt(const pay::ResumeFrame& held) {
    auto& session = *session_;
    if (held.epoch != session.funds.epoch) return false;
    const auto proven = verify(held);
    if (!proven) return false;
    if (proven->total > session.payer.issued_total()) {
        ++world_.tally.adoptions;
        if (std::holds_alternative<pay::HeldTicks>(held.held)) ++world_.tally.adopted_ticks;
    }
    world_.auditor.consumer_is_reminded(held.epoch, proven->total);
    session.payer.adopt(proven->total);
    session.signer.remember_cap(proven->cap);
    return session.payer.issued_total() >= session.funds.drawn;
}

std::optional<Consumer::Proven> Consumer::verify(const pay::ResumeFrame& held) const {
    const auto is_ours = [&](const Address& signer, const codec::Voucher& voucher) {
        return signer == world_.payer() && voucher.epoch == held.epoch;
    };
    if (const auto* plain = std::get_if<pay::VoucherFrame>(&held.held)) {
        const auto voucher = plain->with_provider(kProvider);
        if (!is_ours(world_.signatures.recover(voucher), voucher.voucher)) return std::nullopt;
        return Proven{voucher.voucher.total, voucher.voucher.cap};
    }
    if (const auto* ticks = std::get_if<pay::HeldTicks>(&held.held)) {
        const auto voucher = ticks->voucher.with_provider(kProvider);
        if (!is_ours(world_.signatures.recover(voucher), voucher.tick_voucher.voucher)) return std::nullopt;
        auto chain = pay::TickPayee::begin(world_.signatures.domain(), voucher.tick_voucher);
        if (!chain) return std::nullopt;
        const auto owed = chain->take(ticks->newest);
        if (!owed) return std::nullopt;
        return Proven{*owed, voucher.tick_voucher.voucher.cap};
    }
    return Proven{};
}

// Ends

void Consumer::interrupted() {
    if (std::exchange(reopened_, true) || !session_ || leaving_) return end_session(kSoon);
    open_stream();
}

void Consumer::end_session(milliseconds pause) {
    ++connection_;
    ++life_;
    storing_ = failed_ = reopened_ = false;
    if (session_) {
        earlier_paid_ = earlier_paid_.plus_saturating(session_->payer.paid());
        earlier_worth_ = earlier_worth_.plus_saturating(worth());
        audit_loss();
        last_funds_ = node::LaneFunds{session_->funds.epoch, session_->payer.issued_total(), session_->signer.cap(),
                                      session_->funds.drawn, session_->payer.left()};
        session_.reset();
    }
    phase_ = leaving_ ? Phase::done : Phase::idle;
    retry_at_ = now() + pause;
}

void Consumer::fail() {
    if (storing_)
        failed_ = true;
    else
        end_session(kUsersPatience);
}

void Consumer::give_up() {
    end_session(kUsersPatience);
    phase_ = Phase::done;
}

void Consumer::leave() {
    leaving_ = true;
    if (phase_ == Phase::idle || phase_ == Phase::asking) phase_ = Phase::done;
}

void Consumer::come_back() {
    if (phase_ != Phase::done || leaving_) return;
    earlier_paid_ = earlier_worth_ = {};
    last_funds_.reset();
    phase_ = Phase::idle;
}

void Consumer::carried(const SessionId& session, std::uint64_t bytes) {
    if (up_ && session_ && session_->id == session) session_->own_count += bytes;
}

void Consumer::crash() {
    ++life_;
    ++connection_;
    up_ = storing_ = failed_ = reopened_ = false;
    session_.reset();
    last_funds_.reset();
    earlier_paid_ = earlier_worth_ = {};
    phase_ = Phase::idle;
    disk_.crash();
}

void Consumer::start(std::optional<ConsumerLedger> backup) {
    if (backup) {
        disk_.restore(std::move(*backup));
        world_.auditor.consumer_forgets();
    }
    up_ = true;
    retry_at_ = now();
}

void Consumer::forge() {
    if (phase_ != Phase::running || storing_) return;
    const auto epoch = session_->funds.epoch;
    const auto total = session_->payer.issued_total();
    ++world_.tally.forgeries;
    world_.note("consumer forges");
    const auto kind = world_.random.below(3);
    if (kind == 0) return world_.send_to_provider(connection_, forger_.voucher(epoch, total));
    ++world_.tally.forged_ticks;
    if (kind == 1) return world_.send_to_provider(connection_, forger_.tick_voucher(epoch, total));
    world_.send_to_provider(connection_, forger_.tick());
}

void Consumer::flood() {
    if (phase_ != Phase::running || storing_) return;
    world_.note("consumer sends wrong ticks");
    for (unsigned i = 0; i <= pay::kMaxWrongTicks; ++i) {
        ++connection_;
        world_.send_to_provider(connection_, pay::HelloFrame{session_->id});
        world_.send_to_provider(connection_, forger_.junk());
    }
}

}  // namespace myst::sim
