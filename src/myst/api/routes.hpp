// The table of routes: method, path, who may call it, which members it takes, what it does.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "myst/api/members.hpp"
#include "myst/node/control.hpp"

namespace myst::api {

/// Runs one request against the node; the value is the response body.
using Handler = Task<Result<std::string>> (*)(node::Control& node, Members members);

struct Route {
    std::string_view method;                    ///< "GET", "POST" or "DELETE"; GET never changes anything
    std::string_view path;                      ///< exact; compared before any percent-decoding
    bool open = false;                          ///< served without a token
    unsigned status = 200;                      ///< of a success
    std::span<const std::string_view> members;  ///< of the query (GET) or of the JSON body (POST)
    Handler handler = nullptr;                  ///< null: the connection becomes an event stream
};

/// Every route of openapi.json.
[[nodiscard]] std::span<const Route> routes();

/// The route of this method and path; null if there is none.
[[nodiscard]] const Route* find_route(std::string_view method, std::string_view path);

/// The methods that `path` answers to, as the Allow header wants them; empty if the path does not exist.
[[nodiscard]] std::string allowed_methods(std::string_view path);

/// The HTTP status that goes with an error.
[[nodiscard]] unsigned status_of(ErrorCode code);

}  // namespace myst::api
