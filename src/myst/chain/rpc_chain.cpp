#include "myst/chain/rpc_chain.hpp"

#include <fmt/format.h>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/crypto/address.hpp"

namespace myst::chain {
namespace {

tl::unexpected<Error> wrong_chain(std::string why) {
    return fail(ErrorCode::failed_precondition, std::move(why),
                "correct the endpoint's URL, the chain id or the contract addresses");
}

}  // namespace

Task<Result<>> RpcChain::verify() {
    auto reply = co_await client_.call("eth_chainId");
    if (!reply) co_return forward_error(reply);
    auto id = as_u64(*reply);
    if (!id) co_return forward_error(id, "eth_chainId");
    if (*id != identity_.chain_id) {
        co_return wrong_chain(fmt::format("the endpoint serves chain {}, configured is {}", *id, identity_.chain_id));
    }
    auto returned = co_await call_contract(identity_.lanes, call::token());
    if (!returned) co_return forward_error(returned);
    auto token = view::address(*returned);
    if (!token) co_return forward_error(token);
    if (*token != identity_.token) {
        co_return wrong_chain(fmt::format("the lanes contract {} pays in the token {}, configured is {}",
                                          crypto::to_checksum(identity_.lanes), crypto::to_checksum(*token),
                                          crypto::to_checksum(identity_.token)));
    }
    verified_ = std::chrono::steady_clock::now();
    co_return Result<>{};
}

Task<Result<>> RpcChain::verify_if_due() {
    const auto now = std::chrono::steady_clock::now();
    if (verified_ && now - *verified_ < check_every_) co_return Result<>{};
    co_return co_await verify();
}

Task<Result<Bytes>> RpcChain::call_contract(Address to, Bytes data) {
    boost::json::object request{{"to", to.hex0x()}, {"data", to_hex0x(data)}};
    boost::json::array params;
    params.push_back(std::move(request));
    params.emplace_back("latest");
    RpcCall rpc{"eth_call", std::move(params)};
    auto reply = co_await client_.exchange(std::move(rpc));
    if (!reply) co_return forward_error(reply);
    if (!*reply) {
        const auto& fault = reply->error();
        if (fault.data.empty()) co_return tl::unexpected<Error>(to_error(fault, "eth_call"));
        co_return fail(ErrorCode::failed_precondition, "eth_call reverted: " + revert_reason(fault.data));
    }
    auto returned = as_data(**reply);
    if (!returned) co_return forward_error(returned, "eth_call");
    if (returned->empty()) co_return wrong_chain("there is no contract at " + crypto::to_checksum(to));
    co_return returned;
}

template <class T>
Task<Result<T>> RpcChain::ask(Address to, Bytes data, Result<T> (*decode)(BytesView)) {
    auto verified = co_await verify_if_due();
    if (!verified) co_return forward_error(verified);
    auto returned = co_await call_contract(to, std::move(data));
    if (!returned) co_return forward_error(returned);
    co_return decode(*returned);
}

Task<Result<ports::ContractTerms>> RpcChain::terms() {
    if (terms_) co_return *terms_;
    auto fee = co_await ask(identity_.lanes, call::fee_bps(), view::number);
    if (!fee) co_return forward_error(fee);
    auto window = co_await ask(identity_.lanes, call::window(), view::number);
    if (!window) co_return forward_error(window);
    auto stake = co_await ask(identity_.lanes, call::min_stake(), view::amount);
    if (!stake) co_return forward_error(stake);
    if (*fee > 10'000 || *window >> 40 != 0) co_return wrong_chain("the contract's terms are out of range");
    terms_ = ports::ContractTerms{*fee, seconds(static_cast<std::int64_t>(*window)), *stake};
    co_return *terms_;
}

Task<Result<ports::BlockRef>> RpcChain::head() {
    auto verified = co_await verify_if_due();
    if (!verified) co_return forward_error(verified);
    boost::json::array params;
    params.emplace_back("latest");
    params.emplace_back(false);
    auto reply = co_await client_.call("eth_getBlockByNumber", std::move(params));
    if (!reply) co_return forward_error(reply);
    auto header = as_header(*reply);
    if (!header) co_return forward_error(header, "eth_getBlockByNumber");
    co_return ports::BlockRef{header->number, header->hash, header->time};
}

Task<Result<ports::AccountState>> RpcChain::account(Address signer) {
    return ask(identity_.lanes, call::accounts(signer), view::account);
}
Task<Result<Address>> RpcChain::owner_of(Address signer) {
    return ask(identity_.lanes, call::owners(signer), view::address);
}
Task<Result<ports::LaneState>> RpcChain::lane(Address signer, Address provider) {
    return ask(identity_.lanes, call::lanes(signer, provider), view::lane);
}
Task<Result<ports::ProviderState>> RpcChain::provider(Address provider) {
    return ask(identity_.lanes, call::providers(provider), view::provider);
}
Task<Result<Amount>> RpcChain::token_balance(Address holder) {
    return ask(identity_.token, call::balance_of(holder), view::balance);
}
Task<Result<Uint256>> RpcChain::permit_nonce(Address owner) {
    return ask(identity_.token, call::nonces(owner), view::uint);
}
Task<Result<Hash32>> RpcChain::permit_domain() {
    return ask(identity_.token, call::domain_separator(), view::word);
}

Task<Result<Uint256>> RpcChain::ether_balance(Address holder) {
    auto verified = co_await verify_if_due();
    if (!verified) co_return forward_error(verified);
    boost::json::array params;
    params.emplace_back(holder.hex0x());
    params.emplace_back("latest");
    auto reply = co_await client_.call("eth_getBalance", std::move(params));
    if (!reply) co_return forward_error(reply);
    co_return as_uint256(*reply);
}

}  // namespace myst::chain
