#include "provider.hpp"

#include "consumer.hpp"

namespace myst::sim {
namespace {

constexpr seconds kMaxRequestAge{120};
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
        if (session_->id == id) return;
        end_session();
        return refused();  // what it used and paid must be on disk first
    }
    if (!disk_.is_idle()) return refused();
    const auto& contract = world_.chain.head();
    const auto lane = contract.lane(world_.payer(), kProvider);
    const auto account = contract.account(world_.payer());
    const auto& held = disk_.durable().held;
    if (!held.empty() && held.rbegin()->first > lane.epoch) return refused();
    if (lane.release_at != UnixTime{}) return refused();
    const auto base = std::max(lane.paid, disk_.durable().highest(lane.epoch));
    if (lane.cap.plus_saturating(account.free).minus_saturating(base).is_zero()) return refused();
    pay::PayeeTerms terms;
    terms.tariff = world_.plan.tariff;
    terms.credit_bytes = world_.plan.credit_bytes;
    terms.debt = disk_.durable().unpaid();
    terms.risk_limit = world_.plan.payee_risk;
    session_.emplace(
        Session{id, {terms, world_.payer(), kProvider, lane.epoch, base}, {}, {}, {}, now(), now(), 0, 0, {}, base});
    refresh_coverage();
    world_.gate = {id, 0, 0};
    world_.note("provider admits, epoch", lane.epoch);
    answer(lane.epoch, terms.credit_bytes);
}

// The payment stream

void Provider::receive(std::uint64_t connection, Result<pay::Frame> frame) {
    if (!up_ || !session_) return;
    if (frame && std::holds_alternative<pay::HelloFrame>(*frame) && connection > session_->connection) {
        return greet(connection, std::get<pay::HelloFrame>(*frame));
    }
    if (connection != session_->connection) return;
    if (!frame) return refuse(pay::RefuseCode::malformed);
    session_->last_frame = now();
    if (const auto* voucher = std::get_if<pay::VoucherFrame>(&*frame)) return take_voucher(*voucher);
    if (!std::holds_alternative<pay::ByeFrame>(*frame)) return refuse(pay::RefuseCode::malformed);
    acknowledge();
    world_.send_to_consumer(connection, pay::ByeFrame{});
    end_session();
}

void Provider::greet(std::uint64_t connection, const pay::HelloFrame& hello) {
    auto& session = *session_;
    if (hello.session != session.id) {
        return world_.send_to_consumer(connection, pay::RefuseFrame{pay::RefuseCode::unknown_session, ""});
    }
    session.connection = connection;
    session.last_frame = now();
    if (!session.opened) session.opened = now();
    pay::ResumeFrame resume;
    resume.epoch = session.payee.epoch();
    const auto held = disk_.durable().held.find(resume.epoch);
    if (held != disk_.durable().held.end()) resume.held = pay::VoucherFrame::of(held->second);
    update_gate();
    world_.send_to_consumer(connection, resume);
}

void Provider::take_voucher(const pay::VoucherFrame& frame) {
    auto& session = *session_;
    const auto voucher = frame.with_provider(kProvider);
    const auto signer = world_.signatures.recover(voucher);
    if (now() - session.coverage_at > kCoverageAge) refresh_coverage();
    const auto verdict = session.payee.examine(voucher, signer, session.coverage);
    if (!verdict) {
        if (verdict.error() == pay::RefuseCode::risk_limit) wants_to_settle_ = true;
        refuse(verdict.error());
        if (session.coverage.epoch != session.payee.epoch()) end_session();
        return;
    }
    if (*verdict == pay::Verdict::repeat) return acknowledge();
    store(voucher);
}

void Provider::store(const codec::SignedVoucher& voucher) {
    auto& session = *session_;
    ++session.storing;
    const auto more = voucher.voucher.total.minus_saturating(session.payee.total());
    auto keep = [voucher](ProviderLedger& ledger) {
        const auto epoch = voucher.voucher.epoch;
        if (voucher.voucher.total > ledger.highest(epoch)) ledger.held[epoch] = voucher;
    };
    save(more, std::move(keep), [this, id = session.id, voucher](bool stored) {
        if (!session_ || session_->id != id) return;
        --session_->storing;
        if (!stored) return refuse(pay::RefuseCode::storage);
        if (voucher.voucher.total > session_->payee.total()) {
            session_->payee.credit(voucher.voucher.total);
            ++world_.tally.credited;
        }
        if (session_->payee.should_settle(session_->coverage)) wants_to_settle_ = true;
        acknowledge();
    });
}

void Provider::acknowledge() {
    auto& session = *session_;
    update_gate();
    const auto total = session.payee.total();
    const auto counted = world_.gate.passed + world_.gate.passed / 1000 * world_.plan.meter_excess;
    if (total > session.base) {
        const auto epoch = session.payee.epoch();
        world_.auditor.provider_acknowledges(epoch, total, disk_.durable().highest(epoch));
    }
    world_.note("provider acknowledges", total);
    world_.send_to_consumer(session.connection, pay::AckFrame{total, 0, counted, world_.gate.allowance});
}

void Provider::refuse(pay::RefuseCode code) {
    ++world_.tally.refused;
    world_.note("provider refuses, code", static_cast<std::uint64_t>(code));
    world_.send_to_consumer(session_->connection, pay::RefuseFrame{code, ""});
}

