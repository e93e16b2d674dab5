#include "myst/chain/rpc_agreement.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/wallet_rpc.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

/// Members of an answer that are compared, and passed on; others differ between programs and are not used.
struct Shape {
    std::string_view method;
    std::string_view number;  ///< the member that says which block it belongs to
    std::array<std::string_view, 5> members;
};
constexpr std::array<Shape, 2> kShapes{{
    {"eth_getBlockByNumber", "number", {"number", "hash", "parentHash", "timestamp", "logsBloom"}},
    {"eth_getTransactionReceipt", "blockNumber", {"transactionHash", "blockHash", "blockNumber", "status", "gasUsed"}},
}};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

Opinion opinion(json::value value) {
    auto key = lower(json::serialize(value));
    return {std::move(key), std::move(value)};
}

Result<std::optional<Opinion>> reduced(const Shape& shape, const json::value& answer, std::uint64_t top) {
    if (answer.is_null()) return opinion(nullptr);
    json::object kept;
    for (const auto name : shape.members) {
        auto found = member(answer, name);
        if (!found) return forward_error(found, shape.method);
        kept[name] = **found;
    }
    const auto number = as_u64(kept.at(shape.number));
    if (!number) return fail(ErrorCode::invalid_data, std::string(shape.method) + ": the block's number is malformed");
    if (*number > top) return opinion(nullptr);
    return opinion(std::move(kept));
}

}  // namespace

JoinRule rule_of(std::string_view method) {
    if (method == "eth_sendRawTransaction") return JoinRule::broadcast;
    if (method == "eth_getTransactionByHash") return JoinRule::anyone;
    if (method == "eth_estimateGas" || method == "eth_maxPriorityFeePerGas") return JoinRule::median;
    return JoinRule::agree;
}

RpcCall at_block(RpcCall call, std::uint64_t number) {
    for (auto& each : call.params) {
        if (each.is_string() && each.get_string() == "latest") each = quantity(number);
    }
    return call;
}

Result<std::optional<Opinion>> opinion_of(const RpcCall& call, const RpcReply& reply, std::uint64_t top) {
    if (!reply) {
        const auto& fault = reply.error();
        if (!is_revert(fault)) return std::optional<Opinion>{};
        // Programs word the message differently; the data is the contract's.
        return Opinion{"revert " + to_hex0x(fault.data), reply};
    }
    for (const auto& shape : kShapes) {
        if (shape.method == call.method) return reduced(shape, *reply, top);
    }
    if (call.method == "eth_feeHistory") {
        auto fees = member(*reply, "baseFeePerGas");
        if (!fees) return forward_error(fees, call.method);
        return Opinion{lower(json::serialize(**fees)),
                       reply};  // rewards are estimates, and bounded where they are used
    }
    return opinion(*reply);
}

void Tally::add(std::size_t endpoint, const Result<RpcReply>& answer) {
    if (!answer) {
        silent_.push_back({endpoint, answer.error()});
        return;
    }
    auto said = opinion_of(call_, *answer, top_);
    if (!said) {
        silent_.push_back({endpoint, std::move(said.error()), true});
        return;
    }
    if (!*said) {
        silent_.push_back({endpoint, to_error(answer->error(), call_.method), false, answer->error()});
        return;
    }
    const auto same =
        std::find_if(camps_.begin(), camps_.end(), [&](const Camp& each) { return each.opinion.key == (*said)->key; });
    if (same != camps_.end()) {
        same->endpoints.push_back(endpoint);
    } else {
        camps_.push_back({std::move(**said), {endpoint}});
    }
}

const Tally::Camp* Tally::largest() const {
    const auto most = std::max_element(camps_.begin(), camps_.end(), [](const Camp& a, const Camp& b) {
        return a.endpoints.size() < b.endpoints.size();
    });
    return most == camps_.end() ? nullptr : &*most;
}

std::size_t Tally::count(bool results) const {
    std::size_t sum = 0;
    for (const auto& each : camps_) sum += each.opinion.reply.has_value() == results ? each.endpoints.size() : 0;
    return sum;
}

Result<RpcReply> Tally::median(std::size_t enough) const {
    std::vector<Uint256> values;
    for (const auto& each : camps_) {
        if (!each.opinion.reply) continue;
        auto value = as_uint256(*each.opinion.reply);
        if (!value) return forward_error(value, call_.method);
        values.insert(values.end(), each.endpoints.size(), *value);
    }
    if (values.empty()) return fail(ErrorCode::unavailable, call_.method + ": no endpoint answered");
    std::sort(values.begin(), values.end());
    // Among fewer, the middle one may be a liar's. A tip is bounded where it is used; gas would spend or close an
    // intent.
    if (values.size() < enough && call_.method == "eth_estimateGas" && values.back() / 2 > values.front()) {
        return fail(ErrorCode::unavailable, fmt::format("{}: the endpoints say {} and {}", call_.method,
                                                        values.front().str(), values.back().str()));
    }
    return RpcReply(json::value("0x" + values[values.size() / 2].str(0, std::ios_base::hex)));
}

}  // namespace myst::chain
