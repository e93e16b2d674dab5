// The named values of a request, from the query or from a JSON body. All are texts; routes parse them strictly.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "myst/base/error.hpp"

namespace myst::api {

using Members = std::map<std::string, std::string, std::less<>>;

/// Longest accepted value of one member.
inline constexpr std::size_t kMaxMemberLength = 1024;

/// A raw query ("a=1&b=2", percent-encoded). A name that is not in `allowed`, a repeated name, and an over-long or
/// badly encoded value are invalid_argument.
[[nodiscard]] Result<Members> members_of_query(std::string_view query, std::span<const std::string_view> allowed);

/// A JSON object whose members are all strings; an empty text is an empty object. The same strictness; a member that
/// is not a string is invalid_argument, too, so that no amount ever passes through a floating-point number.
[[nodiscard]] Result<Members> members_of_body(std::string_view body, std::span<const std::string_view> allowed);

/// The same for an object that is parsed already.
[[nodiscard]] Result<Members> members_of_object(const boost::json::object& object,
                                                std::span<const std::string_view> allowed);

/// A text of somebody else's, cut and made printable, for an error message.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace myst::api
