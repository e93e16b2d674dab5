// From the name of a host to its addresses.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

/// The addresses of a host, each once, in the order of the system's resolver; of an IP literal that one, without a
/// question to anybody. unavailable: the name has none, or nobody answers. The whole is bounded by the caller, with
/// `with_timeout`; cancellation unwinds at once, while the question itself is left to end by itself.
[[nodiscard]] Task<Result<std::vector<asio::ip::address>>> look_up(std::string host);

}  // namespace myst::sys
