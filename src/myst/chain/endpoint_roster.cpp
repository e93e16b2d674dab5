#include "myst/chain/endpoint_roster.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "myst/base/busy.hpp"
#include "myst/base/check.hpp"
#include "myst/base/log.hpp"
#include "myst/chain/eth_json.hpp"
#include "myst/chain/rpc_gather.hpp"

namespace myst::chain {
namespace {

constexpr std::string_view kOtherChain = "correct the endpoint's URL, chain.chain_id or chain.genesis";

std::string other_genesis(const Hash32& theirs, const Hash32& right) {
    return fmt::format("its genesis block is {}, expected is {}", theirs.hex0x(), right.hex0x());
}

}  // namespace

EndpointRoster::EndpointRoster(EndpointPoolSettings settings, std::vector<Member> members, const Clock& clock)
    : settings_(settings), clock_(clock), genesis_(settings_.genesis) {
    CHECK(!members.empty() && settings_.quorum >= 1 && settings_.quorum <= members.size());
    for (auto& each : members) {
        members_.push_back(std::make_unique<MonitoredEndpoint>(std::move(each.name), std::move(each.endpoint),
                                                               settings_.pauses, clock_));
    }
}

Task<Result<>> EndpointRoster::look(milliseconds pause) {
    std::vector<std::size_t> due;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (is_due(members_[i]->health())) due.push_back(i);
    }
    const bool others_look = looking_ && ordered().size() >= settings_.quorum;
    if (!due.empty() && !others_look) {
        const Busy looking(looking_);
        const auto start = clock_.now();
        const auto count = due.size();
        Inquiry<Result<RpcReply>> inquiry;
        inquiry.order = std::move(due);
        inquiry.ask = [this](std::size_t i) { return probe(i); };
        inquiry.wanted = [this, start, count,
                          pause](const std::vector<Answer<Result<RpcReply>>>& answers) -> std::size_t {
            settle_genesis();
            const bool enough = fresh(start) >= settings_.quorum && clock_.now() - start >= pause;
            return enough ? 0 : count - answers.size();
        };
        inquiry.patience = pause;
        std::ignore = co_await gather(std::move(inquiry));
    }
    if (ordered().size() < settings_.quorum) co_return tl::unexpected<Error>(too_few());
    if (settings_.quorum > 1) reached_ = std::max(reached_, common_head());
    co_return Result<>{};
}

Task<Result<std::uint64_t>> EndpointRoster::head_number() {
    auto ready = co_await look(settings_.linger);
    if (!ready) co_return forward_error(ready);
    if (members_.size() > 1) co_return common_head();
    auto reply = co_await ask_head(0);
    if (!reply) co_return forward_error(reply);
    co_return *members_.front()->health().head;
}

Task<Result<RpcReply>> EndpointRoster::probe(std::size_t i) {
    auto& endpoint = *members_[i];
    const auto& seen = endpoint.health().identified;
    if (!seen || clock_.now() - *seen >= settings_.identity_check) {
        auto same = co_await identify(i);
        if (!same) co_return forward_error(same);
    }
    // A single endpoint cannot be behind others: its head is asked for when somebody wants it.
    if (members_.size() == 1) co_return RpcReply(nullptr);
    co_return co_await ask_head(i);
}

Task<Result<RpcReply>> EndpointRoster::ask_head(std::size_t i) {
    auto& endpoint = *members_[i];
    auto reply = co_await endpoint.call("eth_blockNumber");
    if (!reply) co_return forward_error(reply);
    const auto head = as_u64(*reply);
    if (!head) {
        endpoint.note_failure(head.error());
        co_return tl::unexpected<Error>(head.error());
    }
    endpoint.health().head = *head;
    endpoint.health().head_seen = clock_.now();
    co_return RpcReply(std::move(*reply));
}

/// Chain id and genesis. Whether the genesis is the right one is decided when enough have told theirs.
Task<Result<>> EndpointRoster::identify(std::size_t i) {
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
    health.identified = clock_.now();
    co_return Result<>{};
}

void EndpointRoster::refuse(std::size_t i, std::string why) {
    auto& health = members_[i]->health();
    if (!health.refusal) log::error("chain: endpoint {} is not used: {}", members_[i]->name(), why);
    health.last_error = why;
    health.refusal = Error{ErrorCode::failed_precondition, std::move(why), std::string(kOtherChain)};
    health.identified.reset();
    health.retry_at = clock_.now() + settings_.refused_check;
}

