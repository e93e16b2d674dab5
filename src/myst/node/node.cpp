#include "myst/node/node.hpp"

#include "myst/base/log.hpp"
#include "myst/node/live_offers.hpp"
#include "myst/node/offer_list.hpp"
#include "myst/node/record_work.hpp"
#include "myst/node/revocation.hpp"

namespace myst::node {

Node::Node(Context context, NodeSettings settings)
    : context_(std::move(context)),
      settings_(std::move(settings)),
      latencies_(context_.clock),
      wallet_(context_),
      reservations_(context_, wallet_),
      consumer_(context_, settings_.consumer),
      provider_(context_, wallet_, settings_.provider) {}

Task<Result<NodeStatus>> Node::status() {
    NodeStatus status;
    status.version = settings_.version;
    status.node_key = context_.keys.node().node_key();
    status.roles = settings_.roles;
    status.chain = context_.chain.identity();
    auto head = co_await context_.chain.head();
    if (head) {
        status.head = *head;
    } else {
        status.chain_error = head.error().describe();
    }
    if (context_.chain_status) status.chain_status = context_.chain_status();
    status.relays = context_.records.relays();
    status.connection = consumer_.status();
    auto provider = co_await provider_.status();
    if (provider) status.provider = std::move(*provider);
    co_return status;
}

Task<Result<WalletInfo>> Node::wallet_info() {
    co_return wallet_.info();
}

Task<Result<WithdrawResult>> Node::wallet_withdraw(std::optional<Amount> amount) {
    return wallet_.withdraw(amount);
}

Task<Result<ReleaseResult>> Node::wallet_release(Address provider) {
    const auto connection = consumer_.status();
    const bool is_paying = connection.state != ConnectionState::disconnected && connection.proposal &&
                           connection.proposal->payee == provider;
    if (is_paying) {
        // What is paid from now on would be void, or a session that cannot be paid.
        co_return fail(ErrorCode::failed_precondition, "this node is connected to that provider",
                       "run first: myst disconnect");
    }
    co_return co_await reservations_.release(provider);
}

Task<Result<OfferPage>> Node::proposals(ProposalQuery query) {
    return list_offers(context_, latencies_, std::move(query));
}

Task<Result<LatencyRound>> Node::measure_latency(ProposalFilter filter) {
    return measure_offers(context_, latencies_, std::move(filter));
}

Result<std::unique_ptr<OfferWatch>> Node::watch_offers(ProposalFilter filter) {
    if (auto possible = check_answerable(filter, context_.chain); !possible) return forward_error(possible);
    return std::make_unique<LiveOffers>(context_, std::move(filter));
}

Task<Result<>> Node::connect(ProposalFilter filter) {
    if (!settings_.may_consume) {
        co_return fail(ErrorCode::failed_precondition, "the consumer role is off",
                       "set consumer.enabled = true in the configuration");
    }
    co_return consumer_.connect(std::move(filter));
}

Task<Result<ProviderStatus>> Node::provider_start() {
    if (!settings_.may_provide) {
        co_return fail(ErrorCode::failed_precondition, "the provider role is off",
                       "set provider.enabled = true in the configuration");
    }
    co_return co_await provider_.start();
}

Task<Result<RevokeResult>> Node::provider_revoke(std::string reason) {
    auto stopped = co_await provider_.stop();
    if (!stopped) co_return forward_error(stopped);
    const auto& key = context_.keys.node();
    auto revocation = make_revocation(key, std::move(reason), context_.clock.unix_now(), context_.rng);
    auto record = co_await sign_with_work(context_, std::move(revocation), key);
    if (!record) co_return forward_error(record, "revoking the node key");
    auto report = co_await context_.records.publish(std::move(*record));
    if (!report) co_return forward_error(report, "revoking the node key");
    for (const auto& [relay, why] : report->rejected) log::warn("{} refused the revocation: {}", relay, why);
    co_return RevokeResult{key.node_key(), std::move(report->accepted)};
}

void Node::start() {
    if (auto resumed = wallet_.resume(); !resumed) log::error("{}", resumed.error().describe());
    provider_.watch_vouchers();
}

Task<> Node::shut_down() {
    auto disconnected = co_await consumer_.disconnect();
    if (!disconnected) log::error("{}", disconnected.error().describe());
    auto stopped = co_await provider_.stop();
    if (!stopped) log::error("{}", stopped.error().describe());
    co_await provider_.shut_down();
}

}  // namespace myst::node
