// What the node needs from the Mysterium database: publish signed records, query, follow. The full node answers
// from its own store and replicates; the light client asks remote relays. Callers cannot tell the difference.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/event.hpp"
#include "myst/codec/filter.hpp"
#include "myst/runtime/task.hpp"

namespace myst::ports {

/// Keeps a subscription alive; destroying it ends the subscription. Control thread.
class Subscription {
public:
    virtual ~Subscription() = default;
};

/// How a node came to talk to a relay.
enum class RelayOrigin {
    configuration,
    record,    ///< its author's node record
    registry,  ///< the same, and the author is registered on the chain
};
[[nodiscard]] constexpr std::string_view to_string(RelayOrigin origin) {
    switch (origin) {
        case RelayOrigin::configuration: return "configuration";
        case RelayOrigin::record: return "record";
        case RelayOrigin::registry: return "registry";
    }
    return "configuration";
}

struct RelayStatus {
    std::string url;
    bool connected = false;
    std::string last_error{};  ///< empty if none
    RelayOrigin origin = RelayOrigin::configuration;
    std::string group{};                       ///< the network it stands in, e.g. "93.184.0.0/16"; empty: not known
    std::optional<std::uint64_t> in_common{};  ///< records that both had after the last comparison of their sets
};

/// Who took a published record.
struct PublishReport {
    std::vector<std::string> accepted;                          ///< relay URLs, "local" for the own store
    std::vector<std::pair<std::string, std::string>> rejected;  ///< relay URL and its reason
};

/// An envelope to somebody who may answer.
struct EnvelopeExchange {
    codec::Event envelope;            ///< signed by `key`
    crypto::PrivateKey key;           ///< made for this exchange alone; the answer is addressed to it
    std::vector<std::string> relays;  ///< where the recipient listens, by his own word
    /// Looks at what is addressed to `key`, from anybody. True ends the exchange; whatever else comes is passed over.
    std::function<bool(const codec::Event&)> is_answer;
    milliseconds limit{};  ///< for the answer, once a relay has taken the envelope
};

/// Control thread. Every event handed out has a verified id and signature.
class RecordNetwork {
public:
    using Callback = std::function<void(const codec::Event&)>;
    virtual ~RecordNetwork() = default;

    /// Hands a signed record to the own store and the connected relays. Fails (unavailable) if nobody took it.
    [[nodiscard]] virtual Task<Result<PublishReport>> publish(codec::Event event) = 0;
    /// Stored records that match any filter, newest first, each id once; at most `limit`.
    [[nodiscard]] virtual Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters,
                                                                        std::size_t limit) = 0;
    /// Calls back for stored and then for new records that match, each id once, until the handle is destroyed.
    /// Survives reconnects. The callback must not block.
    [[nodiscard]] virtual std::unique_ptr<Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                  Callback callback) = 0;
    /// Sends an envelope through the connected relays and, at the same time, through some of those that the recipient
    /// names, which are called for this exchange alone and learn nothing of this node but `key`. Returns once
    /// `is_answer` is content. timeout: nobody answered; unavailable: no relay took the envelope.
    [[nodiscard]] virtual Task<Result<>> exchange(EnvelopeExchange exchange) = 0;
    /// The relays this node talks to.
    [[nodiscard]] virtual std::vector<RelayStatus> relays() const = 0;
};

}  // namespace myst::ports
