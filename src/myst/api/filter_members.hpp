// Members of a request as the arguments of node::Control.
#pragma once

#include <array>
#include <optional>

#include "myst/api/members.hpp"
#include "myst/node/control.hpp"

namespace myst::api {

/// The members of a filter.
inline constexpr std::array<std::string_view, 9> kFilterMembers{"service",       "country",        "city",
                                                                "max_price_gib", "max_price_hour", "provider",
                                                                "min_stake",     "min_reputation", "max_age"};

/// Those of kFilterMembers; what is absent does not restrict.
[[nodiscard]] Result<node::ProposalFilter> filter_of(const Members& members);

/// The same, and max_latency, sort, order, limit and cursor.
[[nodiscard]] Result<node::ProposalQuery> proposal_query_of(const Members& members);

/// The Ethereum address in the member `name`, which must be there.
[[nodiscard]] Result<Address> address_of(const Members& members, std::string_view name);
/// `reason` of a revocation: at most 256 printable bytes; empty if absent.
[[nodiscard]] Result<std::string> reason_of(const Members& members);

/// `amount` in units; none if absent. Zero is refused.
[[nodiscard]] Result<std::optional<Amount>> amount_of(const Members& members);

}  // namespace myst::api
