#include "myst/chain/endpoint_pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/chain/eth_json.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain {

Task<Result<RpcReply>> EndpointPool::exchange(RpcCall call) {
    if (call.method == "eth_blockNumber") {
        auto head = co_await head_number();
        if (!head) co_return forward_error(head);
        co_return RpcReply(boost::json::value(quantity(*head)));
    }
    auto ready = co_await roster_.look(settings().linger);
    if (!ready) co_return forward_error(ready);
    switch (rule_of(call.method)) {
        case JoinRule::median: co_return co_await median(std::move(call));
        case JoinRule::anyone: co_return co_await anyone(std::move(call));
        case JoinRule::broadcast: co_return co_await broadcast(std::move(call));
        case JoinRule::agree: break;
    }
    co_return co_await agree(std::move(call));
}

Task<Result<std::vector<std::size_t>>> EndpointPool::usable() {
    auto ready = co_await roster_.look(settings().linger);
    if (!ready) co_return forward_error(ready);
    co_return roster_.ordered();
}

Task<Tally> EndpointPool::ask(std::vector<std::size_t> order, RpcCall call, Missing missing, milliseconds pace) {
    const auto newest = top();
    const auto tally_of = [call, newest](const Answers& answers) {
        Tally tally(call, newest);
        for (const auto& each : answers) tally.add(each.endpoint, each.value);
        return tally;
    };
    Inquiry<Result<RpcReply>> inquiry;
    inquiry.order = std::move(order);
    inquiry.ask = [this, call](std::size_t i) { return member(i).exchange(call); };
    inquiry.wanted = [tally_of, missing = std::move(missing)](const Answers& answers) {
        return missing(tally_of(answers));
    };
    inquiry.patience = pace;
    auto answers = co_await gather(std::move(inquiry));
    auto tally = tally_of(answers);
    for (const auto& each : tally.silent()) {
        if (each.malformed) member(each.endpoint).note_failure(each.why);
    }
    co_return tally;
}

/// Blocks above it are not known to enough endpoints yet.
std::uint64_t EndpointPool::top() const {
    return settings().quorum > 1 ? roster_.common_head() : ~std::uint64_t{0};
}

std::string EndpointPool::describe(const RpcCall& call) const {
    return settings().quorum > 1 ? fmt::format("{} at block {}", call.method, top()) : call.method;
}

Task<Result<RpcReply>> EndpointPool::agree(RpcCall call) {
    const auto asked = roster_.ordered().size();
    auto first = call;
    auto reply = co_await agree_among(std::move(first));
    if (reply || asked == size()) co_return reply;
    // One that is farther away than the others has not had the time to be known, and may decide.
    std::ignore = co_await roster_.look(settings().patience);
    if (roster_.ordered().size() <= asked) co_return reply;
    co_return co_await agree_among(std::move(call));
}

Task<Result<RpcReply>> EndpointPool::agree_among(RpcCall call) {
    const auto quorum = settings().quorum;
    const auto about = describe(call);
    if (quorum > 1) call = at_block(std::move(call), top());
    auto missing = [quorum](const Tally& tally) {
        const auto* camp = tally.largest();
        return quorum - std::min(quorum, camp ? camp->endpoints.size() : 0);
    };
    const auto tally = co_await ask(roster_.ordered(), std::move(call), std::move(missing), settings().patience);
    const auto* camp = tally.largest();
    if (camp && camp->endpoints.size() >= quorum) {
        blame_others(tally, *camp, about);
        co_return camp->opinion.reply;
    }
    for (const auto& each : tally.silent()) {
        if (!camp && each.fault) co_return tl::unexpected<RpcFault>(*each.fault);  // nobody can answer, as it seems
    }
    co_return tl::unexpected<Error>(no_agreement(tally, about));
}

/// With up to quorum - 1 liars among 2·quorum - 1 endpoints, the median lies between answers of honest ones.
Task<Result<RpcReply>> EndpointPool::median(RpcCall call) {
    const auto quorum = settings().quorum;
    const auto about = call.method;
    const auto start = clock_.now();
    const auto patience = settings().patience;
    auto missing = [this, quorum, start, patience](const Tally& tally) -> std::size_t {
        const auto said = tally.results() + tally.reverts();
        const bool enough = tally.results() >= quorum || tally.reverts() >= quorum;
        if (enough && clock_.now() - start >= patience) return 0;
        return 2 * quorum - 1 - std::min(2 * quorum - 1, said);
    };
    const auto tally = co_await ask(roster_.ordered(), std::move(call), std::move(missing), patience);
    if (tally.results() >= quorum) co_return tally.median(2 * quorum - 1);
    const auto* camp = tally.largest();
    if (tally.reverts() >= quorum) {
        for (const auto& each : tally.camps()) {
            if (!each.opinion.reply) co_return each.opinion.reply;  // programs may word a revert differently
        }
    }
    for (const auto& each : tally.silent()) {
        if (!camp && each.fault) co_return tl::unexpected<RpcFault>(*each.fault);
    }
    co_return tl::unexpected<Error>(no_agreement(tally, about));
}

