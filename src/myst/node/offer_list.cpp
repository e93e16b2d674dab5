#include "myst/node/offer_list.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/crypto/keccak.hpp"
#include "myst/node/latency_probe.hpp"
#include "myst/node/offer_search.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxLimit = 500;
constexpr std::size_t kQueryMark = 8;          ///< bytes of a hash that tie a cursor to its query
constexpr std::size_t kMostCursorBytes = 160;  ///< more than any position takes
constexpr std::size_t kMostMeasured = 32;      ///< whose latency is measured: the cheapest that match
constexpr std::size_t kMeasuredAtOnce = 8;     ///< of them, in one call of measure_offers

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
        case OfferOrder::latency:
            append(position, 4, offer.latency ? static_cast<std::uint32_t>(offer.latency->count()) : UINT32_MAX);
            break;
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
    const auto latency = query.max_latency ? fmt::format("{} ms ", query.max_latency->count()) : std::string();
    const auto text = fmt::format("1 {}{} {} {}|{}|{}|{}|{}|{}|{}|{}|{}", latency, to_string(query.order),
                                  query.reversed, filter.service, filter.country, number_or_none(filter.max_per_gib),
                                  number_or_none(filter.max_per_hour), filter.provider ? filter.provider->hex() : "-",
                                  number_or_none(filter.min_stake),
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
                                            const LatencyBook& book, const ProposalQuery& query) {
    std::vector<Entry> entries;
    for (auto& proposal : found) {
        Entry entry{{}, Offer{std::move(proposal), {}}};
        const auto latency = book.of(entry.offer.proposal.provider);
        if (is_by_chain(query.order)) {
            auto offer = co_await registry.look_up(std::move(entry.offer.proposal));
            if (!offer) co_return forward_error(offer);
            if (!*offer) continue;
            entry.offer = std::move(**offer);
            entry.is_joined = true;
        }
        entry.offer.latency = latency;
        entry.position = position_of(entry.offer, query);
        entries.push_back(std::move(entry));
    }
    const auto before = [](const Entry& a, const Entry& b) { return a.position < b.position; };
    std::sort(entries.begin(), entries.end(), before);
    co_return entries;
}

// Latency

bool needs_latency(const ProposalQuery& query) {
    return query.order == OfferOrder::latency || query.max_latency;
}

/// The cheapest of registered providers that suit, of offers that are in the order of price.
Task<Result<std::vector<Proposal>>> cheapest(const std::vector<Proposal>& found, RegistryView& registry,
                                             const ProposalFilter& filter) {
    std::vector<Proposal> chosen;
    for (const auto& proposal : found) {
        if (chosen.size() == kMostMeasured) break;
        auto copy = proposal;
        auto offer = co_await registry.look_up(std::move(copy));
        if (!offer) co_return forward_error(offer);
        if (*offer && suits(**offer, filter)) chosen.push_back(std::move((*offer)->proposal));
    }
    co_return chosen;
}

bool is_near(const Offer& offer, const ProposalQuery& query) {
    return !query.max_latency || (offer.latency && *offer.latency <= *query.max_latency);
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

Task<Result<LatencyRound>> measure_offers(Context& context, LatencyBook& book, ProposalFilter filter) {
    if (auto possible = check_answerable(filter, context.chain); !possible) co_return forward_error(possible);
    auto found = co_await find_offers(context, filter);
    if (!found) co_return forward_error(found);
    RegistryView registry(context);
    if (auto prepared = co_await registry.prepare(*found); !prepared) co_return forward_error(prepared);
    auto chosen = co_await cheapest(*found, registry, filter);
    if (!chosen) co_return forward_error(chosen);
    co_return co_await measure_latency(context, book, std::move(*chosen), kMeasuredAtOnce);
}

Task<Result<OfferPage>> list_offers(Context& context, LatencyBook& book, ProposalQuery query) {
    if (auto possible = check(query, context.chain); !possible) co_return forward_error(possible);
    auto after = position_in(query);
    if (!after) co_return forward_error(after);
    auto found = co_await find_offers(context, query.filter);
    if (!found) co_return forward_error(found);
    RegistryView registry(context);
    if (auto prepared = co_await registry.prepare(*found); !prepared) co_return forward_error(prepared);
    // What later pages measure would come before them in the order, and be shown to nobody.
    if (needs_latency(query) && query.cursor.empty()) {
        auto chosen = co_await cheapest(*found, registry, query.filter);
        if (!chosen) co_return forward_error(chosen);
        std::ignore = co_await measure_latency(context, book, std::move(*chosen), kMostMeasured);
    }
    auto entries = co_await entries_of(std::move(*found), registry, book, query);
    if (!entries) co_return forward_error(entries);
    OfferPage page;
    const Position* last = nullptr;
    for (auto& entry : *entries) {
        if (entry.position <= *after || !is_near(entry.offer, query)) continue;
        if (!entry.is_joined) {
            auto offer = co_await registry.look_up(std::move(entry.offer.proposal));
            if (!offer) co_return forward_error(offer);
            if (!*offer) continue;
            (*offer)->latency = entry.offer.latency;
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