/// Unless it is configured, the genesis is what the quorum first agrees on; whoever has another is refused.
void EndpointRoster::settle_genesis() {
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

bool EndpointRoster::is_due(const EndpointHealth& health) const {
    const auto time = clock_.now();
    if (time < health.retry_at) return false;
    if (!is_identified(health) || time - *health.identified >= settings_.identity_check) return true;
    if (members_.size() == 1) return false;
    return !health.head_seen || time - *health.head_seen >= settings_.head_age;
}

bool EndpointRoster::is_identified(const EndpointHealth& health) const {
    return health.identified && !health.refusal;
}

bool EndpointRoster::is_usable(const EndpointHealth& health) const {
    if (!genesis_ || !is_identified(health)) return false;
    return members_.size() == 1 || (health.head && lag_of(health) <= settings_.max_lag);
}

bool EndpointRoster::is_slow(const EndpointHealth& health) const {
    return health.latency_us >= std::chrono::microseconds(settings_.patience).count();
}

std::size_t EndpointRoster::fresh(MonotonicTime since) const {
    const auto is_fresh = [&](const auto& each) {
        const auto& health = each->health();
        return is_usable(health) && (!health.head_seen || since - *health.head_seen < settings_.head_age);
    };
    return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), is_fresh));
}

std::uint64_t EndpointRoster::lag_of(const EndpointHealth& health) const {
    const auto head = health.head.value_or(0);
    const auto newest = std::max(reached_, common_head());
    return newest > head ? newest - head : 0;
}

std::uint64_t EndpointRoster::common_head() const {
    std::vector<std::uint64_t> heads;
    for (const auto& each : members_) {
        if (is_identified(each->health()) && each->health().head) heads.push_back(*each->health().head);
    }
    std::sort(heads.begin(), heads.end(), std::greater<>());
    return heads.size() < settings_.quorum ? 0 : heads[settings_.quorum - 1];
}

std::vector<std::size_t> EndpointRoster::ordered() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (is_usable(members_[i]->health())) order.push_back(i);
    }
    const auto time = clock_.now();
    const auto common = common_head();
    const auto rank = [&](std::size_t i) {
        const auto& health = members_[i]->health();
        return std::tuple(health.distrusted_until > time, is_slow(health), health.head.value_or(0) < common);
    };
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
    return order;
}

std::vector<std::size_t> EndpointRoster::of_right_chain() const {
    std::vector<std::size_t> list;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (genesis_ && is_identified(members_[i]->health())) list.push_back(i);
    }
    return list;
}

Error EndpointRoster::too_few() const {
    std::vector<std::string> list;
    std::size_t refused = 0;
    for (const auto& each : members_) {
        const auto& health = each->health();
        if (is_usable(health)) continue;
        refused += health.refusal ? 1 : 0;
        std::string why = health.refusal ? health.refusal->message : health.last_error;
        if (is_identified(health) && genesis_) why = fmt::format("{} blocks behind", lag_of(health));
        if (is_identified(health) && !genesis_) why = "its genesis block is not confirmed by another endpoint";
        list.push_back(fmt::format("{}: {}", each->name(), why));
    }
    const auto reasons = fmt::format("{}", fmt::join(list, "; "));
    if (members_.size() - refused < settings_.quorum) {
        return {ErrorCode::failed_precondition, "too few Ethereum endpoints serve the configured chain: " + reasons,
                std::string(kOtherChain)};
    }
    return {ErrorCode::unavailable,
            fmt::format("{} of {} Ethereum endpoints can be used, needed are {}: {}", ordered().size(), members_.size(),
                        settings_.quorum, reasons),
            "check the endpoints, or add some to chain.endpoints"};
}

std::vector<ports::EndpointStatus> EndpointRoster::status() const {
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

ports::EndpointState EndpointRoster::state_of(const EndpointHealth& health) const {
    using ports::EndpointState;
    if (health.refusal) return EndpointState::refused;
    if (health.failures_in_a_row > 0) return EndpointState::unreachable;
    if (!is_identified(health)) return EndpointState::unknown;
    if (members_.size() > 1 && lag_of(health) > settings_.max_lag) return EndpointState::lagging;
    if (health.distrusted_until > clock_.now()) return EndpointState::disagrees;
    if (is_slow(health)) return EndpointState::slow;
    return EndpointState::ok;
}

}  // namespace myst::chain