void Provider::refresh_coverage() {
    if (!sees_chain()) return;
    const auto& contract = world_.chain.head();
    const auto lane = contract.lane(world_.payer(), kProvider);
    const auto account = contract.account(world_.payer());
    const bool leaving = lane.release_at != UnixTime{} || !account.exiting.is_zero();
    session_->coverage = {lane.cap, account.free, lane.epoch, leaving};
    session_->coverage_at = now();
    if (leaving) wants_to_settle_ = true;
}

// Gate, meter, ends

milliseconds Provider::connected() const {
    return session_->opened ? now() - *session_->opened : milliseconds(0);
}

void Provider::update_gate() {
    if (up_ && session_ && session_->opened) world_.gate.allowance = session_->payee.allowance(connected());
}

void Provider::audit_disk() {
    for (const auto& [epoch, voucher] : disk_.durable().held) {
        world_.auditor.provider_holds(epoch, voucher.voucher.total);
    }
}

void Provider::audit_traffic() {
    if (!session_ || !session_->opened || world_.gate.session != session_->id) return;
    auto& session = *session_;
    const auto& tariff = world_.plan.tariff;
    session.taken = pay::cost_of(tariff, world_.gate.passed, connected());
    const auto signed_here = world_.auditor.highest_signed(session.payee.epoch()).minus_saturating(session.base);
    const auto credit = pay::cost_of(tariff, world_.plan.credit_bytes, session.payee.terms().time_credit);
    const auto slack = pay::cost_of(tariff, kPacketSlack, milliseconds(0));
    world_.auditor.require(session.taken <= signed_here.plus_saturating(credit).plus_saturating(slack),
                           "a session carries more than was paid for it and the credit");
    if (restored_) return;  // who restores an old copy may have to believe old vouchers twice
    // A crash forgets what was metered since the last write: what was paid ahead for it, and the credit.
    const auto step =
        pay::cost_of(tariff, world_.plan.chunk_bytes + pay::kMeterTolerance, pay::PayerTerms{}.time_slice);
    const auto forgotten = Amount::from_wide(credit.plus_saturating(step).units() * forgot_).value_or(Amount::max());
    const auto paid_for = world_.auditor.signed_in_all().plus_saturating(credit).plus_saturating(forgotten);
    world_.auditor.require(taken_before_.plus_saturating(session.taken) <= paid_for.plus_saturating(slack),
                           "all sessions together carry more than was paid for them and one credit");
}

void Provider::tick() {
    if (!up_) return;
    if (session_) {
        const auto limit = session_->opened ? kSilenceLimit : kOpenLimit;
        if (now() - session_->last_frame > limit) end_session();
    }
    if (session_ && session_->opened && now() - session_->saved > kSaveInterval) save({}, {}, {});
    if (now() - looked_ > kLookInterval) {
        looked_ = now();
        wants_to_settle_ = true;
    }
    if (sees_chain()) work_outbox();
}

void Provider::save(Amount extra_paid, Disk<ProviderLedger>::Write also, Disk<ProviderLedger>::Done done) {
    auto& session = *session_;
    session.saved = now();
    const ProviderLedger::Session record{pay::cost_of(world_.plan.tariff, world_.gate.passed, connected()),
                                         session.payee.paid().plus_saturating(extra_paid)};
    auto write = [id = session.id, record, also = std::move(also)](ProviderLedger& ledger) {
        ledger.sessions[id] = record;
        if (also) also(ledger);
    };
    disk_.write(std::move(write), [done = std::move(done)](bool stored) {
        if (done) done(stored);
    });
}

void Provider::end_session() {
    if (session_->opened) save({}, {}, {});
    taken_before_ = taken_before_.plus_saturating(session_->taken);
    session_.reset();
    world_.gate = {};
    wants_to_settle_ = true;
    world_.note("provider ends a session");
}

// Settling

Amount Provider::gain(const LanesModel& contract) const {
    const auto lane = contract.lane(world_.payer(), kProvider);
    const auto account = contract.account(world_.payer());
    const auto covered = lane.cap.plus_saturating(account.free).plus_saturating(account.exiting);
    return std::min(disk_.durable().highest(lane.epoch), covered).minus_saturating(lane.paid);
}

bool Provider::is_settled() const {
    return !disk_.durable().outbox && gain(world_.chain.head()).is_zero();
}

void Provider::settle() {
    const auto& contract = world_.chain.head();
    if (!disk_.is_usable() || gain(contract).is_zero()) return;
    const auto epoch = contract.lane(world_.payer(), kProvider).epoch;
    const auto item = codec::settle_item(disk_.durable().held.at(epoch));
    const Transaction transaction{world_.chain.fresh_id(), [item](LanesModel& lanes, UnixTime) {
                                      std::ignore = lanes.settle(kProvider, {item});
                                  }};
    storing_intent_ = true;
    auto write = [transaction](ProviderLedger& ledger) { ledger.outbox = transaction; };
    disk_.write(std::move(write), [this](bool) { storing_intent_ = false; });
    ++world_.tally.settlements;
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
    if (!up_ || session_ || !sees_chain() || disk_.durable().outbox || !gain(world_.chain.head()).is_zero()) return;
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
