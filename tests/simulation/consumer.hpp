// The simulated consumer: pay::PayerSession, pay::ChunkPolicy and node::PaymentSigner, driven as node/paid_session.cpp
// and node/consumer.cpp drive them.
#pragma once

#include "forger.hpp"
#include "myst/node/lane_funds.hpp"
#include "myst/node/payment_signer.hpp"
#include "world.hpp"

namespace myst::sim {

/// What the consumer's disk holds.
struct ConsumerLedger {
    ProofsByEpoch issued;
};

class Consumer {
public:
    explicit Consumer(World& world)
        : world_(world), disk_(world.engine, world.random), forger_(world.signatures, world.random) {}

    void tick();
    void receive(std::uint64_t connection, Result<pay::Frame> frame);
    void crash();
    void start(std::optional<ConsumerLedger> backup);
    /// The user has enough: pays what was used and says good-bye.
    void leave();
    void stop_paying_until(milliseconds when) { pays_again_ = when; }
    /// Sends a payment that no honest consumer would.
    void forge();
    /// Sends wrong ticks, each on a stream of its own, until the provider has enough.
    void flood();
    /// Bytes of a session have come through the tunnel.
    void carried(const SessionId& session, std::uint64_t bytes);
    /// Connects again after having given up.
    void come_back();

    [[nodiscard]] bool is_up() const { return up_; }
    [[nodiscard]] bool is_gone() const { return !up_ || phase_ == Phase::done; }
    [[nodiscard]] bool has_chain() const { return session_ && session_->signer.has_chain(); }
    [[nodiscard]] Disk<ConsumerLedger>& disk() { return disk_; }
    void set_skew(seconds skew) { skew_ = skew; }
    void lose_chain_until(milliseconds when) { chain_back_ = when; }

private:
    enum class Phase { idle, asking, greeting, first_payment, running, leaving, done };
    struct Session {
        SessionId id;
        node::LaneFunds funds;
        pay::PayerSession payer;
        pay::ChunkPolicy chunk;
        node::PaymentSigner signer;
        std::optional<milliseconds> started{};
        std::optional<milliseconds> waiting_since{};
        milliseconds last_sent{0};
        milliseconds served{0};
        std::uint64_t own_count = 0;
        std::uint64_t peer_count = 0;
        std::optional<node::Payment> last{};
        milliseconds chosen_at{0};  ///< when the chunk was chosen last
        std::uint64_t chosen_used = 0;
    };
    /// What a payment of ours lets the provider draw, and reserve.
    struct Proven {
        Amount total;
        Amount cap;
    };

    void ask();
    void accepted(const SessionId& id, std::optional<std::uint32_t> epoch, std::uint64_t credit_bytes);
    [[nodiscard]] std::optional<node::LaneFunds> read_funds(std::uint32_t epoch) const;
    void open_stream();
    void resume(const pay::ResumeFrame& held);
    [[nodiscard]] bool adopt(const pay::ResumeFrame& held);
    [[nodiscard]] std::optional<Proven> verify(const pay::ResumeFrame& held) const;
    void pay_and_check();
    void pay_ahead(Amount total);
    void pay_by_voucher(Amount total);
    void choose_chunk();
    void pay(const node::Payment& payment);
    void count(const node::Payment& payment) const;
    void send_payment();
    void say_goodbye();
    void take_ack(const pay::AckFrame& ack);
    void take_refusal(pay::RefuseCode code);
    void interrupted();
    void end_session(milliseconds pause);
    void give_up();
    /// Ends the session, once a payment that is being stored is out.
    void fail();
    /// A step of the present chunk is paid by bringing the lane to `total`.
    void audit_step(Amount total);
    void audit_loss();
    [[nodiscard]] Amount lost() const { return earlier_paid_.minus_saturating(earlier_worth_); }
    [[nodiscard]] std::uint64_t billable() const;
    [[nodiscard]] milliseconds connected() const;
    [[nodiscard]] Amount worth() const;
    [[nodiscard]] milliseconds now() const { return world_.engine.now(); }

    World& world_;
    Disk<ConsumerLedger> disk_;
    Forger forger_;
    bool up_ = true;
    Phase phase_ = Phase::idle;
    std::uint64_t life_ = 0;  ///< answers to what an earlier session asked for are not heard
    std::uint64_t connection_ = 0;
    milliseconds deadline_{0};
    milliseconds retry_at_{0};
    std::optional<SessionId> asked_;
    std::optional<Session> session_;
    std::optional<node::LaneFunds> last_funds_;
    bool storing_ = false;
    bool failed_ = false;  ///< while a payment is being stored
    bool leaving_ = false;
    bool reopened_ = false;
    Amount earlier_paid_;
    Amount earlier_worth_;
    milliseconds pays_again_{0};
    milliseconds chain_back_{0};
    seconds skew_{0};
};

}  // namespace myst::sim
