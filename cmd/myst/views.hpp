// What the API answered, as text for people: the state first, then indented labels.
#pragma once

#include <string>

#include <boost/json/value.hpp>

#include "options.hpp"

namespace myst::console {

/// The answer to `options.verb`.
[[nodiscard]] std::string view_of(const Options& options, const boost::json::value& body);

/// A ConnectionReply after `connect`.
[[nodiscard]] std::string view_connected(const boost::json::value& connection);

/// An offer in one line.
[[nodiscard]] std::string offer_line(const boost::json::value& offer);

/// One line of --watch: rate, traffic, paid so far, what the deposit still buys.
[[nodiscard]] std::string watch_line(const boost::json::value& connection);

}  // namespace myst::console
