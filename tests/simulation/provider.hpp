// The simulated provider: pay::PayeeSession and node/exit_payment.hpp, driven as node/exit_sessions.cpp,
// node/exit_admission.cpp and node/settlement.cpp drive them.
#pragma once

#include "myst/node/exit_session.hpp"
#include "myst/node/settlement.hpp"
#include "world.hpp"

namespace myst::sim {

/// What the provider's disk holds.
struct ProviderLedger {
    ProofsByEpoch held;
    std::map<SessionId, ports::SessionRecord> sessions;
    std::optional<Transaction> outbox;  ///< a settlement on its way

    /// What the payer's sessions cost beyond what was paid in them.
    [[nodiscard]] Amount unpaid() const;
};

class Provider {
public:
    /// Epoch of the session and credit in bytes; no epoch if refused.
    using Answer = std::function<void(std::optional<std::uint32_t> epoch, std::uint64_t credit_bytes)>;

    explicit Provider(World& world) : world_(world), disk_(world.engine, world.random) {}

    void request(const SessionId& id, UnixTime created, const Answer& answer);
    void receive(std::uint64_t connection, Result<pay::Frame> frame);
    void tick();
    void update_gate();
    void crash();
    void start(std::optional<ProviderLedger> backup);
    /// Ends the lane's epoch if everything is settled for good.
    void release();

    [[nodiscard]] bool is_up() const { return up_; }
    [[nodiscard]] bool has_chain() const { return session_ && session_->exit.payee.tick_voucher() != nullptr; }
    [[nodiscard]] Disk<ProviderLedger>& disk() { return disk_; }
    /// Nothing is held that settling would turn into money, and no transaction is on its way.
    [[nodiscard]] bool is_settled() const;
    void set_skew(seconds skew) { skew_ = skew; }
    void lose_chain_until(milliseconds when) { chain_back_ = when; }
    /// After every step.
    void audit_disk();
    /// After bytes have passed the gate: whether they were paid for, or within the credit.
    void audit_traffic();

private:
    struct Session {
        node::ExitSession exit;
        Amount base;
        bool refused = false;  ///< the newest stream; nothing more of it is heard
        Amount taken{};        ///< cost at the moment of the last byte
    };

    void greet(std::uint64_t connection, const pay::HelloFrame& hello);
    void take_payment(const pay::Frame& frame);
    void store(const ports::HeldVoucher& proof);
    void credit(const ports::HeldVoucher& proof);
    void acknowledge();
    void refuse(pay::RefuseCode code);
    void refresh_coverage();
    void read_meter() { session_->exit.traffic.down = world_.gate.passed; }
    void save(Amount extra_paid, Disk<ProviderLedger>::Write also, Disk<ProviderLedger>::Done done);
    void end_session();
    void settle();
    void work_outbox();
    /// What is held for the lane's epoch, if settling it brings money.
    [[nodiscard]] std::optional<node::UnsettledVoucher> unsettled() const;
    [[nodiscard]] bool sees_chain() const { return now() >= chain_back_; }
    [[nodiscard]] milliseconds connected() const { return session_->exit.connected(world_.clock.now()); }
    [[nodiscard]] milliseconds now() const { return world_.engine.now(); }

    World& world_;
    Disk<ProviderLedger> disk_;
    bool up_ = true;
    std::optional<Session> session_;
    bool wants_to_settle_ = false;
    bool storing_intent_ = false;
    milliseconds looked_{0};
    milliseconds chain_back_{0};
    seconds skew_{0};
    Amount taken_before_;       ///< of the sessions that are over
    std::uint64_t forgot_ = 0;  ///< crashes and restored copies
    bool restored_ = false;
};

}  // namespace myst::sim
