#include "myst/chain/endpoint_pool.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "myst/base/busy.hpp"
#include "myst/base/check.hpp"
#include "myst/base/log.hpp"
#include "myst/chain/eth_json.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain {
namespace {

constexpr std::string_view kOtherChain = "correct the endpoint's URL, chain.chain_id or chain.genesis";

MonotonicTime now() {
    return std::chrono::steady_clock::now();
}

std::string other_genesis(const Hash32& theirs, const Hash32& right) {
    return fmt::format("its genesis block is {}, expected is {}", theirs.hex0x(), right.hex0x());
}

void append(std::string& list, const std::string& item, std::string_view between = "; ") {
    list += (list.empty() ? "" : std::string(between)) + item;
}

}  // namespace

EndpointPool::EndpointPool(EndpointPoolSettings settings, std::vector<Member> members)
    : settings_(settings), genesis_(settings_.genesis) {
    CHECK(!members.empty() && settings_.quorum >= 1 && settings_.quorum <= members.size());
    for (auto& each : members) {
        members_.push_back(
            std::make_unique<MonitoredEndpoint>(std::move(each.name), std::move(each.endpoint), settings_.pauses));
    }
}

Task<Result<RpcReply>> EndpointPool::exchange(RpcCall call) {
    if (call.method == "eth_blockNumber") {
        auto head = co_await head_number();
        if (!head) co_return forward_error(head);
        co_return RpcReply(boost::json::value(quantity(*head)));
    }
    auto ready = co_await look(settings_.linger);
    if (!ready) co_return forward_error(ready);
    switch (rule_of(call.method)) {
        case JoinRule::median: co_return co_await median(std::move(call));
        case JoinRule::anyone: co_return co_await anyone(std::move(call));
        case JoinRule::broadcast: co_return co_await broadcast(std::move(call));
        case JoinRule::agree: break;
    }
    co_return co_await agree(std::move(call));
}

Task<Result<std::uint64_t>> EndpointPool::head_number() {
    auto ready = co_await look(settings_.linger);
    if (!ready) co_return forward_error(ready);
    if (members_.size() > 1) co_return common_head();
    auto reply = co_await ask_head(0);
    if (!reply) co_return forward_error(reply);
    co_return *members_.front()->health().head;
}

Task<Result<std::vector<std::size_t>>> EndpointPool::usable() {
    auto ready = co_await look(settings_.linger);
    if (!ready) co_return forward_error(ready);
    co_return ordered();
}

// ------------------------------------------------------------------------------------------- who may be asked

/// Asks those whose identity or head is due, for `pause` once the quorum has answered; an Error if fewer than the
/// quorum may be asked afterwards.
Task<Result<>> EndpointPool::look(milliseconds pause) {
    std::vector<std::size_t> due;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (is_due(members_[i]->health())) due.push_back(i);
    }
    const bool others_look = looking_ && ordered().size() >= settings_.quorum;
    if (!due.empty() && !others_look) {
        const Busy looking(looking_);
        const auto start = now();
        const auto count = due.size();
        Inquiry<Result<RpcReply>> inquiry;
        inquiry.order = std::move(due);
        inquiry.ask = [this](std::size_t i) { return probe(i); };
        inquiry.wanted = [this, start, count, pause](const Answers& answers) -> std::size_t {
            settle_genesis();
            const bool enough = fresh(start) >= settings_.quorum && now() - start >= pause;
            return enough ? 0 : count - answers.size();
        };
        inquiry.patience = pause;
        std::ignore = co_await gather(std::move(inquiry));
    }
    if (ordered().size() < settings_.quorum) co_return tl::unexpected<Error>(too_few());
    if (settings_.quorum > 1) reached_ = std::max(reached_, common_head());
    co_return Result<>{};
}

Task<Result<RpcReply>> EndpointPool::probe(std::size_t i) {
    auto& endpoint = *members_[i];
    const auto& seen = endpoint.health().identified;
    if (!seen || now() - *seen >= settings_.identity_check) {
        auto same = co_await identify(i);
        if (!same) co_return forward_error(same);
    }
    // A single endpoint cannot be behind others: its head is asked for when somebody wants it.
    if (members_.size() == 1) co_return RpcReply(nullptr);
    co_return co_await ask_head(i);
}

