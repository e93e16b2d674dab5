// A node: the roles put together behind the facade that users talk to.
#pragma once

#include "myst/node/consumer.hpp"
#include "myst/node/latency_book.hpp"
#include "myst/node/provider.hpp"
#include "myst/node/reservations.hpp"

namespace myst::node {

struct NodeSettings {
    std::string version;
    std::vector<std::string> roles;
    ConsumerSettings consumer;
    ProviderSettings provider;
    bool may_provide = false;  ///< the provider role is enabled in the configuration
    bool may_consume = true;
};

/// Control thread. Call `shut_down` before destroying it.
class Node final : public Control {
public:
    Node(Context context, NodeSettings settings);

    [[nodiscard]] Task<Result<NodeStatus>> status() override;
    [[nodiscard]] Task<Result<WalletInfo>> wallet_create() override { return wallet_.create(); }
    [[nodiscard]] Task<Result<WalletInfo>> wallet_info() override;
    [[nodiscard]] Task<Result<WalletBalance>> wallet_balance() override { return wallet_.balance(); }
    [[nodiscard]] Task<Result<DepositResult>> wallet_deposit(Amount amount) override { return wallet_.deposit(amount); }
    [[nodiscard]] Task<Result<WithdrawResult>> wallet_withdraw(std::optional<Amount> amount) override;
    [[nodiscard]] Task<Result<std::vector<Reservation>>> wallet_reservations() override { return reservations_.list(); }
    [[nodiscard]] Task<Result<ReleaseResult>> wallet_release(Address provider) override;
    [[nodiscard]] Task<Result<OfferPage>> proposals(ProposalQuery query) override;
    [[nodiscard]] Task<Result<LatencyRound>> measure_latency(ProposalFilter filter) override;
    [[nodiscard]] Result<std::unique_ptr<OfferWatch>> watch_offers(ProposalFilter filter) override;
    [[nodiscard]] Task<Result<>> connect(ProposalFilter filter) override;
    [[nodiscard]] Task<Result<ConnectionStatus>> disconnect() override { return consumer_.disconnect(); }
    [[nodiscard]] ConnectionStatus connection() override { return consumer_.status(); }
    [[nodiscard]] Task<Result<ProviderStatus>> provider_start() override;
    [[nodiscard]] Task<Result<ProviderStatus>> provider_stop() override { return provider_.stop(); }
    [[nodiscard]] Task<Result<ProviderStatus>> provider_status() override { return provider_.status(); }
    [[nodiscard]] Task<Result<std::vector<ProvidedSession>>> provider_sessions() override {
        return provider_.sessions();
    }
    [[nodiscard]] Task<Result<ProviderLimits>> provider_limits() override { return provider_.limits(); }
    [[nodiscard]] Task<Result<SettleResult>> provider_settle() override { return provider_.settle(); }
    [[nodiscard]] Task<Result<UnregisterResult>> provider_unregister() override { return provider_.unregister(); }
    [[nodiscard]] Task<Result<RevokeResult>> provider_revoke(std::string reason) override;

    /// Takes up what an earlier run left: unfinished transactions, unsettled vouchers. Once, after construction.
    void start();
    /// Ends the connection and the provider role; returns when tunnels and rules are gone.
    [[nodiscard]] Task<> shut_down();

private:
    Context context_;
    NodeSettings settings_;
    LatencyBook latencies_;
    Wallet wallet_;
    Reservations reservations_;
    Consumer consumer_;
    Provider provider_;
};

}  // namespace myst::node
