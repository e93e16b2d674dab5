// JSON-RPC over HTTP to an Ethereum endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "myst/base/rng.hpp"
#include "myst/chain/rpc_caller.hpp"
#include "myst/runtime/worker_pool.hpp"
#include "myst/sys/http_client.hpp"

namespace myst::chain {

struct JsonRpcSettings {
    std::string url;                      ///< http(s)://…; may hold an access key, so it is never printed
    milliseconds timeout{10'000};         ///< of one attempt
    unsigned retries = 3;                 ///< further attempts of a read after a failure that may pass
    milliseconds backoff{200};            ///< before the first retry; doubles each time, half of it random
    std::size_t max_bytes = 16U << 20;    ///< of one answer
    milliseconds large_timeout{60'000};   ///< of one attempt at a call whose answer may be large
    std::size_t large_bytes = 64U << 20;  ///< of such an answer
    std::size_t max_depth = 64;           ///< nesting of one answer
    std::uint32_t mark = 0;               ///< SO_MARK of the connections; 0: none
    std::string ca_file{};                ///< see sys::HttpClient
};

/// Control thread; calls may overlap. Reads are repeated after transport errors, 429, 5xx and answers that do not
/// make sense; transactions are sent once, because only their owner can find out what became of them. limit_exceeded
/// means that the question was too large or the answer would be: a smaller question may do.
class JsonRpcClient final : public RpcEndpoint {
public:
    /// `rng` spreads retries; it must outlive the client, as must `workers`, which take long answers apart. Without
    /// them that is done on the control thread.
    JsonRpcClient(JsonRpcSettings settings, Rng& rng, WorkerPool* workers = nullptr);

    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    [[nodiscard]] Task<Result<std::vector<Result<boost::json::value>>>> batch(std::vector<RpcCall> calls) override;

private:
    struct Attempt {
        Result<boost::json::value> text;
        bool worth_repeating = false;
    };
    /// What one attempt is about.
    struct Question {
        std::string body;
        bool repeatable = false;
        bool large = false;
        bool batch = false;
    };
    Task<Attempt> attempt(Question question);
    [[nodiscard]] Task<Result<boost::json::value>> parse(std::string text);
    Task<> wait_before(unsigned attempt);

    JsonRpcSettings settings_;
    Rng& rng_;
    WorkerPool* workers_;
    sys::HttpClient http_;
    std::uint64_t next_id_ = 1;
};

/// Methods that change nothing, so that repeating them is harmless.
[[nodiscard]] bool is_idempotent(std::string_view method);

}  // namespace myst::chain