Task<Result<RpcReply>> EndpointPool::ask_head(std::size_t i) {
    auto& endpoint = *members_[i];
    auto reply = co_await endpoint.call("eth_blockNumber");
    if (!reply) co_return forward_error(reply);
    const auto head = as_u64(*reply);
    if (!head) {
        endpoint.note_failure(head.error());
        co_return tl::unexpected<Error>(head.error());
    }
    endpoint.health().head = *head;
    endpoint.health().head_seen = now();
    co_return RpcReply(std::move(*reply));
}

/// Chain id and genesis. Whether the genesis is the right one is decided when enough have told theirs.
Task<Result<>> EndpointPool::identify(std::size_t i) {
    auto& endpoint = *members_[i];
    auto& health = endpoint.health();
    auto id = co_await endpoint.call("eth_chainId");
    if (!id) co_return forward_error(id);
    const auto number = as_u64(*id);
    if (!number) {
        endpoint.note_failure(number.error());
        co_return tl::unexpected<Error>(number.error());
    }
    if (*number != settings_.chain_id) {
        refuse(i, fmt::format("it serves chain {}, configured is {}", *number, settings_.chain_id));
        co_return tl::unexpected<Error>(*health.refusal);
    }
    boost::json::array params{quantity(0), false};
    auto block = co_await endpoint.call("eth_getBlockByNumber", std::move(params));
    if (!block) co_return forward_error(block);
    const auto header = as_header(*block);
    if (!header) {
        endpoint.note_failure(header.error());
        co_return tl::unexpected<Error>(header.error());
    }
    health.genesis = header->hash;
    if (genesis_ && header->hash != *genesis_) {
        refuse(i, other_genesis(header->hash, *genesis_));
        co_return tl::unexpected<Error>(*health.refusal);
    }
    health.refusal.reset();
    health.identified = now();
    co_return Result<>{};
}

void EndpointPool::refuse(std::size_t i, std::string why) {
    auto& health = members_[i]->health();
    if (!health.refusal) log::error("chain: endpoint {} is not used: {}", members_[i]->name(), why);
    health.last_error = why;
    health.refusal = Error{ErrorCode::failed_precondition, std::move(why), std::string(kOtherChain)};
    health.identified.reset();
    health.retry_at = now() + settings_.refused_check;
}

/// Unless it is configured, the genesis is what the quorum first agrees on; whoever has another is refused.
void EndpointPool::settle_genesis() {
    if (!genesis_) {
        std::map<Hash32, std::size_t> voices;
        for (const auto& each : members_) {
            const auto& health = each->health();
            if (!is_identified(health)) continue;
            if (++voices[*health.genesis] < settings_.quorum) continue;
            genesis_ = health.genesis;
            break;
        }
    }
    if (!genesis_) return;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const auto& health = members_[i]->health();
        if (!is_identified(health) || *health.genesis == *genesis_) continue;
        refuse(i, other_genesis(*health.genesis, *genesis_));
    }
}

bool EndpointPool::is_due(const EndpointHealth& health) const {
    const auto time = now();
    if (time < health.retry_at) return false;
    if (!is_identified(health) || time - *health.identified >= settings_.identity_check) return true;
    if (members_.size() == 1) return false;
    return !health.head_seen || time - *health.head_seen >= settings_.head_age;
}

bool EndpointPool::is_identified(const EndpointHealth& health) const {
    return health.identified && !health.refusal;
}

bool EndpointPool::is_usable(const EndpointHealth& health) const {
    if (!genesis_ || !is_identified(health)) return false;
    return members_.size() == 1 || (health.head && lag_of(health) <= settings_.max_lag);
}

bool EndpointPool::is_slow(const EndpointHealth& health) const {
    return health.latency_us >= std::chrono::microseconds(settings_.patience).count();
}

std::size_t EndpointPool::fresh(MonotonicTime since) const {
    const auto is_fresh = [&](const auto& each) {
        const auto& health = each->health();
        return is_usable(health) && (!health.head_seen || since - *health.head_seen < settings_.head_age);
    };
    return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), is_fresh));
}

std::uint64_t EndpointPool::lag_of(const EndpointHealth& health) const {
    const auto head = health.head.value_or(0);
    const auto newest = std::max(reached_, common_head());
    return newest > head ? newest - head : 0;
}

std::uint64_t EndpointPool::common_head() const {
    std::vector<std::uint64_t> heads;
    for (const auto& each : members_) {
        if (is_identified(each->health()) && each->health().head) heads.push_back(*each->health().head);
    }
    std::sort(heads.begin(), heads.end(), std::greater<>());
    return heads.size() < settings_.quorum ? 0 : heads[settings_.quorum - 1];
}

