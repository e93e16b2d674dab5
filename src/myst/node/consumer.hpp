// The consumer role: finds an offer, agrees on a session, keeps the tunnel up and paid, and takes it down again.
#pragma once

#include "myst/base/backoff.hpp"
#include "myst/node/context.hpp"
#include "myst/node/offer_search.hpp"
#include "myst/node/paid_session.hpp"
#include "myst/node/receipt_record.hpp"
#include "myst/node/session_request.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::node {

struct ConsumerSettings {
    pay::ChunkBounds chunk;
    pay::TickUse ticks{};
    std::uint64_t tolerance_bytes = pay::kMeterTolerance;
    std::uint64_t tolerance_percent = 2;
    std::optional<Amount> max_per_gib;          ///< holds whatever a request to connect asks for
    std::optional<Amount> max_per_hour;         ///< likewise
    Amount risk_limit{10'000'000'000'000'000};  ///< most that may be paid in a connection for what has not arrived
    Amount reserve_ahead;                       ///< by how much a provider may set aside more than it was paid
    bool publish_receipts = false;              ///< tells everybody how a paid connection ended
    milliseconds disconnect_limit{15'000};      ///< for each of: good-bye, saving the session, removing the tunnel
};

/// At most one connection at a time. Control thread.
///
/// Once a connection is up, nothing leaves in clear until `disconnect`: if it ends for another reason, the state is
/// `blocked`, and the tunnel's routes, rules and resolvers stay.
class Consumer {
public:
    Consumer(Context& context, ConsumerSettings settings);

    /// Starts connecting; returns at once. failed_precondition if there is a connection already; a blocked one is
    /// replaced.
    [[nodiscard]] Result<> connect(ProposalFilter filter);
    /// Ends the connection and waits until everything is removed, within the limits of the settings.
    [[nodiscard]] Task<Result<ConnectionStatus>> disconnect();
    [[nodiscard]] ConnectionStatus status() const;

private:
    [[nodiscard]] Task<> run(ProposalFilter filter);
    /// Tries the cheapest eligible offers in turn until one session is open.
    [[nodiscard]] Task<Result<>> establish(ProposalFilter filter);
    [[nodiscard]] UnixTime next_request_time();
    [[nodiscard]] Task<Result<>> establish_with(Proposal proposal);
    /// Whether this node may deal with an offer at all: registered on chain, with what the filter asks for there, and
    /// within the risk limit.
    [[nodiscard]] Task<Result<>> check_offer(Proposal proposal, const ProposalFilter& filter, RegistryView* registry);
    /// What was paid in this connection for what has not arrived.
    [[nodiscard]] Amount lost() const { return earlier_.paid.minus_saturating(earlier_.worth); }
    /// limit_exceeded if one more first step at this price could bring what was paid for nothing above the limit.
    [[nodiscard]] Result<> check_risk(const pay::Tariff& tariff) const;
    /// Keeps the session going until it ends for good: success means that the user asked for it.
    [[nodiscard]] Task<Result<>> keep_up();
    [[nodiscard]] Task<Result<>> re_establish();
    [[nodiscard]] Task<Result<>> ask_again();
    /// The offer to go on with, of those the provider has now: same payee and service, no dearer than agreed.
    [[nodiscard]] Result<Proposal> renewed(const std::vector<Proposal>& offers) const;
    [[nodiscard]] Task<> pause_before_retry();
    [[nodiscard]] Task<Result<>> open_tunnel(AgreedSession& agreed);
    [[nodiscard]] Task<Result<>> open_session(PaidSessionSetup setup);
    [[nodiscard]] PaidSessionSetup payment_setup(SessionAccept accept, const Proposal& proposal, LaneFunds funds) const;
    [[nodiscard]] Task<> end_session(std::string reason);
    [[nodiscard]] Task<> close_tunnel();
    /// Says in the database how the connection ended, if the settings permit and the provider holds a payment.
    [[nodiscard]] Task<Result<>> publish_receipt(ReceiptOutcome outcome);
    void enter(ConnectionState state, std::string step);
    /// Keeps the counters of a session or tunnel that is about to go.
    void keep_counters() { status_ = status(); }

    Context& context_;
    ConsumerSettings settings_;
    ConnectionStatus status_;
    PaidSessionProgress earlier_;          ///< sum over the sessions of this connection that have ended
    std::optional<Proposal> agreed_;       ///< what the user connected to
    UnixTime last_request_{};              ///< of any session
    std::optional<LaneFunds> last_funds_;  ///< of the last session with that provider
    ports::TrafficCounters before_;        ///< what the tunnel had carried before this connection
    std::unique_ptr<TaskGroup> task_;
    std::shared_ptr<ports::ClientTunnel> tunnel_;
    std::unique_ptr<PaidSession> session_;
    EventSignal wake_;
    bool stopping_ = false;
    bool protected_ = false;  ///< a connection was up and the user has not disconnected since
    Backoff retry_;
    bool retry_at_once_ = true;  ///< the first try, and the first after a session that was of use
    MonotonicTime started_{};
    MonotonicTime connected_at_{};
};

}  // namespace myst::node
