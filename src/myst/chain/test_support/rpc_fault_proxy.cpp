#include "myst/chain/test_support/rpc_fault_proxy.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/base/check.hpp"
#include "myst/chain/eth_json.hpp"

namespace myst::chain::testing {
namespace {

namespace json = boost::json;
using sys::testing::ServerAnswer;
using sys::testing::ServerRequest;

constexpr std::uint64_t kStaleBlocks = 20;
constexpr unsigned kSpike = 1000;

constexpr std::array<std::string_view, kRpcFaultClasses> kNames = {
    "timeout",       "busy",          "server_error", "truncated", "wrong_id",     "shuffled_batch",
    "stale_head",    "empty_logs",    "null_receipt", "duplicate", "reset_before", "reset_after",
    "already_known", "nonce_too_low", "underpriced",  "fee_spike", "wrong_chain"};

/// The method that a class is about; empty if it can meet any request.
std::string_view method_of(RpcFaultClass fault) {
    switch (fault) {
        case RpcFaultClass::stale_head: return "eth_blockNumber";
        case RpcFaultClass::empty_logs: return "eth_getLogs";
        case RpcFaultClass::null_receipt: return "eth_getTransactionReceipt";
        case RpcFaultClass::fee_spike: return "eth_feeHistory";
        case RpcFaultClass::wrong_chain: return "eth_chainId";
        case RpcFaultClass::duplicate:
        case RpcFaultClass::reset_before:
        case RpcFaultClass::reset_after:
        case RpcFaultClass::already_known:
        case RpcFaultClass::nonce_too_low:
        case RpcFaultClass::underpriced: return "eth_sendRawTransaction";
        default: return "";
    }
}

/// One in how many fitting requests meets a fault. What can meet any request is rarer, so that transactions get done.
unsigned rarity_of(RpcFaultClass fault) {
    return method_of(fault).empty() && fault != RpcFaultClass::shuffled_batch ? 8 : 2;
}

std::string_view refusal_of(RpcFaultClass fault) {
    if (fault == RpcFaultClass::already_known) return "already known";
    if (fault == RpcFaultClass::nonce_too_low) return "nonce too low";
    return "replacement transaction underpriced";
}

bool fits(RpcFaultClass fault, const std::string& body) {
    if (fault == RpcFaultClass::shuffled_batch) return body.starts_with('[');
    return body.find(method_of(fault)) != std::string::npos;
}

/// Applies `change` to the result of the call that the class is about, wherever it stands in the answer.
template <class Change>
std::string change_result(RpcFaultClass fault, const std::string& body, const std::string& reply, Change change) {
    const auto request = json::parse(body);
    auto answer = json::parse(reply);
    const auto alter = [&](const json::value& call, json::value& one) {
        auto& object = one.as_object();
        if (call.at("method").as_string() == method_of(fault) && object.contains("result")) change(object["result"]);
    };
    if (!request.is_array()) {
        alter(request, answer);
    } else {
        for (const auto& call : request.as_array()) {
            for (auto& one : answer.as_array()) {
                if (one.at("id") == call.at("id")) alter(call, one);
            }
        }
    }
    return json::serialize(answer);
}

std::string with_other_ids(const std::string& reply) {
    auto answer = json::parse(reply);
    if (answer.is_array()) {
        for (auto& one : answer.as_array()) one.as_object()["id"] = 987654321;
    } else {
        answer.as_object()["id"] = 987654321;
    }
    return json::serialize(answer);
}

std::string shuffled(const std::string& reply, std::mt19937& dice) {
    auto answer = json::parse(reply);
    if (answer.is_array()) std::shuffle(answer.as_array().begin(), answer.as_array().end(), dice);
    return json::serialize(answer);
}

void make_stale(json::value& head) {
    const auto number = as_u64(head).value();
    head = quantity(number - std::min(number, kStaleBlocks));
}

void spike(json::value& history) {
    for (auto& fee : history.at("baseFeePerGas").as_array()) {
        const Uint256 raised = as_uint256(fee).value() * kSpike;
        fee = "0x" + raised.str(0, std::ios_base::hex);
    }
}

std::string refusal(RpcFaultClass fault, const std::string& body) {
    const auto request = json::parse(body);
    const json::object error{{"code", -32000}, {"message", refusal_of(fault)}};
    return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"error", error}});
}

}  // namespace

std::string_view to_string(RpcFaultClass fault) {
    return kNames.at(static_cast<std::size_t>(fault));
}

RpcFaultProxy::RpcFaultProxy(asio::io_context& context, std::string upstream)
    : upstream_(std::move(upstream)),
      server_(std::make_unique<sys::testing::HttpTestServer>(
          context, [this](ServerRequest request) { return serve(std::move(request)); })) {}

void RpcFaultProxy::inject(RpcFaultClass fault, std::size_t count) {
    fault_ = fault;
    left_ = count;
}

Task<std::string> RpcFaultProxy::forward(std::string body) {
    sys::HttpRequest request;
    request.method = "POST";
    request.url = upstream_;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = std::move(body);
    auto response = co_await client_.request(std::move(request));
    CHECK(response.has_value());
    co_return std::move(response->body);
}

Task<ServerAnswer> RpcFaultProxy::serve(ServerRequest request) {
    if (left_ > 0 && fits(fault_, request.body) && dice_() % rarity_of(fault_) == 0) {
        --left_;
        co_return co_await fail(fault_, std::move(request.body));
    }
    ServerAnswer answer;
    answer.body = co_await forward(std::move(request.body));
    co_return answer;
}

Task<ServerAnswer> RpcFaultProxy::fail(RpcFaultClass fault, std::string body) {
    ServerAnswer answer;
    switch (fault) {
        case RpcFaultClass::timeout: answer.hang = true; co_return answer;
        case RpcFaultClass::busy: answer.status = 429; co_return answer;
        case RpcFaultClass::server_error: answer.status = 503; co_return answer;
        case RpcFaultClass::reset_before: answer.drop = true; co_return answer;
        case RpcFaultClass::already_known:
        case RpcFaultClass::nonce_too_low:
        case RpcFaultClass::underpriced:
            if (left_ % 2 == 0) std::ignore = co_await forward(body);
            answer.body = refusal(fault, body);
            co_return answer;
        default: break;
    }
    answer.body = co_await forward(body);
    const auto set = [&](auto change) { answer.body = change_result(fault, body, answer.body, change); };
    switch (fault) {
        case RpcFaultClass::truncated: answer.body.resize(answer.body.size() / 2); break;
        case RpcFaultClass::wrong_id: answer.body = with_other_ids(answer.body); break;
        case RpcFaultClass::shuffled_batch: answer.body = shuffled(answer.body, dice_); break;
        case RpcFaultClass::stale_head: set(make_stale); break;
        case RpcFaultClass::empty_logs: set([](json::value& logs) { logs = json::array(); }); break;
        case RpcFaultClass::null_receipt: set([](json::value& receipt) { receipt = nullptr; }); break;
        case RpcFaultClass::fee_spike: set(spike); break;
        case RpcFaultClass::wrong_chain: set([](json::value& id) { id = "0x539"; }); break;
        case RpcFaultClass::duplicate: answer.body = co_await forward(body); break;
        case RpcFaultClass::reset_after: answer.drop = true; break;
        default: break;
    }
    co_return answer;
}

}  // namespace myst::chain::testing
