// Compares JSON with the schemas of openapi.json: the part of JSON Schema that the document uses, read strictly.
#pragma once

#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace myst::api::test_support {

/// The OpenAPI document, parsed.
[[nodiscard]] const boost::json::value& openapi();

/// Where `value` departs from `schema`, one text per departure. Every property of an object must be documented and
/// every documented one present; a keyword this checker does not know is a departure, too.
[[nodiscard]] std::vector<std::string> departures(const boost::json::value& value, const boost::json::value& schema,
                                                  const std::string& where = "$");

}  // namespace myst::api::test_support
