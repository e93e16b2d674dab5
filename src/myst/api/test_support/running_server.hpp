// A real API server on a free port of the loopback interface, in front of a FakeControl. For tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "myst/api/server.hpp"
#include "myst/api/test_support/fake_control.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::api::test_support {

/// A token as prepare_token makes them.
inline constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Settings under which a test that sends many requests is never slowed down.
[[nodiscard]] ServerSettings unlimited_settings();

/// Runs from construction to destruction, on a thread of its own.
class RunningServer {
public:
    explicit RunningServer(ServerSettings settings = unlimited_settings());
    ~RunningServer();
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;

    FakeControl node;
    [[nodiscard]] std::uint16_t port() const { return server_->local_port(); }
    [[nodiscard]] std::string url() const { return server_->url(); }

private:
    SystemClock clock_;
    asio::io_context context_;
    std::unique_ptr<Server> server_;
    TaskGroup group_;
    std::thread thread_;
};

/// An HTTP response as it came over the wire.
struct RawResponse {
    unsigned status = 0;
    std::string head;  ///< status line and headers
    std::string body;
};

/// Sends `request` as it is over a new connection, reads until the server closes, and splits what came.
[[nodiscard]] RawResponse send_raw(std::uint16_t port, std::string_view request);

/// A well-formed request with Host, token and "Connection: close"; `extra` holds further header lines, each ended by
/// CR LF. A body comes with its Content-Length and JSON content type.
[[nodiscard]] std::string request_text(std::uint16_t port, std::string_view method, std::string_view target,
                                       std::string_view body = {}, std::string_view extra = {});

}  // namespace myst::api::test_support
