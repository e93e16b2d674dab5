#include "myst/node/offer_list.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/crypto/keccak.hpp"
#include "myst/node/offer_search.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxLimit = 500;
constexpr std::size_t kQueryMark = 8;          ///< bytes of a hash that tie a cursor to its query
constexpr std::size_t kMostCursorBytes = 160;  ///< more than any position takes

/// Where an offer stands in the order of a query: bytes that compare as the offers do, and differ for different offers.
using Position = Bytes;

void append(Position& position, std::size_t bytes, Uint128 number) {
    for (auto i = bytes; i-- > 0;) position.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

bool is_by_chain(OfferOrder order) {
    return order == OfferOrder::stake || order == OfferOrder::reputation;
}

Position position_of(const Offer& offer, const ProposalQuery& query) {
    const auto& proposal = offer.proposal;
    const auto price = pay::reference_price(proposal.tariff).value_or(Amount::max()).units();
    Position position;
    switch (query.order) {
        case OfferOrder::price: append(position, 16, price); break;
        case OfferOrder::stake: append(position, 16, ~offer.stake.units()); break;
        case OfferOrder::reputation: append(position, 4, ~offer.reputation.value_or(0)); break;
        case OfferOrder::age: append(position, 8, ~to_unix_seconds(proposal.published)); break;
        case OfferOrder::country: position.assign(proposal.country.begin(), proposal.country.end()); break;
    }
    if (query.reversed) {
        for (auto& byte : position) byte = static_cast<std::uint8_t>(~byte);
    }
    append(position, 16, price);
    append(position, 12, proposal.tariff.per_gib.units());
    append(position, 12, proposal.tariff.per_hour.units());
    position.insert(position.end(), proposal.provider.bytes.begin(), proposal.provider.bytes.end());
    position.insert(position.end(), proposal.service.begin(), proposal.service.end());
    return position;
}

// Cursors

std::string number_or_none(const auto& value) {
    return value ? value->to_string() : std::string("-");
}

/// Ties a cursor to what was asked: filter and order, not the size of the page.
Bytes mark_of(const ProposalQuery& query) {
    const auto& filter = query.filter;
    const auto text =
        fmt::format("1 {} {} {}|{}|{}|{}|{}|{}|{}|{}|{}", to_string(query.order), query.reversed, filter.service,
                    filter.country, number_or_none(filter.max_per_gib), number_or_none(filter.max_per_hour),
                    filter.provider ? filter.provider->hex() : "-", number_or_none(filter.min_stake),
                    filter.min_reputation ? std::to_string(*filter.min_reputation) : "-",
                    filter.max_age ? std::to_string(filter.max_age->count()) : "-", filter.city);
    const auto hash = crypto::keccak256(as_bytes(text));
    return Bytes(hash.bytes.begin(), hash.bytes.begin() + kQueryMark);
}

std::string cursor_at(const Position& position, const ProposalQuery& query) {
    auto bytes = mark_of(query);
    bytes.insert(bytes.end(), position.begin(), position.end());
    return to_hex(bytes);
}

/// Empty: from the start.
Result<Position> position_in(const ProposalQuery& query) {
    if (query.cursor.empty()) return Position{};
    if (query.cursor.size() <= 2 * kMostCursorBytes) {
        const auto bytes = parse_hex(query.cursor);
        const auto mark = mark_of(query);
        if (bytes && bytes->size() > mark.size() && std::equal(mark.begin(), mark.end(), bytes->begin())) {
            return Position(bytes->begin() + kQueryMark, bytes->end());
        }
    }
    return fail(ErrorCode::invalid_argument, "cursor: it is damaged, or was given for another filter or order",
                "repeat the question that it came from, or begin without a cursor");
}

// Pages

struct Entry {
    Position position;
    Offer offer;
    bool is_joined = false;  ///< the chain has been asked
};

/// The entries of registered providers, if the order depends on the chain; else all that match.
Task<Result<std::vector<Entry>>> entries_of(std::vector<Proposal> found, RegistryView& registry,
                                            const ProposalQuery& query) {
    std::vector<Entry> entries;
    for (auto& proposal : found) {
        Entry entry{{}, Offer{std::move(proposal), {}}};
        if (is_by_chain(query.order)) {
            auto offer = co_await registry.look_up(std::move(entry.offer.proposal));
            if (!offer) co_return forward_error(offer);
            if (!*offer) continue;
            entry.offer = std::move(**offer);
            entry.is_joined = true;
        }
        entry.position = position_of(entry.offer, query);
        entries.push_back(std::move(entry));
    }
    const auto before = [](const Entry& a, const Entry& b) { return a.position < b.position; };
    std::sort(entries.begin(), entries.end(), before);
    co_return entries;
}

Result<> check(const ProposalQuery& query, const ports::ChainReader& chain) {
    if (query.limit < 1 || query.limit > kMaxLimit) {
        return fail(ErrorCode::invalid_argument, "limit: expected a number from 1 to 500");
    }
    if (is_by_chain(query.order) && !chain.counts_sales()) {
        return fail(ErrorCode::failed_precondition,
                    fmt::format("offers can be ordered by {} only with an index of the chain", to_string(query.order)),
                    "use another order, or run a full node");
    }
    return check_answerable(query.filter, chain);
}

}  // namespace

Result<> check_answerable(const ProposalFilter& filter, const ports::ChainReader& chain) {
    if (!filter.min_reputation || chain.counts_sales()) return {};
    return fail(ErrorCode::failed_precondition, "reputation is known only with an index of the chain",
                "leave out the least reputation, or run a full node");
}

Task<Result<OfferPage>> list_offers(Context& context, ProposalQuery query) {
    if (auto possible = check(query, context.chain); !possible) co_return forward_error(possible);
    auto after = position_in(query);
    if (!after) co_return forward_error(after);
    auto found = co_await find_offers(context, query.filter);
    if (!found) co_return forward_error(found);
    RegistryView registry(context);
    if (auto prepared = co_await registry.prepare(*found); !prepared) co_return forward_error(prepared);
    auto entries = co_await entries_of(std::move(*found), registry, query);
    if (!entries) co_return forward_error(entries);
    OfferPage page;
    const Position* last = nullptr;
    for (auto& entry : *entries) {
        if (entry.position <= *after) continue;
        if (!entry.is_joined) {
            auto offer = co_await registry.look_up(std::move(entry.offer.proposal));
            if (!offer) co_return forward_error(offer);
            if (!*offer) continue;
            entry.offer = std::move(**offer);
        }
        if (!suits(entry.offer, query.filter)) continue;
        if (page.offers.size() == query.limit) {
            page.next = cursor_at(*last, query);
            break;
        }
        last = &entry.position;
        page.offers.push_back(std::move(entry.offer));
    }
    co_return page;
}

}  // namespace myst::node
