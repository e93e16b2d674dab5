// For tests: an endpoint that serves a scripted chain over JSON-RPC, without a network.
#pragma once

#include "myst/chain/rpc_caller.hpp"
#include "myst/chain/test_support/event_script.hpp"

namespace myst::chain::testing {

[[nodiscard]] boost::json::value header_json(const BlockHeader& header);
[[nodiscard]] boost::json::value log_json(const Log& log);

/// `chain` must outlive it, and may grow and change.
class ScriptedEndpoint final : public RpcEndpoint {
public:
    explicit ScriptedEndpoint(ScriptedChain& chain) : chain_(chain) {}
    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    [[nodiscard]] Task<Result<std::vector<Result<boost::json::value>>>> batch(std::vector<RpcCall> calls) override;

private:
    [[nodiscard]] RpcReply answer(const RpcCall& call);

    ScriptedChain& chain_;
};

}  // namespace myst::chain::testing
