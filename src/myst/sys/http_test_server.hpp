// An HTTP server for tests, in the process and on the io_context of the client under test.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "myst/runtime/task.hpp"
#include "myst/sys/http_client.hpp"

namespace myst::sys::testing {

struct ServerRequest {
    std::string method;
    std::string target;
    HttpHeaders headers;
    std::string body;
};

struct ServerAnswer {
    unsigned status = 200;
    std::string body{};
    bool keep_alive = true;
    bool hang = false;  ///< no answer, the connection stays open
    bool drop = false;  ///< no answer, the connection is closed
    std::string raw{};  ///< sent instead of an HTTP answer, then closed
};

/// Listens on 127.0.0.1 on a free port until destroyed; the io_context must run once more after that to free the
/// connections.
class HttpTestServer {
public:
    using Handler = std::function<ServerAnswer(const ServerRequest&)>;
    /// For servers that wait for others before they answer.
    using AsyncHandler = std::function<Task<ServerAnswer>(ServerRequest)>;
    struct Tls {
        std::string certificate_pem;
        std::string key_pem;
    };
    HttpTestServer(asio::io_context& context, Handler handler);
    HttpTestServer(asio::io_context& context, AsyncHandler handler);
    HttpTestServer(asio::io_context& context, Handler handler, const Tls& tls);
    ~HttpTestServer();

    [[nodiscard]] std::uint16_t port() const;
    /// "http://127.0.0.1:port/".
    [[nodiscard]] std::string url() const;
    /// Connections accepted so far.
    [[nodiscard]] std::size_t connections() const;
    /// Closes all connections, as a restarting server does; goes on listening.
    void close_connections();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace myst::sys::testing
