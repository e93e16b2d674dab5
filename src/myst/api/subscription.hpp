// What a client of the event stream asks for (docs/api.md, "Events").
#pragma once

#include <string_view>

#include "myst/node/control.hpp"

namespace myst::api {

/// The filter of {"v": 1, "subscribe": "proposals", "filter": {…}}. invalid_argument, with the name of what is wrong.
[[nodiscard]] Result<node::ProposalFilter> parse_subscription(std::string_view text);

}  // namespace myst::api
