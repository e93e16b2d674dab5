#include "myst/node/complaints.hpp"

#include <algorithm>

#include "myst/codec/record_kinds.hpp"
#include "myst/node/receipt_record.hpp"
#include "myst/node/record_pages.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kPayeesAtOnce = 64;

/// A receipt whose payer's signature was not looked at yet.
struct Claim {
    codec::Event event;
    ReceiptOutcome outcome{};
};
/// By payee and payer, newest first.
using Claims = std::map<ports::SalesKey, std::vector<Claim>>;

void take(const codec::Event& event, const ports::ChainIdentity& chain, Claims& claims) {
    const auto claim = claim_of(event, chain);
    if (claim) claims[{claim->payee, claim->payer}].push_back({event, claim->outcome});
}

/// Adds the receipts of at most kPayeesAtOnce payees.
Task<Result<>> read_claims(Context& context, std::vector<std::string> names, Claims& claims) {
    codec::Filter query;
    query.kinds = {codec::kReceiptKind};
    query.tags['d'] = std::move(names);
    RecordPages pages(context.records, std::move(query));
    while (!pages.at_end()) {
        auto events = co_await pages.next();
        if (!events) co_return forward_error(events, "asking for receipts");
        for (const auto& event : *events) take(event, context.chain.identity(), claims);
    }
    co_return Result<>();
}

/// What the payer says at last: the newest receipt that it has signed.
bool is_complaint(const std::vector<Claim>& claims, const ports::ChainIdentity& chain) {
    const auto proven = std::find_if(claims.begin(), claims.end(),
                                     [&](const Claim& claim) { return read_receipt(claim.event, chain).has_value(); });
    return proven != claims.end() && proven->outcome == ReceiptOutcome::bad;
}

}  // namespace

Task<Result<std::map<Address, Amount>>> read_complaints(Context& context, std::vector<Address> payees) {
    Claims claims;
    for (std::size_t first = 0; first < payees.size(); first += kPayeesAtOnce) {
        std::vector<std::string> names;
        for (auto i = first; i < std::min(payees.size(), first + kPayeesAtOnce); ++i) {
            names.push_back(payees[i].hex0x());
        }
        if (auto read = co_await read_claims(context, std::move(names), claims); !read) co_return forward_error(read);
    }
    // Signatures are checked only where money stands behind a complaint: anybody can write the rest.
    std::erase_if(claims, [](const auto& entry) {
        const auto is_bad = [](const Claim& claim) { return claim.outcome == ReceiptOutcome::bad; };
        return std::none_of(entry.second.begin(), entry.second.end(), is_bad);
    });
    std::vector<ports::SalesKey> pairs;
    for (const auto& [pair, list] : claims) pairs.push_back(pair);
    std::map<Address, Amount> complaints;
    if (pairs.empty()) co_return complaints;
    auto volumes = co_await context.chain.volumes(std::move(pairs));
    if (!volumes) co_return forward_error(volumes, "looking up who has paid");
    for (const auto& [pair, volume] : *volumes) {
        if (volume.is_zero() || !is_complaint(claims.at(pair), context.chain.identity())) continue;
        auto& sum = complaints[pair.payee];
        sum = sum.plus_saturating(std::min(volume, ports::kMostWeight));
    }
    co_return complaints;
}

}  // namespace myst::node
