// Speaks to the daemon's API and turns its failures into exit codes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "myst/runtime/task.hpp"
#include "myst/sys/http_client.hpp"
#include "myst/sys/web_socket.hpp"
#include "options.hpp"
#include "outcome.hpp"

namespace myst::console {

/// Bytes of a message of the event stream, at most.
inline constexpr std::size_t kMaxEventBytes = std::size_t{1} << 20;

/// A successful answer of the API.
struct Reply {
    std::string text;         ///< as it came, for --json
    boost::json::value body;  ///< an object with "v": 1
};

/// The failure in `body`, {"error": {…}}.
[[nodiscard]] Failure failure_of(const boost::json::value& body);
/// That the connection to the daemon has ended.
[[nodiscard]] Failure lost_daemon(Error why);

class ApiClient {
public:
    /// Finds address and token as the options or the daemon's files say. Refuses an address that is not on this
    /// machine: the token would travel in clear.
    [[nodiscard]] static Outcome<ApiClient> open(const Options& options);

    /// `body` is a JSON text or empty. Waits at most `timeout`.
    [[nodiscard]] Task<Outcome<Reply>> call(std::string method, std::string path, std::string body,
                                            milliseconds timeout = milliseconds(30'000));

    /// Opens the event stream.
    [[nodiscard]] Task<Outcome<std::unique_ptr<sys::WebSocket>>> open_events();

private:
    ApiClient(std::string url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}

    std::string url_;
    std::string token_;
    sys::HttpClient http_;
};

}  // namespace myst::console
