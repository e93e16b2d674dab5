// Reading a list that comes in pages to its end.
#pragma once

#include "api_client.hpp"
#include "options.hpp"

namespace myst::console {

/// The proposals of all pages in one answer, whose `next` is null. Pages are asked for one after the other, so an offer
/// that changes meanwhile may be missing or be there in its older version. Exit::failure after 1,000 pages.
[[nodiscard]] Task<Outcome<Reply>> read_all_pages(Options options, ApiClient& api);

}  // namespace myst::console
