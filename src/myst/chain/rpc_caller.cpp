#include "myst/chain/rpc_caller.hpp"

namespace myst::chain {

Task<Result<boost::json::value>> RpcCaller::call(std::string method, boost::json::array params) {
    RpcCall request{method, std::move(params)};
    auto reply = co_await exchange(std::move(request));
    if (!reply) co_return forward_error(reply);
    if (!*reply) co_return tl::unexpected<Error>(to_error(reply->error(), method));
    co_return std::move(**reply);
}

}  // namespace myst::chain
