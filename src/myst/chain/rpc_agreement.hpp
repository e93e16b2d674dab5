// How the answers of several endpoints to one call become one answer. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/rpc_caller.hpp"

namespace myst::chain {

/// What may be done with the answers to a method.
enum class JoinRule {
    agree,      ///< facts: as many as the quorum must say the same
    median,     ///< opinions (gas, tips): the middle one of as many as the quorum cannot push out of bounds
    anyone,     ///< whether a transaction is known: one that knows it suffices
    broadcast,  ///< sent to all; one that takes it suffices
};
[[nodiscard]] JoinRule rule_of(std::string_view method);

/// The same question about a certain block: "latest" becomes its number.
[[nodiscard]] RpcCall at_block(RpcCall call, std::uint64_t number);

/// What an endpoint says, in a form that can be compared with what another says.
struct Opinion {
    std::string key;  ///< equal for equal opinions, however the endpoint writes them
    RpcReply reply;   ///< reduced to the members that are compared, where there are others
};

/// The opinion in a reply. Receipts and headers above block `top` count as not known yet. None if the endpoint only
/// says that it cannot answer; an Error if what it says is malformed.
[[nodiscard]] Result<std::optional<Opinion>> opinion_of(const RpcCall& call, const RpcReply& reply, std::uint64_t top);

/// What several endpoints said to the same call.
class Tally {
public:
    /// Endpoints of one opinion.
    struct Camp {
        Opinion opinion;
        std::vector<std::size_t> endpoints;
    };
    /// An endpoint without an opinion.
    struct Silent {
        std::size_t endpoint = 0;
        Error why;
        bool malformed = false;           ///< it answered, but without sense
        std::optional<RpcFault> fault{};  ///< its refusal, if that is what it answered
    };

    Tally(const RpcCall& call, std::uint64_t top) : call_(call), top_(top) {}
    void add(std::size_t endpoint, const Result<RpcReply>& answer);

    [[nodiscard]] const std::vector<Camp>& camps() const { return camps_; }
    [[nodiscard]] const std::vector<Silent>& silent() const { return silent_; }
    /// The first of the largest camps; null if nobody has an opinion.
    [[nodiscard]] const Camp* largest() const;
    /// Endpoints that answered with a result / that say that the call reverts.
    [[nodiscard]] std::size_t results() const { return count(true); }
    [[nodiscard]] std::size_t reverts() const { return count(false); }
    /// The upper median of the results, which must be quantities; an Error if one is not, if there are none, or if
    /// fewer than `enough` differ about gas by more than half.
    [[nodiscard]] Result<RpcReply> median(std::size_t enough) const;

private:
    [[nodiscard]] std::size_t count(bool results) const;

    RpcCall call_;
    std::uint64_t top_;
    std::vector<Camp> camps_;
    std::vector<Silent> silent_;
};

}  // namespace myst::chain
