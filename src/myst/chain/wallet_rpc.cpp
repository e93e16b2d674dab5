#include "myst/chain/wallet_rpc.hpp"

#include <algorithm>
#include <array>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/lanes_contract.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

/// Base fee of the block to come: the last one of the list.
Result<Uint256> next_base_fee(const json::value& history) {
    auto list = member(history, "baseFeePerGas");
    if (!list) return forward_error(list);
    const auto* fees = (*list)->if_array();
    if (!fees || fees->empty()) return fail(ErrorCode::invalid_data, "the fee history is empty");
    return as_uint256(fees->back());
}

/// Median of the rewards that the endpoint lists, zero if it lists none.
Uint256 median_reward(const json::value& history) {
    std::vector<Uint256> rewards;
    const auto list = member(history, "reward");
    const auto* rows = list ? (*list)->if_array() : nullptr;
    if (!rows) return 0;
    for (const auto& row : *rows) {
        const auto* percentiles = row.if_array();
        if (!percentiles || percentiles->empty()) continue;
        if (auto reward = as_uint256(percentiles->front())) rewards.push_back(*reward);
    }
    if (rewards.empty()) return 0;
    std::sort(rewards.begin(), rewards.end());
    return rewards[rewards.size() / 2];
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

bool is_revert(const RpcFault& fault) {
    constexpr std::array<std::string_view, 7> kSigns = {"revert",        "gas required exceeds", "invalid opcode",
                                                        "out of gas",    "VM execution error",   "invalid jump",
                                                        "stack overflow"};
    if (fault.code == 3 || !fault.data.empty()) return true;
    return std::any_of(kSigns.begin(), kSigns.end(), [&](auto sign) { return contains(fault.message, sign); });
}

std::string describe_revert(const RpcFault& fault) {
    return fault.data.empty() ? fault.message : revert_reason(fault.data);
}

Task<Result<json::value>> WalletRpc::ask(std::string method, json::array params) {
    return client_.call(std::move(method), std::move(params));
}

Task<Result<std::uint64_t>> WalletRpc::chain_id() {
    auto reply = co_await ask("eth_chainId", {});
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<std::uint64_t>> WalletRpc::block_number() {
    auto reply = co_await ask("eth_blockNumber", {});
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<std::uint64_t>> WalletRpc::mined_count() {
    json::array params;
    params.emplace_back(account_.hex0x());
    params.emplace_back("latest");
    auto reply = co_await ask("eth_getTransactionCount", std::move(params));
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<Uint256>> WalletRpc::balance() {
    json::array params;
    params.emplace_back(account_.hex0x());
    params.emplace_back("latest");
    auto reply = co_await ask("eth_getBalance", std::move(params));
    if (!reply) co_return forward_error(reply);
    co_return as_uint256(*reply);
}

Task<Result<std::optional<Receipt>>> WalletRpc::receipt(Hash32 hash) {
    json::array params;
    params.emplace_back(hash.hex0x());
    auto reply = co_await ask("eth_getTransactionReceipt", std::move(params));
    if (!reply) co_return forward_error(reply);
    if (reply->is_null()) co_return std::optional<Receipt>{};
    std::array<const json::value*, 5> members{};
    constexpr std::array<std::string_view, 5> kNames = {"transactionHash", "blockHash", "blockNumber", "status",
                                                        "gasUsed"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        auto found = member(*reply, kNames[i]);
        if (!found) co_return forward_error(found, "receipt");
        members[i] = *found;
    }
    const auto tx_hash = as_fixed<Hash32>(*members[0]);
    const auto block_hash = as_fixed<Hash32>(*members[1]);
    const auto number = as_u64(*members[2]);
    const auto status = as_u64(*members[3]);
    const auto gas_used = as_u64(*members[4]);
    if (!tx_hash || *tx_hash != hash || !block_hash || !number || !status || *status > 1 || !gas_used) {
        co_return fail(ErrorCode::invalid_data, "the endpoint's receipt is malformed or another transaction's");
    }
    json::array block_params;
    block_params.emplace_back(quantity(*number));
    block_params.emplace_back(false);
    auto block = co_await ask("eth_getBlockByNumber", std::move(block_params));
    if (!block) co_return forward_error(block);
    auto header = as_header(*block);
    if (!header && header.error().code == ErrorCode::not_found) co_return std::optional<Receipt>{};
    if (!header) co_return forward_error(header, "eth_getBlockByNumber");
    if (header->number != *number || header->hash != *block_hash) co_return std::optional<Receipt>{};
    co_return Receipt{{header->number, header->hash, header->time}, *status == 1, *gas_used};
}

Task<Result<bool>> WalletRpc::knows(Hash32 hash) {
    json::array params;
    params.emplace_back(hash.hex0x());
    auto reply = co_await ask("eth_getTransactionByHash", std::move(params));
    if (!reply) co_return forward_error(reply);
    co_return !reply->is_null();
}

Task<Result<RpcReply>> WalletRpc::estimate_gas(Address to, Bytes data) {
    json::object call{{"from", account_.hex0x()}, {"to", to.hex0x()}, {"data", to_hex0x(data)}};
    RpcCall request{"eth_estimateGas", {}};
    request.params.push_back(std::move(call));
    co_return co_await client_.exchange(std::move(request));
}

Task<Result<RpcReply>> WalletRpc::send(Bytes raw) {
    RpcCall request{"eth_sendRawTransaction", {}};
    request.params.emplace_back(to_hex0x(raw));
    co_return co_await client_.exchange(std::move(request));
}

Task<Result<MarketFees>> WalletRpc::fees() {
    json::array percentile{50};
    json::array params;
    params.emplace_back("0x5");
    params.emplace_back("latest");
    params.push_back(std::move(percentile));
    auto history = co_await ask("eth_feeHistory", std::move(params));
    if (!history) co_return forward_error(history);
    auto base = next_base_fee(*history);
    if (!base) co_return forward_error(base, "eth_feeHistory");
    Uint256 priority = median_reward(*history);
    RpcCall tip_call{"eth_maxPriorityFeePerGas", {}};
    auto tip = co_await client_.exchange(std::move(tip_call));
    if (!tip) co_return forward_error(tip);
    if (*tip) {
        auto value = as_uint256(**tip);
        if (!value) co_return forward_error(value, "eth_maxPriorityFeePerGas");
        priority = *value;
    }
    co_return MarketFees{*base, priority};
}

}  // namespace myst::chain
