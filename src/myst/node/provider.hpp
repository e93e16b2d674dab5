// The provider role: keeps an exit open, an offer published, and sells sessions through it.
#pragma once

#include <deque>

#include "myst/base/token_bucket.hpp"
#include "myst/node/exit_sessions.hpp"
#include "myst/node/registration.hpp"
#include "myst/node/settler.hpp"

namespace myst::node {

struct ProviderSettings {
    std::string country;
    std::string city;
    std::string name;
    std::string terms;
    pay::Tariff tariff;
    std::string endpoint;             ///< public IPv4, or IPv4:port if the port differs from the listening one
    std::vector<std::string> relays;  ///< where requests reach us; goes into the proposal
    std::vector<std::string> dns;
    ports::ExitSettings exit;
    std::uint64_t credit_bytes = 1 << 20;
    Amount risk_limit;
    std::uint32_t settle_trigger_percent = 50;  ///< of the risk limit
    Amount min_free;
    Amount stake;
    std::uint32_t frames_per_second = 50;  ///< read from one session, besides payments worth a chunk
    std::size_t max_sessions = 256;
    milliseconds deposit_look{5'000};   ///< between looks at the deposits of open sessions that do not pay
    milliseconds unpaid_limit{60'000};  ///< after which a session ends whose gate is shut and that pays nothing new
    SettlerSettings settlement;         ///< its trigger and margin follow from the other settings
    seconds outage_tolerated{8 * 3600};
};

/// Control thread.
class Provider {
public:
    Provider(Context& context, Wallet& wallet, ProviderSettings settings);
    ~Provider();

    /// Looks after the vouchers held from now on, whether sessions are sold or not.
    void watch_vouchers() { settler_.start(); }
    /// Ends what `watch_vouchers` began. The last call.
    [[nodiscard]] Task<> shut_down() { return settler_.shut_down(); }

    [[nodiscard]] Task<Result<ProviderStatus>> start();
    [[nodiscard]] Task<Result<ProviderStatus>> stop();
    [[nodiscard]] Task<Result<ProviderStatus>> status();
    [[nodiscard]] Task<Result<std::vector<ProvidedSession>>> sessions();
    [[nodiscard]] Task<Result<ProviderLimits>> limits();
    [[nodiscard]] Task<Result<SettleResult>> settle() { return settler_.settle_all(); }
    /// failed_precondition while selling.
    [[nodiscard]] Task<Result<UnregisterResult>> unregister();

private:
    [[nodiscard]] Task<Result<>> bring_up();
    /// Sessions that a killed process left open are over; what they cost and paid stays on record.
    [[nodiscard]] Task<Result<>> close_interrupted_sessions();
    [[nodiscard]] Task<Result<>> open_exit();
    /// failed_precondition if this node's key was revoked.
    [[nodiscard]] Task<Result<>> check_key();
    [[nodiscard]] Task<Result<>> publish_proposal(seconds lifetime);
    [[nodiscard]] Task<> keep_published();
    void listen_for_requests();
    [[nodiscard]] Task<> answer_requests();
    [[nodiscard]] Task<> answer(codec::Event event);
    /// Seals it and sends it beside everything else.
    void reply(const Envelope& envelope, const NodeKey& to);
    [[nodiscard]] Task<> send_answer(codec::Event event);
    [[nodiscard]] bool may_answer_ping(UnixTime sent);
    [[nodiscard]] bool may_refuse();
    [[nodiscard]] Hash32 pool_secret() const;
    [[nodiscard]] Task<> tear_down(std::string reason);
    [[nodiscard]] Result<Endpoint> public_endpoint(std::uint16_t listen_port) const;

    Context& context_;
    Wallet& wallet_;
    ProviderSettings settings_;
    Registration registration_;
    ProviderStatus status_;
    std::unique_ptr<TaskGroup> tasks_;
    std::unique_ptr<ports::ExitTunnel> exit_;
    std::unique_ptr<ExitSessions> sessions_;
    std::optional<PaymentListener> listener_;
    std::unique_ptr<ports::MailboxKeys::Held> mailbox_;
    std::unique_ptr<ports::Subscription> requests_;
    std::deque<codec::Event> inbox_;
    EventSignal arrived_;
    bool changing_ = false;           ///< start or stop is running
    std::size_t answering_ = 0;       ///< requests being judged
    std::size_t sending_ = 0;         ///< answers on their way to relays
    MonotonicTime refusals_since_{};  ///< begin of the second in which `refusals_` are counted
    unsigned refusals_ = 0;
    TokenBucket pings_;
    Settler settler_;  ///< works on while the role is stopped
};

}  // namespace myst::node
