// For tests: stands between a client and a real node, and does to requests and answers what networks, providers and
// broken nodes do.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "myst/sys/http_test_server.hpp"

namespace myst::chain::testing {

/// One way in which an endpoint fails or misleads.
enum class RpcFaultClass {
    timeout,         ///< no answer
    busy,            ///< HTTP 429
    server_error,    ///< HTTP 503
    truncated,       ///< half of the answer's JSON
    wrong_id,        ///< the answer to another question
    shuffled_batch,  ///< a batch's answers in another order
    stale_head,      ///< the head of twenty blocks ago
    empty_logs,      ///< no logs
    null_receipt,    ///< no receipt of a mined transaction
    duplicate,       ///< a transaction arrives twice
    reset_before,    ///< connection closed before a transaction arrived
    reset_after,     ///< connection closed after it arrived
    already_known,   ///< these three: refusals of a transaction, which every other time was taken nevertheless
    nonce_too_low,
    underpriced,
    fee_spike,    ///< base fees a thousand times as high
    wrong_chain,  ///< another chain's id
};
inline constexpr std::size_t kRpcFaultClasses = 17;
[[nodiscard]] std::string_view to_string(RpcFaultClass fault);

/// On the io_context of the client under test; the upstream URL is that of the node.
class RpcFaultProxy {
public:
    RpcFaultProxy(asio::io_context& context, std::string upstream);

    [[nodiscard]] std::string url() const { return server_->url(); }
    /// From now on: the next `count` faults, at random requests that fit the class: every other one, or every eighth if
    /// any request does.
    void inject(RpcFaultClass fault, std::size_t count);
    /// Faults still to come.
    [[nodiscard]] std::size_t left() const { return left_; }

private:
    [[nodiscard]] Task<sys::testing::ServerAnswer> serve(sys::testing::ServerRequest request);
    [[nodiscard]] Task<std::string> forward(std::string body);
    [[nodiscard]] Task<sys::testing::ServerAnswer> fail(RpcFaultClass fault, std::string body);

    std::string upstream_;
    sys::HttpClient client_;
    RpcFaultClass fault_{};
    std::size_t left_ = 0;
    std::mt19937 dice_{17};
    std::unique_ptr<sys::testing::HttpTestServer> server_;
};

}  // namespace myst::chain::testing
