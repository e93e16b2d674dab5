// For tests: endpoints that serve one scripted chain state, each of them truthful or with a fault of its own.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "myst/chain/endpoint_pool.hpp"
#include "myst/ports/chain.hpp"

namespace myst::chain::testing {

/// What is true. Every amount depends on the block, so that an answer tells of which block it is.
class ChainTruth {
public:
    [[nodiscard]] RpcReply answer(const RpcCall& call, std::uint64_t head) const;
    [[nodiscard]] static ports::AccountState account_at_block(std::uint64_t number);
    [[nodiscard]] static ports::LaneState lane_at_block(std::uint64_t number);
    [[nodiscard]] static Uint256 ether_at_block(std::uint64_t number);
    [[nodiscard]] static Hash32 hash_of(std::uint64_t number);
    [[nodiscard]] static ports::ChainIdentity identity();
    /// The transaction whose receipt exists, and the block it is in.
    [[nodiscard]] static Hash32 transaction();

    std::uint64_t head = 1000;
    std::uint64_t mined_in = 900;
};

/// How an endpoint deviates from the truth.
struct EndpointFault {
    std::uint64_t lag = 0;              ///< blocks
    bool dead = false;                  ///< every call fails
    bool hangs = false;                 ///< never answers
    milliseconds delay{};               ///< of every answer
    unsigned fails_every = 0;           ///< every n-th call fails
    std::optional<std::uint64_t> id{};  ///< another chain id
    bool other_genesis = false;
    std::function<void(const RpcCall&, RpcReply&)> lie{};  ///< changes answers
};

/// An endpoint whose fault and truth can be changed while it is used; both must outlive it.
class EndpointDouble final : public RpcEndpoint {
public:
    struct Log {
        std::vector<std::string> methods{};
        std::vector<std::string> sent{};  ///< raw transactions
    };
    EndpointDouble(const ChainTruth& truth, const EndpointFault& fault, Log& log)
        : truth_(truth), fault_(fault), log_(log) {}
    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    [[nodiscard]] Task<Result<std::vector<Result<boost::json::value>>>> batch(std::vector<RpcCall> calls) override;

private:
    const ChainTruth& truth_;
    const EndpointFault& fault_;
    Log& log_;
    unsigned count_ = 0;
};

}  // namespace myst::chain::testing
