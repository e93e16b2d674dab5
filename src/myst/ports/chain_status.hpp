// What a node can tell of its view of the chain: endpoints, index, transactions. For people and programs that watch it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/clock.hpp"

namespace myst::ports {

/// Of the states that apply to an endpoint, the first one here.
enum class EndpointState {
    refused,      ///< serves another chain
    unreachable,  ///< its last call failed
    unknown,      ///< has not shown chain id and genesis yet
    lagging,      ///< too far behind the others to be asked
    disagrees,    ///< was contradicted by the others lately; asked last
    slow,         ///< asked after those that are not
    ok,
};
/// As it appears in the web API.
[[nodiscard]] std::string_view to_string(EndpointState state);

enum class IndexState { starting, catching_up, following, unreachable, halted };
/// As it appears in the web API.
[[nodiscard]] std::string_view to_string(IndexState state);

/// An Ethereum endpoint as the node has known it since its start.
struct EndpointStatus {
    std::string name;  ///< host and port of its URL; never a path or user, which may hold an access key
    EndpointState state = EndpointState::unknown;
    std::optional<std::uint64_t> head{};  ///< the newest block it told of
    std::uint64_t lag = 0;                ///< blocks behind what the endpoints agree on
    milliseconds latency{};               ///< of its answers, averaged over the last ones
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;       ///< calls without an answer that makes sense
    std::uint64_t disagreements = 0;  ///< answers that the others contradicted
    std::string last_error{};         ///< what went wrong last, perhaps long ago; empty if nothing did
};

/// The index of the contract's events.
struct IndexStatus {
    IndexState state = IndexState::starting;
    std::optional<std::uint64_t> head{};  ///< newest block in the tables
    std::uint64_t endpoint_head = 0;      ///< newest block the endpoints told of
    std::uint64_t lag = 0;                ///< blocks between the two
    std::uint64_t audited = 0;            ///< ranges compared with an endpoint since the start
    std::string problem{};                ///< why it is unreachable or halted; otherwise empty
};

/// The transactions that the node has to send.
struct OutboxReport {
    bool halted = false;
    std::size_t open = 0;   ///< intents that are not mined yet
    std::string problem{};  ///< why it halted, or what holds transactions up; otherwise empty
};

struct ChainStatus {
    std::size_t quorum = 1;  ///< endpoints that must agree
    std::vector<EndpointStatus> endpoints{};
    std::optional<IndexStatus> index{};    ///< none in light mode
    std::optional<OutboxReport> outbox{};  ///< none before the first transaction
};

}  // namespace myst::ports
