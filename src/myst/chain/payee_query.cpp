#include "myst/chain/payee_query.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "myst/chain/table_cells.hpp"

namespace myst::chain {
namespace {

constexpr std::size_t kAtOnce = 500;

/// A row without a registration or without sales has nulls in their place.
Result<ports::PayeeState> payee_at(const sys::Statement& row) {
    ports::PayeeState state;
    state.sales.emplace();
    if (!row.is_null(1)) {
        auto key = row.fixed<NodeKey>(1);
        auto stake = amount_of(row.blob(2));
        if (!key || !stake) return damaged();
        state.entry = {*key, *stake, UnixTime(seconds(row.integer(3)))};
    }
    if (!row.is_null(4)) {
        auto volume = amount_of(row.blob(6));
        auto weight = amount_of(row.blob(7));
        if (!volume || !weight) return damaged();
        state.sales = {static_cast<std::uint64_t>(row.integer(4)), static_cast<std::uint64_t>(row.integer(5)), *volume,
                       *weight};
    }
    return state;
}

Result<> read_some(sys::Database& database, std::span<const Address> addresses, ports::PayeeStates& states) {
    std::string marks;
    for (std::size_t i = 0; i < addresses.size(); ++i) marks += i == 0 ? "(?)" : ",(?)";
    auto query = database.prepare("WITH wanted(provider) AS (VALUES " + marks +
                                  ") SELECT provider,node_key,stake,leave_at,payees.settlements,payers,volume,weight "
                                  "FROM wanted LEFT JOIN providers USING(provider) LEFT JOIN payees USING(provider)");
    int position = 1;
    for (const auto& address : addresses) query.bind(position++, address.view());
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more);
        if (!*more) return {};
        auto address = query.fixed<Address>(0);
        if (!address) return damaged();
        auto state = payee_at(query);
        if (!state) return forward_error(state);
        states.emplace(*address, *state);
    }
}

}  // namespace

Result<ports::SalesVolumes> read_volumes(sys::Database& database, const std::vector<ports::SalesKey>& pairs) {
    ports::SalesVolumes volumes;
    auto query = database.prepare("SELECT volume FROM sales WHERE provider=? AND signer=?");
    for (const auto& pair : pairs) {
        auto found = query.with(pair.payee, pair.payer).step();
        if (!found) return forward_error(found);
        auto volume = *found ? amount_of(query.blob(0)) : Result<Amount>();
        if (!volume) return forward_error(volume);
        volumes.emplace(pair, *volume);
    }
    return volumes;
}

Result<ports::PayeeStates> read_payees(sys::Database& database, const std::vector<Address>& addresses) {
    ports::PayeeStates states;
    std::span<const Address> left(addresses);
    while (!left.empty()) {
        const auto count = std::min(left.size(), kAtOnce);
        if (auto read = read_some(database, left.first(count), states); !read) return forward_error(read);
        left = left.subspan(count);
    }
    return states;
}

}  // namespace myst::chain
