#include "myst/chain/test_support/endpoint_double.hpp"

#include "myst/base/check.hpp"
#include "myst/chain/eth_json.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/codec/abi.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain::testing {
namespace {

namespace json = boost::json;
using codec::abi::Encoder;

json::value header_json(std::uint64_t number) {
    const auto parent = number == 0 ? Hash32{} : ChainTruth::hash_of(number - 1);
    return {{"number", quantity(number)},
            {"hash", ChainTruth::hash_of(number).hex0x()},
            {"parentHash", parent.hex0x()},
            {"timestamp", quantity(1'700'000'000 + number)},
            {"logsBloom", Bloom{}.hex0x()}};
}

Bytes called(const Bytes& data, std::uint64_t number) {
    const auto is = [&data](const Bytes& other) { return std::equal(other.begin(), other.begin() + 4, data.begin()); };
    if (is(call::token())) return Encoder().address(ChainTruth::identity().token).finish();
    if (is(call::accounts({}))) {
        const auto state = ChainTruth::account_at_block(number);
        return Encoder().amount(state.free).amount(state.exiting).uint(0).uint(0).finish();
    }
    CHECK(is(call::lanes({}, {})));
    const auto state = ChainTruth::lane_at_block(number);
    return Encoder().amount(state.paid).amount(state.cap).uint(0).uint(state.epoch).finish();
}

}  // namespace

ports::AccountState ChainTruth::account_at_block(std::uint64_t number) {
    return {Amount(1'000'000 + number), Amount(number), UnixTime{}};
}

ports::LaneState ChainTruth::lane_at_block(std::uint64_t number) {
    return {Amount(number), Amount(2 * number), UnixTime{}, 3};
}

Uint256 ChainTruth::ether_at_block(std::uint64_t number) {
    return Uint256("1000000000000000000") + number;
}

Hash32 ChainTruth::hash_of(std::uint64_t number) {
    return crypto::keccak256(as_bytes("block " + std::to_string(number)));
}

ports::ChainIdentity ChainTruth::identity() {
    return {31337, account_at(200), account_at(201)};
}

Hash32 ChainTruth::transaction() {
    return crypto::keccak256(as_bytes("transaction"));
}

RpcReply ChainTruth::answer(const RpcCall& call, std::uint64_t own_head) const {
    const auto& method = call.method;
    const auto number_at = [&](std::size_t i) {
        return call.params.at(i).as_string() == "latest" ? own_head : as_u64(call.params.at(i)).value();
    };
    const auto unknown = [] { return tl::unexpected<RpcFault>(RpcFault{-32000, "header not found"}); };
    if (method == "eth_chainId") return json::value(quantity(identity().chain_id));
    if (method == "eth_blockNumber") return json::value(quantity(own_head));
    if (method == "eth_getBlockByNumber") {
        const auto number = number_at(0);
        return number > own_head ? json::value() : header_json(number);
    }
    if (method == "eth_getBalance") {
        if (number_at(1) > own_head) return unknown();
        return json::value("0x" + ether_at_block(number_at(1)).str(0, std::ios_base::hex));
    }
    if (method == "eth_getTransactionCount") {
        if (number_at(1) > own_head) return unknown();
        return json::value(number_at(1) >= mined_in ? "0x1" : "0x0");
    }
    if (method == "eth_call") {
        if (number_at(1) > own_head) return unknown();
        return json::value(to_hex0x(called(as_data(call.params.at(0).at("data")).value(), number_at(1))));
    }
    if (method == "eth_getTransactionReceipt") {
        if (own_head < mined_in) return json::value();
        return json::value{{"transactionHash", transaction().hex0x()},
                           {"blockHash", hash_of(mined_in).hex0x()},
                           {"blockNumber", quantity(mined_in)},
                           {"status", "0x1"},
                           {"gasUsed", "0x5208"},
                           {"effectiveGasPrice", quantity(own_head)}};
    }
    if (method == "eth_getTransactionByHash") return json::value();
    if (method == "eth_estimateGas") return json::value(quantity(50'000));
    if (method == "eth_maxPriorityFeePerGas") return json::value("0x3b9aca00");
    if (method == "eth_feeHistory") {
        return json::value{{"baseFeePerGas", {"0x3b9aca00", "0x3b9aca00"}}, {"reward", json::array{}}};
    }
    if (method == "eth_sendRawTransaction") {
        return json::value(crypto::keccak256(as_data(call.params.at(0)).value()).hex0x());
    }
    return tl::unexpected<RpcFault>(RpcFault{-32601, "the method does not exist"});
}

Task<Result<RpcReply>> EndpointDouble::exchange(RpcCall call) {
    log_.methods.push_back(call.method);
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    while (fault_.hangs) co_await sleep_for(milliseconds(60'000));
    if (fault_.delay > milliseconds(0)) co_await sleep_for(fault_.delay);
    ++count_;
    if (fault_.dead || (fault_.fails_every != 0 && count_ % fault_.fails_every == 0)) {
        co_return fail(ErrorCode::unavailable, "connection refused");
    }
    if (call.method == "eth_sendRawTransaction") log_.sent.emplace_back(call.params.at(0).as_string());
    auto reply = truth_.answer(call, truth_.head - fault_.lag);
    if (call.method == "eth_chainId" && fault_.id) reply = json::value(quantity(*fault_.id));
    if (call.method == "eth_getBlockByNumber" && fault_.other_genesis && *as_u64(call.params.at(0)) == 0) {
        reply->as_object()["hash"] = Hash32{}.hex0x();
    }
    if (fault_.lie) fault_.lie(call, reply);
    co_return reply;
}

Task<Result<std::vector<Result<json::value>>>> EndpointDouble::batch(std::vector<RpcCall> calls) {
    std::vector<Result<json::value>> out;
    for (auto& each : calls) {
        const auto method = each.method;
        auto reply = co_await exchange(std::move(each));
        if (!reply) co_return forward_error(reply);
        if (*reply) {
            out.emplace_back(std::move(**reply));
        } else {
            out.emplace_back(tl::unexpected<Error>(to_error(reply->error(), method)));
        }
    }
    co_return out;
}

}  // namespace myst::chain::testing
