// Following a connection: until it is up, and then while it carries data.
#pragma once

#include "api_client.hpp"

namespace myst::console {

/// Polls until the connection is up, with each new step on standard error. Exit::not_connected with the daemon's
/// reason if the attempt ends without a connection.
[[nodiscard]] Task<Outcome<Reply>> wait_connected(ApiClient& api);

/// Shows one live line until Ctrl-C or until the connection ends; on a terminal the line is rewritten every 500 ms,
/// otherwise a line is printed every second. Exit::not_connected if there is no connection, or if it ended unasked.
[[nodiscard]] Task<Outcome<>> watch_connection(ApiClient& api);

}  // namespace myst::console
