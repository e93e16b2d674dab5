#include "myst/node/complaints.hpp"

#include <algorithm>
#include <type_traits>

#include "myst/codec/record_kinds.hpp"
#include "myst/node/receipt_record.hpp"
#include "myst/node/record_pages.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kPayeesAtOnce = 64;

// Strangers can make us hold thousands of them: none keeps more than its own size.
static_assert(std::is_trivially_copyable_v<ReceiptClaim>);
/// By payee and payer, newest first; no signature was looked at yet.
using Claims = std::map<ports::SalesKey, std::vector<ReceiptClaim>>;

void take(const codec::Event& event, const ports::ChainIdentity& chain, Claims& claims) {
    const auto claim = claim_of(event, chain);
    if (claim) claims[{claim->receipt.payee, claim->receipt.payer}].push_back(*claim);
}

/// The receipts of at most kPayeesAtOnce payees.
Task<Result<Claims>> read_claims(Context& context, std::vector<std::string> names) {
    codec::Filter query;
    query.kinds = {codec::kReceiptKind};
    query.tags['d'] = std::move(names);
    RecordPages pages(context.records, std::move(query));
    Claims claims;
    while (!pages.at_end()) {
        auto events = co_await pages.next();
        if (!events) co_return forward_error(events, "asking for receipts");
        for (const auto& event : *events) take(event, context.chain.identity(), claims);
    }
    co_return std::move(claims);
}

/// What the payer says at last: the newest receipt that it has signed.
bool is_complaint(const std::vector<ReceiptClaim>& claims, const ports::ChainIdentity& chain) {
    const auto proven =
        std::find_if(claims.begin(), claims.end(), [&](const ReceiptClaim& claim) { return is_proven(claim, chain); });
    return proven != claims.end() && proven->receipt.outcome == ReceiptOutcome::bad;
}

/// Adds up what the claims weigh. Signatures are checked only where money stands behind a complaint: anybody can write
/// the rest.
Task<Result<>> weigh(Context& context, Claims claims, std::map<Address, Amount>& complaints) {
    std::erase_if(claims, [](const auto& entry) {
        const auto is_bad = [](const ReceiptClaim& claim) { return claim.receipt.outcome == ReceiptOutcome::bad; };
        return std::none_of(entry.second.begin(), entry.second.end(), is_bad);
    });
    std::vector<ports::SalesKey> pairs;
    for (const auto& [pair, list] : claims) pairs.push_back(pair);
    if (pairs.empty()) co_return Result<>();
    auto volumes = co_await context.chain.volumes(std::move(pairs));
    if (!volumes) co_return forward_error(volumes, "looking up who has paid");
    for (const auto& [pair, volume] : *volumes) {
        if (volume.is_zero() || !is_complaint(claims.at(pair), context.chain.identity())) continue;
        auto& sum = complaints[pair.payee];
        sum = sum.plus_saturating(std::min(volume, ports::kMostWeight));
    }
    co_return Result<>();
}

}  // namespace

Task<Result<std::map<Address, Amount>>> read_complaints(Context& context, std::vector<Address> payees) {
    std::map<Address, Amount> complaints;
    for (std::size_t first = 0; first < payees.size(); first += kPayeesAtOnce) {
        std::vector<std::string> names;
        for (auto i = first; i < std::min(payees.size(), first + kPayeesAtOnce); ++i) {
            names.push_back(payees[i].hex0x());
        }
        auto claims = co_await read_claims(context, std::move(names));
        if (!claims) co_return forward_error(claims);
        auto weighed = co_await weigh(context, std::move(*claims), complaints);
        if (!weighed) co_return forward_error(weighed);
    }
    co_return complaints;
}

}  // namespace myst::node
