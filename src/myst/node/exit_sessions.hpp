// The sessions that this node sells: who is let in, what is metered, which vouchers count, when it is over.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "myst/base/token_bucket.hpp"
#include "myst/node/address_pool.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/exit_session.hpp"
#include "myst/node/payment_stream.hpp"
#include "myst/node/public_address.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::node {

struct ExitSessionsSettings {
    Address payee;  ///< whom vouchers must name
    std::string service;
    pay::Tariff tariff;
    std::string endpoint_host;  ///< public IPv4 that consumers use
    std::uint16_t endpoint_port = 0;
    std::uint16_t payment_port = 0;
    std::uint16_t mtu = 1420;
    std::vector<std::string> dns;
    std::uint64_t credit_bytes = 1 << 20;
    Amount risk_limit;                     ///< R: most that may rest on one payer's signatures alone
    Amount settle_trigger;                 ///< above so much of it, what is held is to be settled
    Amount min_free;                       ///< deposit that a consumer must have left
    std::uint32_t frames_per_second = 50;  ///< read from one session, besides payments worth a chunk
    std::size_t max_sessions = 256;
    std::size_t max_newcomers = 12;     ///< payers without a voucher here whose requests are looked at at a time
    milliseconds deposit_look{5'000};   ///< between looks at the deposits of sessions that do not pay
    milliseconds unpaid_limit{60'000};  ///< after which a session ends whose gate is shut and that pays nothing new
    /// Whether this provider is about to end the payer's lane: what it paid now would be void.
    std::function<bool(const Address& payer)> is_releasing = [](const Address&) { return false; };
};

/// Control thread. Calls of `admit` may overlap.
class ExitSessions {
public:
    /// `on_exposure` is called when more of a payer's vouchers rests on its signature than may, when it takes its money
    /// back, and when its session is over.
    ExitSessions(Context& context, ExitSessionsSettings settings, ports::ExitTunnel& exit, AddressPool pool,
                 std::function<void()> on_exposure);

    /// Judges a request and, if all is well, lets the consumer into the tunnel with a closed gate.
    [[nodiscard]] Task<Envelope> admit(SessionRequest request, NodeKey consumer);
    /// Accepts payment streams until cancelled.
    [[nodiscard]] Task<> serve(PaymentListener listener);
    /// Reads the meter, charges time, ends sessions that have gone silent or do not pay; until cancelled.
    [[nodiscard]] Task<> watch();
    /// Looks at the deposits behind open sessions and ends those whose payments are not covered any more; until
    /// cancelled.
    [[nodiscard]] Task<> watch_deposits();
    [[nodiscard]] Task<> end_all(std::string reason);

    [[nodiscard]] std::vector<ProvidedSession> open_sessions() const;
    /// Whether this payer has an open session.
    [[nodiscard]] bool serves(const Address& payer) const;

private:
    using SessionPtr = std::shared_ptr<ExitSession>;

    template <class T>
    using Admission = tl::expected<T, SessionReject>;
    /// What a payer has for us, by chain and ledger.
    struct Funds {
        Amount base;  ///< what its vouchers have reached in the lane's epoch
        Amount debt;  ///< unpaid in earlier sessions
        pay::Coverage coverage;
    };

    [[nodiscard]] Task<Admission<SessionPtr>> prepare(SessionRequest request, NodeKey consumer);
    [[nodiscard]] Admission<void> check_request(const SessionRequest& request, const NodeKey& consumer) const;
    [[nodiscard]] bool is_used(const SessionRequest& request) const;
    /// Against replay; false if this payer, or too many others, have asked too often.
    [[nodiscard]] bool remember(const SessionRequest& request);
    /// Whether a payer of whom no voucher is held may cost us questions to the chain.
    [[nodiscard]] bool may_look_at_newcomer();
    /// Refuses a newcomer without a deposit, by one question.
    [[nodiscard]] Task<Admission<void>> look_at_newcomer(SessionRequest request);
    /// Looks at the funds once the payer's earlier session is over, and lets in.
    [[nodiscard]] Task<Admission<SessionPtr>> replace_session(SessionRequest request, NodeKey consumer);
    [[nodiscard]] Task<Admission<Funds>> look_at_funds(SessionRequest request);
    [[nodiscard]] Task<Admission<SessionPtr>> let_in(SessionRequest request, NodeKey consumer, Funds funds);
    [[nodiscard]] SessionAccept acceptance(const ExitSession& session) const;
    [[nodiscard]] Task<> serve_stream(PaymentStream stream);
    /// Waits until another frame of the session may be read.
    [[nodiscard]] Task<> wait_for_turn(SessionPtr session);
    [[nodiscard]] Task<Result<>> talk(PaymentStream& stream, SessionPtr session, std::uint64_t number);
    [[nodiscard]] Task<Result<>> greet(PaymentStream& stream, SessionPtr session);
    [[nodiscard]] Task<Result<>> take_leave(PaymentStream& stream, SessionPtr session);
    /// The refuse code if the payment does not count.
    [[nodiscard]] Task<std::optional<pay::RefuseCode>> take_payment(SessionPtr session, pay::Frame frame);
    [[nodiscard]] Task<Result<>> store(SessionPtr session, ports::HeldVoucher proof);
    [[nodiscard]] Task<Result<>> refuse_payment(PaymentStream& stream, SessionPtr session, pay::RefuseCode code);
    [[nodiscard]] Task<Result<>> acknowledge(PaymentStream& stream, SessionPtr session);
    [[nodiscard]] Task<Result<>> refresh_coverage(SessionPtr session);
    /// Ends a session whose payments nothing stands behind any more.
    [[nodiscard]] Task<> end_if_uncovered(SessionPtr session);
    [[nodiscard]] Task<Result<>> update_gate(SessionPtr session);
    /// Why a session has to end that the consumer left to itself, if it has to.
    [[nodiscard]] std::optional<std::string> abandoned(ExitSession& session) const;
    [[nodiscard]] Task<> save(SessionPtr session, std::string end_reason);
    [[nodiscard]] Task<> end(SessionPtr session, std::string reason);
    void read_meter();
    /// Of a session that is among `sessions_` no more: its traffic is what has passed, to the batch that was under way.
    [[nodiscard]] Task<> close_gate(SessionPtr session);
    [[nodiscard]] SessionPtr find_by_address(const std::string& address) const;
    [[nodiscard]] SessionPtr find_by_payer(const Address& payer) const;

    Context& context_;
    ExitSessionsSettings settings_;
    ports::ExitTunnel& exit_;
    AddressPool pool_;
    std::function<void()> on_exposure_;
    std::map<SessionId, SessionPtr> sessions_;
    std::map<Address, SessionId> admitting_;                      ///< requests being looked at, one for each payer
    std::map<Address, std::map<SessionId, MonotonicTime>> seen_;  ///< requests of payers with a deposit
    TokenBucket newcomer_looks_;
    std::size_t newcomers_ = 0;                      ///< requests of newcomers being looked at
    std::multiset<Address> ending_;                  ///< payers whose session is being ended
    std::map<std::string, std::size_t> streams_of_;  ///< payment streams of each client address
    TaskGroup streams_;
};

}  // namespace myst::node
