// A node that answers as told and remembers what it was asked. For tests of the API and the console.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "myst/node/control.hpp"

namespace myst::api::test_support {

/// The control thread calls the Control part; the test's thread scripts and inspects. Each access takes the lock.
class FakeControl final : public node::Control {
public:
    FakeControl();

    /// What the next and all later calls that can fail answer; none: success.
    void fail_with(std::optional<Error> error);
    /// Throws from `status` instead of answering.
    void throw_from_status();
    /// What `connection` answers, one after the other; the last one stays.
    void script_connection(std::deque<node::ConnectionStatus> script);
    /// All offers; they are given out in pages, cursors are numbers. Those of a node with a chain index.
    void set_proposals(std::vector<node::Proposal> proposals);
    /// As of a node without a chain index.
    void forget_sales();
    /// What those who watch offers are told after all that there are; all hear everything.
    void tell(node::OfferChange change);
    /// Those who watch are told of ever more offers, without a pause.
    void flood();
    /// What the measuring of latency tells, one after the other; the last one stays.
    void script_latency(std::deque<node::LatencyRound> script);
    /// How many watch.
    [[nodiscard]] std::size_t watches() const;
    void set_withdraw(node::WithdrawResult result);
    /// What was asked, for example "deposit 5"; reading calls are not listed.
    [[nodiscard]] std::vector<std::string> changes() const;
    /// The last filter given to `proposals` or `connect`.
    [[nodiscard]] node::ProposalFilter last_filter() const;
    /// The last query given to `proposals`.
    [[nodiscard]] node::ProposalQuery last_query() const;

    Task<Result<node::NodeStatus>> status() override;
    Task<Result<node::WalletInfo>> wallet_create() override;
    Task<Result<node::WalletInfo>> wallet_info() override;
    Task<Result<node::WalletBalance>> wallet_balance() override;
    Task<Result<node::DepositResult>> wallet_deposit(Amount amount) override;
    Task<Result<node::WithdrawResult>> wallet_withdraw(std::optional<Amount> amount) override;
    Task<Result<std::vector<node::Reservation>>> wallet_reservations() override;
    Task<Result<node::ReleaseResult>> wallet_release(Address provider) override;
    Task<Result<node::OfferPage>> proposals(node::ProposalQuery query) override;
    Task<Result<node::LatencyRound>> measure_latency(node::ProposalFilter filter) override;
    Result<std::unique_ptr<node::OfferWatch>> watch_offers(node::ProposalFilter filter) override;
    Task<Result<>> connect(node::ProposalFilter filter) override;
    Task<Result<node::ConnectionStatus>> disconnect() override;
    node::ConnectionStatus connection() override;
    Task<Result<node::ProviderStatus>> provider_start() override;
    Task<Result<node::ProviderStatus>> provider_stop() override;
    Task<Result<node::ProviderStatus>> provider_status() override;
    Task<Result<std::vector<node::ProvidedSession>>> provider_sessions() override;
    Task<Result<node::ProviderLimits>> provider_limits() override;
    Task<Result<node::SettleResult>> provider_settle() override;
    Task<Result<node::UnregisterResult>> provider_unregister() override;
    Task<Result<node::RevokeResult>> provider_revoke(std::string reason) override;

private:
    class Watch;
    template <class T>
    Result<T> answer(T value) const;
    void note(std::string change);

    mutable std::mutex mutex_;
    std::optional<Error> error_;
    bool throws_ = false;
    std::deque<node::ConnectionStatus> connection_;
    std::vector<node::Offer> offers_;
    std::vector<node::OfferChange> told_;
    std::deque<node::LatencyRound> rounds_{{8, 7, 0}};
    bool floods_ = false;
    std::size_t watches_ = 0;
    node::WithdrawResult withdraw_;
    std::vector<std::string> changes_;
    node::ProposalFilter filter_;
    node::ProposalQuery query_;
};

/// An offer of 0.1 tokens per GiB in Germany.
[[nodiscard]] node::Proposal sample_proposal();
/// The same with 12 settlements of 3 payers.
[[nodiscard]] node::Offer sample_offer();
/// A connection over `sample_proposal` that has moved 184 MiB.
[[nodiscard]] node::ConnectionStatus sample_connection();

}  // namespace myst::api::test_support
