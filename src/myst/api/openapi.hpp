// The OpenAPI 3.1 document openapi.json, compiled in. It is the source of truth for routes and schemas.
#pragma once

#include <string_view>

namespace myst::api {

/// The text of openapi.json.
[[nodiscard]] std::string_view openapi_document();

}  // namespace myst::api
