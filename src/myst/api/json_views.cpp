#include "myst/api/json_views.hpp"

#include <fmt/chrono.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "myst/crypto/address.hpp"
#include "myst/pay/tariff.hpp"
#include "myst/ports/chain.hpp"
#include "myst/ports/record_network.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::api {
namespace {

namespace json = boost::json;

void put_time(json::object& object, std::string_view name, UnixTime time) {
    object[name] = iso8601(time);
    object[std::string(name) + "_unix"] = to_unix_seconds(time);
}

/// Zero stands for "not yet" in the node's structures and becomes null.
void put_time_or_null(json::object& object, std::string_view name, UnixTime time) {
    if (time != UnixTime{}) return put_time(object, name, time);
    object[name] = nullptr;
    object[std::string(name) + "_unix"] = nullptr;
}

json::value bytes_or_null(std::uint64_t bytes) {
    return bytes == pay::kUnlimitedBytes ? json::value(nullptr) : json::value(bytes);
}

json::array texts(const std::vector<std::string>& items) {
    return json::array(items.begin(), items.end());
}

std::string finish(json::object object) {
    object["v"] = kSchemaVersion;
    return json::serialize(object);
}

json::object view(const ports::TrafficCounters& traffic) {
    return {{"up", traffic.up}, {"down", traffic.down}};
}

json::object view(const Error& error) {
    return {{"code", json::string(to_string(error.code))}, {"message", error.message}, {"cure", error.cure}};
}

json::object view(const node::WalletInfo& wallet) {
    return {{"address", crypto::to_checksum(wallet.address)}, {"signer", crypto::to_checksum(wallet.signer)}};
}

json::object view(const node::Proposal& proposal) {
    json::object object{
        {"provider", proposal.provider.hex()},
        {"payee", crypto::to_checksum(proposal.payee)},
        {"service", proposal.service},
        {"country", proposal.country},
        {"city", proposal.city},
        {"tariff",
         {{"per_gib", proposal.tariff.per_gib.to_string()}, {"per_hour", proposal.tariff.per_hour.to_string()}}},
        {"name", proposal.name},
        {"terms", proposal.terms},
        {"relays", texts(proposal.relays)},
    };
    put_time(object, "published", proposal.published);
    put_time(object, "expires", proposal.expires);
    return object;
}

json::object view(const node::Offer& offer) {
    auto object = view(offer.proposal);
    object["registered"] = true;
    object["stake"] = offer.stake.to_string();
    object["reputation"] = offer.reputation ? json::value(*offer.reputation) : json::value(nullptr);
    object["latency_ms"] = offer.latency ? json::value(offer.latency->count()) : json::value(nullptr);
    object["sales"] = nullptr;
    if (offer.sales) {
        object["sales"] = {{"settlements", offer.sales->settlements},
                           {"payers", offer.sales->payers},
                           {"volume", offer.sales->volume.to_string()},
                           {"disputed", offer.disputed.value_or(Amount{}).to_string()}};
    }
    return object;
}

json::value view(const std::optional<node::Proposal>& proposal) {
    return proposal ? json::value(view(*proposal)) : json::value(nullptr);
}

json::object view(const node::ConnectionStatus& connection) {
    const auto connected_for = std::max<std::int64_t>(0, connection.connected_for.count());
    const auto connect_time = std::max<std::int64_t>(0, connection.connect_time.count());
    return {
        {"state", json::string(node::to_string(connection.state))},
        {"step", connection.step},
        {"last_error", connection.last_error},
        {"proposal", view(connection.proposal)},
        {"session", connection.session.is_zero() ? json::value(nullptr) : json::value(connection.session.hex())},
        {"interface", connection.interface_name},
        {"traffic", view(connection.traffic)},
        {"traffic_peer", view(connection.traffic_peer)},
        {"bytes_per_second", connection.bytes_per_second},
        {"paid", connection.paid.to_string()},
        {"acknowledged", connection.acknowledged.to_string()},
        {"vouchers", connection.vouchers},
        {"deposit_left", connection.deposit_left.to_string()},
        {"bytes_left", bytes_or_null(connection.bytes_left)},
        {"connect_time_ms", connect_time},
        {"connected_for_s", connected_for},
    };
}

json::object view(const node::ProviderStatus& provider) {
    return {
        {"running", provider.running},
        {"step", provider.step},
        {"proposal", view(provider.proposal)},
        {"registered", provider.registered},
        {"open_sessions", provider.open_sessions},
        {"earned", provider.earned.to_string()},
        {"unsettled", provider.unsettled.to_string()},
    };
}

json::object view(const node::ProvidedSession& session) {
    json::object object{
        {"id", session.id.hex()},
        {"signer", crypto::to_checksum(session.signer)},
        {"traffic", view(session.traffic)},
        {"cost", session.cost.to_string()},
        {"paid", session.paid.to_string()},
        {"vouchers", session.vouchers},
        {"allowance", bytes_or_null(session.allowance)},
        {"gate_open", session.gate_open},
        {"end_reason", session.end_reason},
    };
    put_time(object, "started", session.started);
    put_time_or_null(object, "ended", session.ended);
    return object;
}

json::object view(const node::PayerExposure& payer) {
    json::object object{
        {"signer", crypto::to_checksum(payer.signer)},
        {"in_session", payer.in_session},
        {"unsettled", payer.unsettled.to_string()},
        {"reserved", payer.reserved.to_string()},
        {"on_signature", payer.on_signature.to_string()},
        {"unpaid", payer.unpaid.to_string()},
        {"settles_because", json::string(to_string(payer.settles_because))},
    };
    put_time_or_null(object, "deadline", payer.deadline);
    put_time_or_null(object, "settle_by", payer.settle_by);
    return object;
}

json::object view(const pay::SettlementTerms& policy) {
    return {
        {"trigger", policy.trigger.to_string()},       {"minimum", policy.minimum.to_string()},
        {"million_gas", policy.gas_price.to_string()}, {"overhead_percent", policy.overhead_percent},
        {"at_session_end", policy.at_session_end},     {"max_age_s", policy.max_age.count()},
        {"margin_s", policy.margin.count()},
    };
}

json::value view(const std::optional<ports::BlockRef>& head) {
    if (!head) return nullptr;
    json::object object{{"number", head->number}, {"hash", head->hash.hex0x()}};
    put_time(object, "time", head->time);
    return object;
}

json::array view(const std::vector<ports::RelayStatus>& relays) {
    json::array list;
    for (const auto& relay : relays) {
        list.push_back({{"url", relay.url},
                        {"connected", relay.connected},
                        {"last_error", relay.last_error},
                        {"origin", to_string(relay.origin)},
                        {"group", relay.group},
                        {"in_common", relay.in_common ? json::value(*relay.in_common) : json::value(nullptr)}});
    }
    return list;
}

json::array view(const std::vector<ports::EndpointStatus>& endpoints) {
    json::array list;
    for (const auto& each : endpoints) {
        list.push_back({{"name", each.name},
                        {"state", to_string(each.state)},
                        {"head", each.head ? json::value(*each.head) : json::value(nullptr)},
                        {"lag", each.lag},
                        {"latency_ms", each.latency.count()},
                        {"calls", each.calls},
                        {"failures", each.failures},
                        {"disagreements", each.disagreements},
                        {"last_error", each.last_error}});
    }
    return list;
}

json::value view(const std::optional<ports::IndexStatus>& index) {
    if (!index) return nullptr;
    return {{"state", to_string(index->state)},
            {"head", index->head ? json::value(*index->head) : json::value(nullptr)},
            {"endpoint_head", index->endpoint_head},
            {"lag", index->lag},
            {"audited", index->audited},
            {"problem", index->problem}};
}

json::value view(const std::optional<ports::OutboxReport>& outbox) {
    if (!outbox) return nullptr;
    return {{"halted", outbox->halted}, {"open", outbox->open}, {"problem", outbox->problem}};
}

}  // namespace

