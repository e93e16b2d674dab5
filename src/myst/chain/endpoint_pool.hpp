// Several endpoints as one: checks whose chain they serve, who is behind, and lets them agree on what moves money.
// Rules and failure table: docs/chain-integration.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/monitored_endpoint.hpp"
#include "myst/chain/rpc_agreement.hpp"
#include "myst/chain/rpc_gather.hpp"

namespace myst::chain {

struct EndpointPoolSettings {
    std::uint64_t chain_id = 0;
    std::optional<Hash32> genesis{};         ///< hash of block 0; none: what the endpoints agree on
    std::size_t quorum = 1;                  ///< endpoints that must say the same, 1 … their number
    milliseconds head_age{500};              ///< heads older than this are asked for again before a read
    milliseconds identity_check{3'600'000};  ///< between checks of chain id and genesis
    milliseconds refused_check{10'000};      ///< between checks of an endpoint that serves another chain
    milliseconds patience{1'500};            ///< without an answer for so long, another endpoint is asked
    milliseconds linger{300};                ///< for those who have not answered yet when enough have
    milliseconds distrust{60'000};           ///< an endpoint that was contradicted is asked last for so long
    std::uint64_t max_lag = 16;              ///< endpoints further behind, in blocks, are not used
    MonitoredEndpoint::Pauses pauses{};      ///< after failures
};

/// The majority of this many endpoints.
[[nodiscard]] constexpr std::size_t majority_of(std::size_t endpoints) {
    return endpoints / 2 + 1;
}

/// Control thread; calls may overlap. As a caller it answers
/// * facts (calls, balances, counts, headers, receipts, fees of past blocks) with what `quorum` endpoints say about the
///   same block: "latest" is the newest block that as many of them have. unavailable if too few answer or agree;
/// * opinions (gas, tip) with the median of up to 2·quorum - 1 endpoints;
/// * eth_sendRawTransaction by sending to every endpoint of the right chain; one that takes it suffices.
/// An endpoint takes part after it has shown chain id and genesis, and not while it lags. Endpoints are preferred in
/// the order given; slow ones and those that were contradicted come last.
class EndpointPool final : public RpcCaller {
public:
    struct Member {
        std::string name;  ///< for people
        std::unique_ptr<RpcEndpoint> endpoint;
    };
    /// At least one member.
    EndpointPool(EndpointPoolSettings settings, std::vector<Member> members);

    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    /// The newest block that `quorum` endpoints have.
    [[nodiscard]] Task<Result<std::uint64_t>> head_number();
    /// Members that may be asked now, the preferred ones first: as many as the quorum at least.
    [[nodiscard]] Task<Result<std::vector<std::size_t>>> usable();

    [[nodiscard]] const EndpointPoolSettings& settings() const { return settings_; }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] MonitoredEndpoint& member(std::size_t i) { return *members_.at(i); }
    [[nodiscard]] std::vector<ports::EndpointStatus> status() const;

private:
    using Answers = std::vector<Answer<Result<RpcReply>>>;

    [[nodiscard]] Task<Result<>> look(milliseconds pause);
    [[nodiscard]] Task<Result<RpcReply>> probe(std::size_t i);
    [[nodiscard]] Task<Result<RpcReply>> ask_head(std::size_t i);
    [[nodiscard]] Task<Result<>> identify(std::size_t i);
    void refuse(std::size_t i, std::string why);
    void settle_genesis();
    [[nodiscard]] bool is_due(const EndpointHealth& health) const;
    [[nodiscard]] bool is_identified(const EndpointHealth& health) const;
    [[nodiscard]] bool is_usable(const EndpointHealth& health) const;
    [[nodiscard]] bool is_slow(const EndpointHealth& health) const;
    /// Members that may be used and whose head is known as of `since`, or not much older.
    [[nodiscard]] std::size_t fresh(MonotonicTime since) const;
    [[nodiscard]] std::uint64_t lag_of(const EndpointHealth& health) const;
    /// The head that `quorum` of the identified endpoints have reached.
    [[nodiscard]] std::uint64_t common_head() const;
    [[nodiscard]] std::vector<std::size_t> ordered() const;
    [[nodiscard]] ports::EndpointState state_of(const EndpointHealth& health) const;
    [[nodiscard]] Error too_few() const;

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

    EndpointPoolSettings settings_;
    std::vector<std::unique_ptr<MonitoredEndpoint>> members_;
    std::optional<Hash32> genesis_;
    std::uint64_t reached_ = 0;  ///< the highest common head so far
    bool looking_ = false;
};

}  // namespace myst::chain
