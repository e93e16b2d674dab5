// Several endpoints as one: lets them agree on what moves money.
// Rules and failure table: docs/chain-integration.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/endpoint_roster.hpp"
#include "myst/chain/rpc_agreement.hpp"
#include "myst/chain/rpc_gather.hpp"

namespace myst::chain {

/// The majority of this many endpoints.
[[nodiscard]] constexpr std::size_t majority_of(std::size_t endpoints) {
    return endpoints / 2 + 1;
}

/// Control thread; calls may overlap. As a caller it answers
/// * facts (calls, balances, counts, headers, receipts, fees of past blocks) with what `quorum` endpoints say about the
///   same block: "latest" is the newest block that as many of them have. unavailable if too few answer or agree;
/// * opinions (gas, tip) with the median of up to 2·quorum - 1 endpoints;
/// * eth_sendRawTransaction by sending to every endpoint of the right chain; one that takes it suffices.
/// Who takes part, and in which order they are asked, says the roster.
class EndpointPool final : public RpcCaller {
public:
    using Member = EndpointRoster::Member;
    /// At least one member. `clock` must outlive it.
    EndpointPool(EndpointPoolSettings settings, std::vector<Member> members, const Clock& clock)
        : clock_(clock), roster_(settings, std::move(members), clock) {}

    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    /// The newest block that `quorum` endpoints have.
    [[nodiscard]] Task<Result<std::uint64_t>> head_number() { return roster_.head_number(); }
    /// Members that may be asked now, the preferred ones first: as many as the quorum at least.
    [[nodiscard]] Task<Result<std::vector<std::size_t>>> usable();

    [[nodiscard]] const EndpointPoolSettings& settings() const { return roster_.settings(); }
    [[nodiscard]] std::size_t size() const { return roster_.size(); }
    [[nodiscard]] MonitoredEndpoint& member(std::size_t i) { return roster_.member(i); }
    [[nodiscard]] std::vector<ports::EndpointStatus> status() const { return roster_.status(); }

private:
    using Answers = std::vector<Answer<Result<RpcReply>>>;

    /// Asks until `missing` of what has been said is zero, or nobody is left.
    using Missing = std::function<std::size_t(const Tally&)>;
    [[nodiscard]] Task<Tally> ask(std::vector<std::size_t> order, RpcCall call, Missing missing, milliseconds pace);
    [[nodiscard]] Task<Result<RpcReply>> agree(RpcCall call);
    [[nodiscard]] Task<Result<RpcReply>> agree_among(RpcCall call);
    [[nodiscard]] Task<Result<RpcReply>> median(RpcCall call);
    [[nodiscard]] Task<Result<RpcReply>> anyone(RpcCall call);
    [[nodiscard]] Task<Result<RpcReply>> broadcast(RpcCall call);

    [[nodiscard]] std::uint64_t top() const;
    [[nodiscard]] std::string describe(const RpcCall& call) const;
    void blame_others(const Tally& tally, const Tally::Camp& right, const std::string& about);
    [[nodiscard]] Error no_agreement(const Tally& tally, const std::string& about);

    const Clock& clock_;
    EndpointRoster roster_;
};

}  // namespace myst::chain