std::string iso8601(UnixTime time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(time.time_since_epoch().count())));
}

std::string health_body() {
    return finish({{"status", "ok"}});
}

std::string error_body(const Error& error) {
    return finish({{"error", view(error)}});
}

std::string event_of(const Error& error) {
    return finish({{"event", "error"}, {"error", view(error)}});
}

std::string event_of(const node::OfferChange& change) {
    if (const auto* offer = std::get_if<node::Offer>(&change)) {
        return finish({{"event", "proposal"}, {"proposal", view(*offer)}});
    }
    if (const auto* gone = std::get_if<node::OfferGone>(&change)) {
        return finish({{"event", "proposal_gone"}, {"provider", gone->provider.hex()}, {"service", gone->service}});
    }
    return finish({{"event", "proposals_complete"}});
}

std::string body_of(const node::NodeStatus& status) {
    return finish({
        {"version", status.version},
        {"node_key", status.node_key.hex()},
        {"roles", texts(status.roles)},
        {"chain",
         {{"chain_id", status.chain.chain_id},
          {"lanes", crypto::to_checksum(status.chain.lanes)},
          {"token", crypto::to_checksum(status.chain.token)},
          {"head", view(status.head)},
          {"error", status.chain_error},
          {"quorum", status.chain_status.quorum},
          {"endpoints", view(status.chain_status.endpoints)},
          {"index", view(status.chain_status.index)},
          {"outbox", view(status.chain_status.outbox)}}},
        {"relays", view(status.relays)},
        {"connection", view(status.connection)},
        {"provider", view(status.provider)},
    });
}

