// Who answers JSON-RPC calls, without saying how many endpoints stand behind it.
#pragma once

#include <string>
#include <vector>

#include "myst/chain/json_rpc_message.hpp"
#include "myst/runtime/task.hpp"

namespace myst::chain {

/// Answers calls: one endpoint, or several that have to agree. Control thread; calls may overlap.
class RpcCaller {
public:
    virtual ~RpcCaller() = default;
    /// The reply to one call: a result or the endpoint's refusal. An Error if there was no reply that makes sense.
    [[nodiscard]] virtual Task<Result<RpcReply>> exchange(RpcCall call) = 0;
    /// The same for callers that need no refusal: an error object becomes an Error with code and message.
    [[nodiscard]] Task<Result<boost::json::value>> call(std::string method, boost::json::array params = {});
};

/// A single endpoint. Only a single one can answer several calls from the same state.
class RpcEndpoint : public RpcCaller {
public:
    /// Several calls in one request; the results in the order of the calls. At most 1000 calls.
    [[nodiscard]] virtual Task<Result<std::vector<Result<boost::json::value>>>> batch(std::vector<RpcCall> calls) = 0;
};

}  // namespace myst::chain
