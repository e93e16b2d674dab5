// The simulated consumer: pay::PayerSession, driven as node/paid_session.cpp and node/consumer.cpp drive it.
#pragma once

#include "world.hpp"

namespace myst::sim {

/// What the consumer's disk holds: the highest voucher of each epoch.
struct ConsumerLedger {
    std::map<std::uint32_t, codec::SignedVoucher> issued;
    [[nodiscard]] Amount highest(std::uint32_t epoch) const {
        const auto found = issued.find(epoch);
        return found == issued.end() ? Amount{} : found->second.voucher.total;
    }
};

class Consumer {
public:
    explicit Consumer(World& world) : world_(world), disk_(world.engine, world.random) {}

    void tick();
    void receive(std::uint64_t connection, Result<pay::Frame> frame);
    void crash();
    void start(std::optional<ConsumerLedger> backup);
    /// The user has enough: pays what was used and says good-bye.
    void leave();
    void stop_paying_until(milliseconds when) { pays_again_ = when; }
    /// Sends a voucher that no honest consumer would.
    void forge();
    /// Bytes of a session have come through the tunnel.
    void carried(const SessionId& session, std::uint64_t bytes);
    /// Connects again after having given up.
    void come_back();

    [[nodiscard]] bool is_up() const { return up_; }
    [[nodiscard]] bool is_gone() const { return !up_ || phase_ == Phase::done; }
    [[nodiscard]] Disk<ConsumerLedger>& disk() { return disk_; }
    void set_skew(seconds skew) { skew_ = skew; }
    void lose_chain_until(milliseconds when) { chain_back_ = when; }

private:
    enum class Phase { idle, asking, greeting, first_payment, running, leaving, done };
    struct Funds {
        std::uint32_t epoch = 0;
        Amount issued;
        Amount drawn;
        Amount spendable;
    };
    struct Session {
        SessionId id;
        Funds funds;
        pay::PayerSession payer;
        std::optional<milliseconds> started;
        std::optional<milliseconds> waiting_since;
        milliseconds last_sent{0};
        milliseconds served{0};
        std::uint64_t own_count = 0;
        std::uint64_t peer_count = 0;
        std::optional<codec::SignedVoucher> last_voucher;
    };

    void ask();
    void accepted(const SessionId& id, std::optional<std::uint32_t> epoch, std::uint64_t credit_bytes);
    [[nodiscard]] std::optional<Funds> read_funds(std::uint32_t epoch) const;
    void open_stream();
    void resume(const pay::ResumeFrame& held);
    [[nodiscard]] bool adopt(const pay::ResumeFrame& held);
    void pay_and_check();
    void pay_up_to(Amount total, bool then_bye = false);
    void send_voucher();
    void take_ack(const pay::AckFrame& ack);
    void take_refusal(pay::RefuseCode code);
    void interrupted();
    void end_session(milliseconds pause);
    void give_up();
    /// Ends the session, once a voucher that is being stored is out.
    void fail();
    void audit_payment();
    [[nodiscard]] std::uint64_t billable() const;
    [[nodiscard]] milliseconds connected() const;
    [[nodiscard]] Amount worth() const;
    [[nodiscard]] milliseconds now() const { return world_.engine.now(); }

    World& world_;
    Disk<ConsumerLedger> disk_;
    bool up_ = true;
    Phase phase_ = Phase::idle;
    std::uint64_t life_ = 0;  ///< answers to what an earlier session asked for are not heard
    std::uint64_t connection_ = 0;
    milliseconds deadline_{0};
    milliseconds retry_at_{0};
    std::optional<SessionId> asked_;
    std::optional<Session> session_;
    std::optional<Funds> last_funds_;
    bool storing_ = false;
    bool failed_ = false;  ///< while a voucher is being stored
    bool leaving_ = false;
    bool reopened_ = false;
    Amount earlier_paid_;
    Amount earlier_worth_;
    milliseconds pays_again_{0};
    milliseconds chain_back_{0};
    seconds skew_{0};
};

}  // namespace myst::sim