Task<Result<RpcReply>> EndpointPool::anyone(RpcCall call) {
    const auto quorum = settings().quorum;
    const auto about = call.method;
    const auto is_known = [](const Tally::Camp& each) {
        return each.opinion.reply.has_value() && !each.opinion.reply->is_null();
    };
    const auto order = roster_.ordered();
    auto missing = [is_known, count = order.size()](const Tally& tally) -> std::size_t {
        const auto& camps = tally.camps();
        if (std::any_of(camps.begin(), camps.end(), is_known)) return 0;
        return count - tally.results() - tally.reverts();
    };
    const auto tally = co_await ask(order, std::move(call), std::move(missing), settings().patience);
    for (const auto& each : tally.camps()) {
        if (is_known(each)) co_return each.opinion.reply;
    }
    if (tally.results() >= quorum) co_return RpcReply(nullptr);
    co_return tl::unexpected<Error>(no_agreement(tally, about));
}

/// To every endpoint of the right chain, also one that lags. The hash is computed here, so that an endpoint that
/// swallows a transaction and tells of another one is not believed.
Task<Result<RpcReply>> EndpointPool::broadcast(RpcCall call) {
    const auto order = roster_.of_right_chain();
    const auto raw = call.params.empty() ? Result<Bytes>(Bytes{}) : as_data(call.params.front());
    if (!raw) co_return tl::unexpected<Error>(raw.error());
    const auto hash = crypto::keccak256(*raw).hex0x();
    const auto is_taken = [hash](const Tally::Camp& each) { return each.opinion.key == '"' + hash + '"'; };
    const auto start = clock_.now();
    auto missing = [this, is_taken, start, patience = settings().patience, count = order.size()](const Tally& tally) {
        const auto& camps = tally.camps();
        const bool taken = std::any_of(camps.begin(), camps.end(), is_taken);
        if (taken && clock_.now() - start >= patience) return std::size_t{0};
        return count - tally.results() - tally.reverts() - tally.silent().size();
    };
    const auto tally = co_await ask(order, std::move(call), std::move(missing), settings().patience);
    for (const auto& each : tally.camps()) {
        if (is_taken(each)) co_return each.opinion.reply;
    }
    for (const auto& each : tally.camps()) {
        if (!each.opinion.reply) co_return each.opinion.reply;
    }
    for (const auto& each : tally.silent()) {
        if (each.fault) co_return tl::unexpected<RpcFault>(*each.fault);
    }
    if (!tally.camps().empty()) {
        co_return fail(ErrorCode::invalid_data, "eth_sendRawTransaction: the endpoints report another hash");
    }
    const auto why =
        tally.silent().empty() ? std::string("no endpoint to send to") : tally.silent().front().why.message;
    co_return fail(ErrorCode::unavailable, "eth_sendRawTransaction: " + why);
}

void EndpointPool::blame_others(const Tally& tally, const Tally::Camp& right, const std::string& about) {
    for (const auto& each : tally.camps()) {
        if (&each == &right) continue;
        for (const auto i : each.endpoints) member(i).note_disagreement(about, settings().distrust);
    }
}

Error EndpointPool::no_agreement(const Tally& tally, const std::string& about) {
    const bool contradictory = tally.camps().size() > 1;
    std::vector<std::string> names;
    for (const auto& camp : tally.camps()) {
        for (const auto i : camp.endpoints) {
            if (contradictory) member(i).note_disagreement(about, milliseconds(0));
            names.push_back(member(i).name());
        }
    }
    if (contradictory) {
        return {ErrorCode::unavailable,
                fmt::format("the Ethereum endpoints contradict each other about {}: {}", about, fmt::join(names, ", ")),
                "compare them with one you trust; with more endpoints in chain.endpoints the majority decides"};
    }
    std::vector<std::string> reasons;
    for (const auto& each : tally.silent()) {
        reasons.push_back(fmt::format("{}: {}", member(each.endpoint).name(), each.why.message));
    }
    const auto text =
        reasons.empty() ? fmt::format("{}", fmt::join(names, ", ")) : fmt::format("{}", fmt::join(reasons, "; "));
    return {ErrorCode::unavailable, fmt::format("too few Ethereum endpoints answered {}: {}", about, text),
            "check the endpoints, or add some to chain.endpoints"};
}

}  // namespace myst::chain
