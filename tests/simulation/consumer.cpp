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

/// The other signature over the same digest by the same key: n − s, and R with the other parity.
crypto::CompactSignature high_s(crypto::CompactSignature signature) {
    static const Hash32 order = *Hash32::parse("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    const auto s = signature.s();
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
        const int digit = order.bytes[i] - s.bytes[i] - borrow;
        borrow = digit < 0 ? 1 : 0;
        signature.vs.bytes[i] = static_cast<std::uint8_t>(digit & 0xff);
    }
    return signature;
}

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
        if (const auto owed = session.payer.owed(billable(), connected())) return pay_up_to(*owed, true);
        phase_ = Phase::leaving;
        deadline_ = now() + kGoodbyeLimit;
        return world_.send_to_provider(connection_, pay::ByeFrame{});
    }
    if (now() >= pays_again_) {
        const auto due = session.payer.due(billable(), connected());
        if (!due) return give_up();
        if (*due) return pay_up_to(**due);
    }
    if (now() - session.last_sent > kHeartbeat && session.last_voucher) send_voucher();
}

void Consumer::pay_up_to(Amount total, bool then_bye) {
    auto& session = *session_;
    const codec::Voucher voucher{kProvider, session.funds.epoch, total, total};
    world_.auditor.consumer_signs(voucher.epoch, total);
    const auto signed_voucher = world_.signatures.sign(voucher);
    ++world_.tally.vouchers;
    world_.note("consumer signs", total);
    storing_ = true;
    auto write = [signed_voucher](ConsumerLedger& ledger) {
        ledger.issued[signed_voucher.voucher.epoch] = signed_voucher;
    };
    disk_.write(std::move(write), [this, life = life_, signed_voucher, then_bye](bool stored) {
        if (life != life_) return;
        storing_ = false;
        if (!stored) return give_up();
        session_->payer.issued(signed_voucher.voucher.total);
        session_->last_voucher = signed_voucher;
        audit_payment();
        send_voucher();
        if (failed_) return end_session(kUsersPatience);
        if (!then_bye) return;
        phase_ = Phase::leaving;
        deadline_ = now() + kGoodbyeLimit;
        world_.send_to_provider(connection_, pay::ByeFrame{});
    });
}

void Consumer::audit_payment() {
    const auto& terms = session_->payer.terms();
    const auto own = session_->own_count;
    const auto tolerance = std::max(terms.tolerance_bytes, own / 100 * terms.tolerance_percent);
    const auto ahead = pay::cost_of(terms.tariff, own + tolerance + terms.chunk_bytes, connected() + terms.time_slice);
    world_.auditor.require(session_->payer.paid() <= ahead, "the consumer pays too far ahead of its use");
}

void Consumer::send_voucher() {
    session_->last_sent = now();
    if (!session_->waiting_since) session_->waiting_since = now();
    const auto& voucher = session_->last_voucher->voucher;
    world_.auditor.consumer_sends(voucher.epoch, voucher.total, disk_.durable().highest(voucher.epoch));
    world_.send_to_provider(connection_, pay::VoucherFrame::of(*session_->last_voucher));
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

// Opening

void Consumer::ask() {
    const auto step = pay::cost_of(world_.plan.tariff, world_.plan.chunk_bytes + pay::PayerTerms{}.tolerance_bytes,
                                   pay::PayerTerms{}.time_slice);
    const auto lost = earlier_paid_.minus_saturating(earlier_worth_);
    if (lost.plus_saturating(step) > world_.plan.payer_risk) return give_up();
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
    pay::PayerTerms terms;
    terms.tariff = world_.plan.tariff;
    terms.chunk_bytes = world_.plan.chunk_bytes;
    terms.in_flight_bytes = std::min(credit_bytes, std::max(terms.chunk_bytes, kLeastInFlight));
    session_.emplace(
        Session{id, *last_funds_, {terms, last_funds_->issued, last_funds_->spendable}, {}, {}, {}, {}, 0, 0, {}});
    open_stream();
}

std::optional<Consumer::Funds> Consumer::read_funds(std::uint32_t epoch) const {
    if (now() < chain_back_) return std::nullopt;
    const auto& contract = world_.chain.view(0);
    const auto lane = contract.lane(world_.payer(), kProvider);
    if (lane.epoch != epoch) return std::nullopt;
    Funds funds;
    funds.epoch = epoch;
    funds.drawn = lane.paid;
    funds.issued = disk_.durable().highest(epoch);
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
    if (!session_->started) session_->started = now();
    if (!adopt(held)) return end_session(kUsersPatience);
    const auto due = session_->payer.due(billable(), connected());
    if (!due) return give_up();
    phase_ = Phase::first_payment;
    deadline_ = now() + kAnswerLimit;
    pay_up_to(due->value_or(session_->payer.issued_total()));
}

bool Consumer::adopt(const pay::ResumeFrame& held) {
    auto& session = *session_;
    if (held.epoch != session.funds.epoch) return false;
    if (const auto* frame = std::get_if<pay::VoucherFrame>(&held.held)) {
        const auto voucher = frame->with_provider(kProvider);
        if (world_.signatures.recover(voucher) != world_.payer() || voucher.voucher.epoch != held.epoch) return false;
        if (voucher.voucher.total > session.payer.issued_total()) ++world_.tally.adoptions;
        world_.auditor.consumer_is_reminded(held.epoch, voucher.voucher.total);
        session.payer.adopt(voucher.voucher.total);
    }
    return session.payer.issued_total() >= session.funds.drawn;
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
        last_funds_ =
            Funds{session_->funds.epoch, session_->payer.issued_total(), session_->funds.drawn, session_->payer.left()};
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
    const auto held = session_->payer.issued_total();
    const auto more = held.plus_saturating(Amount(1'000));
    const codec::Voucher honest{kProvider, session_->funds.epoch, more, more};
    const auto kind = world_.random.below(7);
    auto voucher = honest;
    if (kind == 0) ++voucher.epoch;
    if (kind == 1) voucher.cap = held;
    if (kind == 2) voucher.provider = kRival;
    auto forged = world_.signatures.sign(voucher);
    if (kind == 3) forged = codec::sign_voucher(world_.signatures.domain(), honest, fixed_key(9));
    if (kind == 4) forged.voucher.total = forged.voucher.cap = more.plus_saturating(Amount(1));
    if (kind == 5) forged.signature.vs.bytes[0] ^= 0x80;
    if (kind == 6) forged.signature = high_s(forged.signature);
    ++world_.tally.forgeries;
    world_.note("consumer forges, kind", kind);
    world_.send_to_provider(connection_, pay::VoucherFrame::of(forged));
}

}  // namespace myst::sim
