// Several endpoints: whose chain they serve, who is behind, and whom to ask first.
// Rules and failure table: docs/chain-integration.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/monitored_endpoint.hpp"

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

/// Control thread; calls may overlap. An endpoint takes part after it has shown chain id and genesis, and not while it
/// lags. Endpoints are preferred in the order given; slow ones and those that were contradicted come last.
class EndpointRoster {
public:
    struct Member {
        std::string name;  ///< for people
        std::unique_ptr<RpcEndpoint> endpoint;
    };
    /// At least one member. `clock` must outlive it.
    EndpointRoster(EndpointPoolSettings settings, std::vector<Member> members, const Clock& clock);

    /// Asks those whose identity or head is due, for `pause` once the quorum has answered; an Error if fewer than the
    /// quorum may be asked afterwards.
    [[nodiscard]] Task<Result<>> look(milliseconds pause);
    /// The newest block that `quorum` endpoints have, now.
    [[nodiscard]] Task<Result<std::uint64_t>> head_number();
    /// The head that `quorum` of the identified endpoints had reached at the last look.
    [[nodiscard]] std::uint64_t common_head() const;
    /// Members that may be asked, the preferred ones first.
    [[nodiscard]] std::vector<std::size_t> ordered() const;
    /// Members of the right chain, also those that lag.
    [[nodiscard]] std::vector<std::size_t> of_right_chain() const;

    [[nodiscard]] const EndpointPoolSettings& settings() const { return settings_; }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] MonitoredEndpoint& member(std::size_t i) { return *members_.at(i); }
    [[nodiscard]] std::vector<ports::EndpointStatus> status() const;

private:
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
    [[nodiscard]] ports::EndpointState state_of(const EndpointHealth& health) const;
    [[nodiscard]] Error too_few() const;

    EndpointPoolSettings settings_;
    const Clock& clock_;
    std::vector<std::unique_ptr<MonitoredEndpoint>> members_;
    std::optional<Hash32> genesis_;
    std::uint64_t reached_ = 0;  ///< the highest common head so far
    bool looking_ = false;
};

}  // namespace myst::chain