std::vector<std::size_t> EndpointPool::ordered() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (is_usable(members_[i]->health())) order.push_back(i);
    }
    const auto time = now();
    const auto common = common_head();
    const auto rank = [&](std::size_t i) {
        const auto& health = members_[i]->health();
        return std::tuple(health.distrusted_until > time, is_slow(health), health.head.value_or(0) < common);
    };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
    return order;
}

Error EndpointPool::too_few() const {
    std::string reasons;
    std::size_t refused = 0;
    for (const auto& each : members_) {
        const auto& health = each->health();
        if (is_usable(health)) continue;
        refused += health.refusal ? 1 : 0;
        std::string why = health.refusal ? health.refusal->message : health.last_error;
        if (is_identified(health) && genesis_) why = fmt::format("{} blocks behind", lag_of(health));
        if (is_identified(health) && !genesis_) why = "its genesis block is not confirmed by another endpoint";
        append(reasons, fmt::format("{}: {}", each->name(), why));
    }
    if (members_.size() - refused < settings_.quorum) {
        return {ErrorCode::failed_precondition, "too few Ethereum endpoints serve the configured chain: " + reasons,
                std::string(kOtherChain)};
    }
    return {ErrorCode::unavailable,
            fmt::format("{} of {} Ethereum endpoints can be used, needed are {}: {}", ordered().size(), members_.size(),
                        settings_.quorum, reasons),
            "check the endpoints, or add some to chain.endpoints"};
}

// --------------------------------------------------------------------------------------- how they are asked

Task<Tally> EndpointPool::ask(std::vector<std::size_t> order, RpcCall call, Missing missing, milliseconds pace) {
    const auto newest = top();
    const auto tally_of = [call, newest](const Answers& answers) {
        Tally tally(call, newest);
        for (const auto& each : answers) tally.add(each.endpoint, each.value);
        return tally;
    };
    Inquiry<Result<RpcReply>> inquiry;
    inquiry.order = std::move(order);
    inquiry.ask = [this, call](std::size_t i) { return members_[i]->exchange(call); };
    inquiry.wanted = [tally_of, missing = std::move(missing)](const Answers& answers) {
        return missing(tally_of(answers));
    };
    inquiry.patience = pace;
    auto answers = co_await gather(std::move(inquiry));
    auto tally = tally_of(answers);
    for (const auto& each : tally.silent()) {
        if (each.malformed) members_[each.endpoint]->note_failure(each.why);
    }
    co_return tally;
}

/// Blocks above it are not known to enough endpoints yet.
std::uint64_t EndpointPool::top() const {
    return settings_.quorum > 1 ? common_head() : ~std::uint64_t{0};
}

std::string EndpointPool::describe(const RpcCall& call) const {
    return settings_.quorum > 1 ? fmt::format("{} at block {}", call.method, top()) : call.method;
}

Task<Result<RpcReply>> EndpointPool::agree(RpcCall call) {
    const auto asked = ordered().size();
    auto first = call;
    auto reply = co_await agree_among(std::move(first));
    if (reply || asked == members_.size()) co_return reply;
    // One that is farther away than the others has not had the time to be known, and may decide.
    std::ignore = co_await look(settings_.patience);
    if (ordered().size() <= asked) co_return reply;
    co_return co_await agree_among(std::move(call));
}

Task<Result<RpcReply>> EndpointPool::agree_among(RpcCall call) {
    const auto quorum = settings_.quorum;
    const auto about = describe(call);
    if (quorum > 1) call = at_block(std::move(call), top());
    auto missing = [quorum](const Tally& tally) {
        const auto* camp = tally.largest();
        return quorum - std::min(quorum, camp ? camp->endpoints.size() : 0);
    };
    const auto tally = co_await ask(ordered(), std::move(call), std::move(missing), settings_.patience);
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
    const auto quorum = settings_.quorum;
    const auto about = call.method;
    const auto start = now();
    const auto patience = settings_.patience;
    auto missing = [quorum, start, patience](const Tally& tally) -> std::size_t {
        const auto said = tally.results() + tally.reverts();
        const bool enough = tally.results() >= quorum || tally.reverts() >= quorum;
        if (enough && now() - start >= patience) return 0;
        return 2 * quorum - 1 - std::min(2 * quorum - 1, said);
    };
    const auto tally = co_await ask(ordered(), std::move(call), std::move(missing), patience);
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
    const auto quorum = settings_.quorum;
    const auto about = call.method;
    const auto is_known = [](const Tally::Camp& each) {
        return each.opinion.reply.has_value() && !each.opinion.reply->is_null();
    };
    const auto order = ordered();
    auto missing = [is_known, count = order.size()](const Tally& tally) -> std::size_t {
        const auto& camps = tally.camps();
        if (std::any_of(camps.begin(), camps.end(), is_known)) return 0;
        return count - tally.results() - tally.reverts();
    };
    const auto tally = co_await ask(order, std::move(call), std::move(missing), settings_.patience);
    for (const auto& each : tally.camps()) {
        if (is_known(each)) co_return each.opinion.reply;
    }
    if (tally.results() >= quorum) co_return RpcReply(nullptr);
    co_return tl::unexpected<Error>(no_agreement(tally, about));
}

