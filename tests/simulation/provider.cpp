#include "provider.hpp"

#include "consumer.hpp"
#include "myst/node/exit_payment.hpp"

namespace myst::sim {
namespace {

constexpr seconds kMaxRequestAge{120};
constexpr std::uint32_t kAnyRate = 1'000'000;  // how fast a stream is read is not simulated
constexpr milliseconds kCoverageAge{1'000};
constexpr milliseconds kSilenceLimit{60'000};
constexpr milliseconds kOpenLimit{30'000};
constexpr milliseconds kSaveInterval{2'000};
constexpr milliseconds kLookInterval{20'000};  // at everything that is held
constexpr std::size_t kConfirmations = 5;      // more than any reorganisation takes away
constexpr std::uint64_t kPacketSlack = 64 << 10;

}  // namespace

Amount ProviderLedger::unpaid() const {
    Amount cost;
    Amount paid;
    for (const auto& [id, session] : sessions) {
        cost = cost.plus_saturating(session.cost);
        paid = paid.plus_saturating(session.paid);
    }
    return cost.minus_saturating(paid);
}

// Admission

void Provider::request(const SessionId& id, UnixTime created, const Answer& answer) {
    if (!up_) return;
    const auto refused = [&] { answer(std::nullopt, 0); };
    const auto age = world_.unix_now() + skew_ - created;
    if (age > kMaxRequestAge || -age > kMaxRequestAge) return refused();
    if (!disk_.is_usable() || !sees_chain() || disk_.durable().sessions.contains(id)) return refused();
    if (session_) {
        if (session_->exit.id == id) return;
        end_session();
        return refused();  // what it used and paid must be on disk first
    }
    if (!disk_.is_idle()) return refused();
    const auto& contract = world_.chain.head();
    const auto lane = contract.lane(world_.payer(), kProvider);
    const auto account = contract.account(world_.payer());
    const auto& held = disk_.durable().held;
    if (!held.all().empty() && held.all().rbegin()->first > lane.epoch) return refused();
    if (lane.release_at != UnixTime{}) return refused();
    const auto base = std::max(lane.paid, held.highest(lane.epoch));
    if (lane.cap.plus_saturating(account.free).minus_saturating(base).is_zero()) return refused();
    pay::PayeeTerms terms;
    terms.tariff = world_.plan.tariff;
    terms.credit_bytes = world_.plan.credit_bytes;
    terms.debt = disk_.durable().unpaid();
    terms.risk_limit = world_.plan.payee_risk;
    terms.settle_trigger = world_.plan.payee_trigger;
    session_.emplace(Session{{id,
                              {},
                              {},
                              {terms, world_.payer(), kProvider, lane.epoch, base},
                              {},
                              TokenBucket(kAnyRate, kAnyRate, world_.clock.now())},
                             base});
    session_->exit.last_frame = session_->exit.saved = world_.clock.now();
    refresh_coverage();
    world_.gate = {id, 0, 0};
    world_.note("provider admits, epoch", lane.epoch);
    answer(lane.epoch, terms.credit_bytes);
}

// The payment stream

void Provider::receive(std::uint64_t connection, Result<pay::Frame> frame) {
    if (!up_ || !session_) return;
    auto& exit = session_->exit;
    if (frame && std::holds_alternative<pay::HelloFrame>(*frame) && connection > exit.stream) {
        return greet(connection, std::get<pay::HelloFrame>(*frame));
    }
    if (connection != exit.stream || session_->refused) return;
    if (!frame) return refuse(pay::RefuseCode::malformed);
    exit.last_frame = world_.clock.now();
    const bool is_payment = std::holds_alternative<pay::VoucherFrame>(*frame) ||
                            std::holds_alternative<pay::TickVoucherFrame>(*frame) ||
                            std::holds_alternative<pay::TickFrame>(*frame);
    if (is_payment) return take_payment(*frame);
    if (!std::holds_alternative<pay::ByeFrame>(*frame)) return refuse(pay::RefuseCode::malformed);
    acknowledge();
    world_.send_to_consumer(connection, pay::ByeFrame{});
    end_session();
}

void Provider::greet(std::uint64_t connection, const pay::HelloFrame& hello) {
    auto& exit = session_->exit;
    if (hello.session != exit.id) {
        return world_.send_to_consumer(connection, pay::RefuseFrame{pay::RefuseCode::unknown_session, ""});
    }
    exit.stream = connection;
    session_->refused = false;
    exit.last_frame = world_.clock.now();
    if (!exit.opened) exit.opened = exit.last_frame;
    pay::ResumeFrame resume;
    resume.epoch = exit.payee.epoch();
    if (const auto* held = disk_.durable().held.find(resume.epoch)) {
        if (const auto voucher = held->tick_voucher())
            resume.held = pay::HeldTicks{pay::TickVoucherFrame::of(*voucher), held->ticks->newest};
        else
            resume.held = pay::VoucherFrame::of(held->voucher);
    }
    update_gate();
    world_.send_to_consumer(connection, resume);
}

void Provider::take_payment(const pay::Frame& frame) {
    auto& exit = session_->exit;
    if (world_.clock.now() - exit.coverage_at > kCoverageAge) refresh_coverage();
    const auto proof = node::judge(exit, frame, world_.signatures.domain(), kProvider);
    if (proof) return *proof ? store(**proof) : acknowledge();
    if (proof.error() == pay::RefuseCode::risk_limit) wants_to_settle_ = true;
    if (proof.error() == pay::RefuseCode::wrong_tick) ++world_.tally.refused_ticks;
    refuse(proof.error());
    if (exit.payee.too_many_wrong_ticks()) {
        ++world_.tally.floods;
        return end_session();
    }
    if (!exit.payee.is_covered(exit.coverage)) end_session();
}

void Provider::store(const ports::HeldVoucher& proof) {
    auto& exit = session_->exit;
    ++exit.storing;
    const auto more = proof.total().minus_saturating(exit.payee.total());
    auto keep = [proof](ProviderLedger& ledger) { ledger.held.keep(proof); };
    save(more, std::move(keep), [this, id = exit.id, proof](bool stored) {
        if (!session_ || session_->exit.id != id) return;
        --session_->exit.storing;
        if (!stored) return refuse(pay::RefuseCode::storage);
        credit(proof);
        acknowledge();
    });
}

void Provider::credit(const ports::HeldVoucher& proof) {
    auto& exit = session_->exit;
    const auto before = exit.payee.total();
    node::credit(exit, proof, world_.signatures.domain());
    world_.auditor.provider_credits(proof, before, exit.payee.total());
    if (exit.payee.total() > before) {
        ++world_.tally.credited;
        if (proof.ticks && proof.ticks->newest.index > 0) ++world_.tally.credited_ticks;
    }
    if (exit.payee.should_settle(exit.coverage)) wants_to_settle_ = true;
}

void Provider::acknowledge() {
    auto& exit = session_->exit;
    update_gate();
    const auto total = exit.payee.total();
    const auto counted = world_.gate.passed + world_.gate.passed / 1000 * world_.plan.meter_excess;
    if (total > session_->base) {
        const auto epoch = exit.payee.epoch();
        world_.auditor.provider_acknowledges(epoch, total, disk_.durable().held.highest(epoch));
    }
    world_.note("provider acknowledges", total);
    world_.send_to_consumer(exit.stream, pay::AckFrame{total, 0, counted, world_.gate.allowance});
}

void Provider::refuse(pay::RefuseCode code) {
    ++world_.tally.refused;
    world_.note("provider refuses, code", static_cast<std::uint64_t>(code));
    world_.send_to_consumer(session_->exit.stream, pay::RefuseFrame{code, ""});
    session_->refused = true;
}

void Provider::refresh_coverage() {
    if (!sees_chain()) return;
    auto& exit = session_->exit;
    const auto& contract = world_.chain.head();
    exit.coverage = node::coverage_of(contract.lane(world_.payer(), kProvider), contract.account(world_.payer()));
    exit.coverage_at = world_.clock.now();
    if (exit.coverage.leaving) wants_to_settle_ = true;
}

// Gate, meter, ends

void Provider::update_gate() {
    if (!up_ || !session_ || !session_->exit.opened) return;
    world_.gate.allowance = session_->exit.payee.allowance(connected());
}

void Provider::audit_disk() {
    for (const auto& [epoch, proof] : disk_.durable().held.all()) world_.auditor.provider_holds(epoch, proof.total());
}

void Provider::audit_traffic() {
    if (!session_ || !session_->exit.opened || world_.gate.session != session_->exit.id) return;
    auto& session = *session_;
    const auto& payee = session.exit.payee;
    const auto& tariff = world_.plan.tariff;
    session.taken = pay::cost_of(tariff, world_.gate.passed, connected());
    const auto signed_here = world_.auditor.highest_signed(payee.epoch()).minus_saturating(session.base);
    const auto credit = pay::cost_of(tariff, world_.plan.credit_bytes, payee.terms().time_credit);
    const auto slack = pay::cost_of(tariff, kPacketSlack, milliseconds(0));
    world_.auditor.require(session.taken <= signed_here.plus_saturating(credit).plus_saturating(slack),
                           "a session carries more than was paid for it and the credit");
    if (restored_) return;  // who restores an old copy may have to believe old vouchers twice
    // A crash forgets what was metered since the last write: what was paid ahead for it, and the credit.
    const auto step = pay::cost_of(tariff, world_.largest_chunk + pay::kMeterTolerance, world_.plan.chunk.time_slice);
    const auto forgotten = Amount::from_wide(credit.plus_saturating(step).units() * forgot_).value_or(Amount::max());
    const auto paid_for = world_.auditor.signed_in_all().plus_saturating(credit).plus_saturating(forgotten);
    world_.auditor.require(taken_before_.plus_saturating(session.taken) <= paid_for.plus_saturating(slack),
                           "all sessions together carry more than was paid for them and one credit");
}

void Provider::tick() {
    if (!up_) return;
    const auto time = world_.clock.now();
    if (session_) {
        const auto limit = session_->exit.opened ? kSilenceLimit : kOpenLimit;
        if (time - session_->exit.last_frame > limit) end_session();
    }
    if (session_ && session_->exit.opened && time - session_->exit.saved > kSaveInterval) save({}, {}, {});
    if (now() - looked_ > kLookInterval) {
        looked_ = now();
        wants_to_settle_ = true;
    }
    if (sees_chain()) work_outbox();
}

void Provider::save(Amount extra_paid, Disk<ProviderLedger>::Write also, Disk<ProviderLedger>::Done done) {
    read_meter();
    auto& exit = session_->exit;
    exit.saved = world_.clock.now();
    auto record = exit.record(world_.clock, kProvider, {});
    record.paid = record.paid.plus_saturating(extra_paid);
    auto write = [record, also = std::move(also)](ProviderLedger& ledger) {
        ledger.sessions[record.id] = record;
        if (also) also(ledger);
    };
    disk_.write(std::move(write), [done = std::move(done)](bool stored) {
        if (done) done(stored);
    });
}

void Provider::end_session() {
    if (session_->exit.opened) save({}, {}, {});
    taken_before_ = taken_before_.plus_saturating(session_->taken);
    session_.reset();
    world_.gate = {};
    wants_to_settle_ = true;
    world_.note("provider ends a session");
}

// Settling

std::optional<node::UnsettledVoucher> Provider::unsettled() const {
    const auto& contract = world_.chain.head();
    const auto lane = contract.lane(world_.payer(), kProvider);
    const auto* held = disk_.durable().held.find(lane.epoch);
    if (held == nullptr) return std::nullopt;
    node::UnsettledVoucher voucher{*held, lane, contract.account(world_.payer())};
    if (voucher.gain().is_zero()) return std::nullopt;
    return voucher;
}

bool Provider::is_settled() const {
    return !disk_.durable().outbox && !unsettled();
}

void Provider::settle() {
    const auto voucher = unsettled();
    if (!voucher || !disk_.is_usable()) return;
    const Transaction transaction{world_.chain.fresh_id(), [held = voucher->held](LanesModel& lanes, UnixTime) {
                                      if (const auto ticked = held.tick_voucher())
                                          lanes.settle_ticks(kProvider,
                                                             {codec::settle_ticks_item(*ticked, held.ticks->newest)});
                                      else
                                          lanes.settle(kProvider, {codec::settle_item(held.voucher)});
                                  }};
    storing_intent_ = true;
    auto write = [transaction](ProviderLedger& ledger) { ledger.outbox = transaction; };
    disk_.write(std::move(write), [this](bool) { storing_intent_ = false; });
    ++world_.tally.settlements;
    if (voucher->held.ticks) ++world_.tally.settled_ticks;
}

void Provider::work_outbox() {
    const auto& outbox = disk_.durable().outbox;
    if (storing_intent_) return;
    if (!outbox) {
        if (std::exchange(wants_to_settle_, false)) settle();
        return;
    }
    if (world_.chain.confirmations(outbox->id) < kConfirmations) return world_.chain.submit(*outbox);
    if (!disk_.is_usable()) return;
    storing_intent_ = true;
    auto write = [](ProviderLedger& ledger) { ledger.outbox.reset(); };
    disk_.write(std::move(write), [this](bool) { storing_intent_ = false; });
}

void Provider::release() {
    if (!up_ || session_ || !sees_chain() || disk_.durable().outbox || unsettled()) return;
    const auto payer = world_.payer();
    world_.chain.submit({world_.chain.fresh_id(), [payer](LanesModel& lanes, UnixTime time) {
                             lanes.release(kProvider, payer, kProvider, time);
                         }});
    ++world_.tally.new_epochs;
}

// Crashes

void Provider::crash() {
    ++forgot_;
    up_ = storing_intent_ = wants_to_settle_ = false;
    if (session_) taken_before_ = taken_before_.plus_saturating(session_->taken);
    session_.reset();
    world_.gate = {};
    disk_.crash();
}

void Provider::start(std::optional<ProviderLedger> backup) {
    if (backup) {
        disk_.restore(std::move(*backup));
        world_.auditor.provider_forgets();
        restored_ = true;
    }
    up_ = true;
    looked_ = now();
    wants_to_settle_ = true;
}

}  // namespace myst::sim