std::string body_of(const node::WalletInfo& wallet) {
    return finish(view(wallet));
}

std::string body_of(const node::WalletBalance& balance) {
    json::object deposit{{"free", balance.deposit.free.to_string()}, {"exiting", balance.deposit.exiting.to_string()}};
    put_time_or_null(deposit, "exit_at", balance.deposit.exit_at);
    json::object object = view(balance.wallet);
    object["ether"] = balance.ether.str();
    object["tokens"] = balance.tokens.to_string();
    object["deposit"] = std::move(deposit);
    return finish(std::move(object));
}

std::string body_of(const node::DepositResult& result) {
    return finish({{"transaction", result.transaction.hex0x()},
                   {"deposited", result.deposited.to_string()},
                   {"free", result.free.to_string()}});
}

std::string body_of(const node::WithdrawResult& result) {
    json::object object{{"transaction", result.transaction.hex0x()},
                        {"paid_out", result.paid_out},
                        {"amount", result.amount.to_string()}};
    put_time_or_null(object, "available_at", result.available_at);
    return finish(std::move(object));
}

std::string body_of(const std::vector<node::Reservation>& reservations) {
    json::array list;
    for (const auto& each : reservations) {
        json::object object{{"provider", crypto::to_checksum(each.provider)},
                            {"promised", each.promised.to_string()},
                            {"reserved", each.reserved.to_string()}};
        put_time_or_null(object, "available_at", each.available_at);
        list.push_back(std::move(object));
    }
    return finish({{"reservations", std::move(list)}});
}

std::string body_of(const node::ReleaseResult& result) {
    json::object object{{"transaction", result.transaction.hex0x()},
                        {"released", result.released},
                        {"amount", result.amount.to_string()}};
    put_time_or_null(object, "available_at", result.available_at);
    return finish(std::move(object));
}

std::string body_of(const node::OfferPage& page) {
    json::array list;
    for (const auto& offer : page.offers) list.push_back(view(offer));
    json::value next = page.next.empty() ? json::value(nullptr) : json::value(page.next);
    return finish({{"proposals", std::move(list)}, {"next", std::move(next)}});
}

std::string body_of(const node::LatencyRound& round) {
    return finish({{"measured", round.measured}, {"answered", round.answered}, {"left", round.left}});
}

std::string body_of(const node::ConnectionStatus& connection) {
    return finish(view(connection));
}

std::string body_of(const node::ProviderStatus& provider) {
    return finish(view(provider));
}

std::string body_of(const std::vector<node::ProvidedSession>& sessions) {
    json::array list;
    for (const auto& session : sessions) list.push_back(view(session));
    return finish({{"sessions", std::move(list)}});
}

std::string body_of(const node::ProviderLimits& limits) {
    json::array payers;
    for (const auto& payer : limits.payers) payers.push_back(view(payer));
    json::object object{
        {"credit_bytes", limits.credit_bytes},
        {"credit", limits.credit.to_string()},
        {"risk_limit", limits.risk_limit.to_string()},
        {"min_free", limits.min_free.to_string()},
        {"policy", view(limits.policy)},
        {"outage_tolerated_s", limits.outage_tolerated.count()},
        {"payers", std::move(payers)},
        {"payer_count", limits.payer_count},
        {"unsettled", limits.unsettled.to_string()},
        {"reserved", limits.reserved.to_string()},
        {"on_signature", limits.on_signature.to_string()},
        {"unpaid", limits.unpaid.to_string()},
        {"settlement_cost", limits.settlement_cost.to_string()},
        {"last_failure", limits.last_failure},
    };
    put_time_or_null(object, "next_deadline", limits.next_deadline);
    return finish(std::move(object));
}

std::string body_of(const node::RevokeResult& result) {
    return finish({{"node_key", result.key.hex()}, {"told", texts(result.told)}});
}

std::string body_of(const node::SettleResult& result) {
    json::array transactions;
    for (const auto& hash : result.transactions) transactions.push_back(json::string(hash.hex0x()));
    return finish({{"transactions", std::move(transactions)},
                   {"vouchers", result.vouchers},
                   {"amount", result.amount.to_string()},
                   {"fee", result.fee.to_string()},
                   {"gas_used", result.gas_used}});
}

std::string body_of(const node::UnregisterResult& result) {
    json::object object{
        {"transaction", result.transaction.hex0x()}, {"left", result.left}, {"stake", result.stake.to_string()}};
    put_time_or_null(object, "available_at", result.available_at);
    return finish(std::move(object));
}

}  // namespace myst::api