/// To every endpoint of the right chain, also one that lags. The hash is computed here, so that an endpoint that
/// swallows a transaction and tells of another one is not believed.
Task<Result<RpcReply>> EndpointPool::broadcast(RpcCall call) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (genesis_ && is_identified(members_[i]->health())) order.push_back(i);
    }
    const auto raw = call.params.empty() ? Result<Bytes>(Bytes{}) : as_data(call.params.front());
    if (!raw) co_return tl::unexpected<Error>(raw.error());
    const auto hash = crypto::keccak256(*raw).hex0x();
    const auto is_taken = [hash](const Tally::Camp& each) { return each.opinion.key == '"' + hash + '"'; };
    const auto start = now();
    auto missing = [is_taken, start, patience = settings_.patience, count = order.size()](const Tally& tally) {
        const auto& camps = tally.camps();
        const bool taken = std::any_of(camps.begin(), camps.end(), is_taken);
        if (taken && now() - start >= patience) return std::size_t{0};
        return count - tally.results() - tally.reverts() - tally.silent().size();
    };
    const auto tally = co_await ask(order, std::move(call), std::move(missing), settings_.patience);
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
        for (const auto i : each.endpoints) members_[i]->note_disagreement(about, settings_.distrust);
    }
}

Error EndpointPool::no_agreement(const Tally& tally, const std::string& about) {
    const bool contradictory = tally.camps().size() > 1;
    std::string names;
    for (const auto& camp : tally.camps()) {
        for (const auto i : camp.endpoints) {
            if (contradictory) members_[i]->note_disagreement(about, milliseconds(0));
            append(names, members_[i]->name(), ", ");
        }
    }
    if (contradictory) {
        return {ErrorCode::unavailable,
                fmt::format("the Ethereum endpoints contradict each other about {}: {}", about, names),
                "compare them with one you trust; with more endpoints in chain.endpoints the majority decides"};
    }
    std::string reasons;
    for (const auto& each : tally.silent()) {
        append(reasons, fmt::format("{}: {}", members_[each.endpoint]->name(), each.why.message));
    }
    return {ErrorCode::unavailable,
            fmt::format("too few Ethereum endpoints answered {}: {}", about, reasons.empty() ? names : reasons),
            "check the endpoints, or add some to chain.endpoints"};
}

// ---------------------------------------------------------------------------------------------- what people see

std::vector<ports::EndpointStatus> EndpointPool::status() const {
    std::vector<ports::EndpointStatus> out;
    for (const auto& each : members_) {
        const auto& health = each->health();
        ports::EndpointStatus status;
        status.name = each->name();
        status.head = health.head;
        status.lag = health.head ? lag_of(health) : 0;
        status.latency = milliseconds(health.latency_us / 1000);
        status.calls = health.calls;
        status.failures = health.failures;
        status.disagreements = health.disagreements;
        status.last_error = health.last_error;
        status.state = state_of(health);
        out.push_back(std::move(status));
    }
    return out;
}

ports::EndpointState EndpointPool::state_of(const EndpointHealth& health) const {
    using ports::EndpointState;
    if (health.refusal) return EndpointState::refused;
    if (health.failures_in_a_row > 0) return EndpointState::unreachable;
    if (!is_identified(health)) return EndpointState::unknown;
    if (members_.size() > 1 && lag_of(health) > settings_.max_lag) return EndpointState::lagging;
    if (health.distrusted_until > now()) return EndpointState::disagrees;
    if (is_slow(health)) return EndpointState::slow;
    return EndpointState::ok;
}

}  // namespace myst::chain
