#include "myst/node/proposal_record.hpp"

#include <algorithm>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "myst/base/printable.hpp"
#include "myst/crypto/address.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxService = 32;

Result<Proposal> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, "proposal: " + std::string(what));
}

bool is_service(std::string_view text) {
    return !text.empty() && text.size() <= kMaxService &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

/// The second field of the first tag with this name, or empty.
std::string_view field(const codec::Event& event, std::string_view name) {
    return event.tag(name).value_or(std::string_view{});
}

/// The same text but for the case of a-z.
bool same_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

Result<> read_content(const std::string& content, Proposal& proposal) {
    auto json = crypto::parse_json(content, codec::kMaxProposalContent);
    if (!json) return forward_error(json, "proposal content");
    const auto* object = json->if_object();
    if (!object) return fail(ErrorCode::invalid_data, "proposal content is not an object");
    for (auto [name, limit, target] :
         {std::tuple{"name", kMaxName, &proposal.name}, {"terms", kMaxTerms, &proposal.terms}}) {
        const auto* value = object->if_contains(name);
        const auto* text = value ? value->if_string() : nullptr;
        if (!text || text->size() > limit) {
            return fail(ErrorCode::invalid_data, std::string("proposal: ") + name + " is missing or too long");
        }
        *target = std::string(*text);
    }
    return {};
}

Result<> read_relays(const codec::Event& event, Proposal& proposal) {
    for (const auto& tag : event.tags) {
        if (tag.size() < 2 || tag[0] != "relay") continue;
        const bool web_socket = tag[1].starts_with("ws://") || tag[1].starts_with("wss://");
        if (!web_socket || tag[1].size() > kMaxRelayUrl || proposal.relays.size() == kMaxRelays) {
            return fail(ErrorCode::invalid_data, "proposal: bad relay list");
        }
        proposal.relays.push_back(tag[1]);
    }
    return {};
}

}  // namespace

bool is_country(std::string_view text) {
    return text.size() == 2 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool names_chain(const codec::Event& event, const ports::ChainIdentity& chain) {
    for (const auto& tag : event.tags) {
        if (tag.size() != 3 || tag[0] != "chain") continue;
        const auto lanes = crypto::parse_address(tag[2]);
        return tag[1] == std::to_string(chain.chain_id) && lanes && *lanes == chain.lanes;
    }
    return false;
}

bool is_city(std::string_view text) {
    return !text.empty() && text.size() <= kMaxCity && printable(text) == text;
}

codec::Event make_proposal(const Proposal& proposal, const ports::ChainIdentity& chain,
                           const crypto::PrivateKey& node_key, Rng& rng) {
    codec::Event event;
    event.kind = kProposalKind;
    event.created_at = proposal.published;
    event.tags = {{"d", proposal.service},
                  {"s", proposal.service},
                  {"service", proposal.service},
                  {"c", proposal.country},
                  {"country", proposal.country},
                  {"l", proposal.service + ":" + proposal.country},
                  {"price_gib", proposal.tariff.per_gib.to_string()},
                  {"price_hour", proposal.tariff.per_hour.to_string()},
                  {"payee", crypto::to_checksum(proposal.payee)},
                  {"chain", std::to_string(chain.chain_id), crypto::to_checksum(chain.lanes)},
                  {"expiration", std::to_string(to_unix_seconds(proposal.expires))}};
    if (!proposal.city.empty()) event.tags.push_back({"city", proposal.city});
    for (const auto& relay : proposal.relays) event.tags.push_back({"relay", relay});
    boost::json::object content{{"v", 1}, {"name", proposal.name}, {"terms", proposal.terms}};
    event.content = boost::json::serialize(content);
    codec::sign_event(event, node_key, random_bytes<Hash32>(rng));
    return event;
}

Result<Proposal> read_proposal(const codec::Event& event, const ports::ChainIdentity& chain) {
    if (event.kind != kProposalKind) return bad("wrong kind");
    if (!names_chain(event, chain)) return bad("it is for another chain or contract");
    Proposal proposal;
    proposal.provider = event.pubkey;
    proposal.published = event.created_at;
    proposal.service = field(event, "service");
    proposal.country = field(event, "country");
    if (!is_service(proposal.service) || proposal.service != field(event, "d")) return bad("bad service name");
    if (!is_country(proposal.country)) return bad("the country is not two capital letters");
    proposal.city = field(event, "city");
    if (event.tag("city") && !is_city(proposal.city)) return bad("bad name of a city");
    auto per_gib = Amount::parse(field(event, "price_gib"));
    auto per_hour = Amount::parse(field(event, "price_hour"));
    if (!per_gib || !per_hour) return bad("a price is not a decimal number");
    proposal.tariff = {*per_gib, *per_hour};
    if (!pay::reference_price(proposal.tariff)) return bad("its prices are out of range");
    auto payee = crypto::parse_address(field(event, "payee"));
    if (!payee || payee->is_zero()) return bad("the payee is not an address");
    proposal.payee = *payee;
    const auto expires = event.expiration();
    if (!expires) return bad("it does not expire");
    proposal.expires = *expires;
    if (auto read = read_relays(event, proposal); !read) return forward_error(read);
    if (auto read = read_content(event.content, proposal); !read) return forward_error(read);
    return proposal;
}

codec::Filter to_query(const ProposalFilter& filter) {
    codec::Filter query;
    query.kinds = {kProposalKind};
    if (!filter.service.empty()) query.tags['s'] = {filter.service};
    if (!filter.country.empty()) query.tags['c'] = {filter.country};
    if (filter.provider) query.authors = {*filter.provider};
    return query;
}

bool matches(const Proposal& proposal, const ProposalFilter& filter, UnixTime now) {
    return (filter.service.empty() || proposal.service == filter.service) &&
           (filter.country.empty() || proposal.country == filter.country) &&
           (filter.city.empty() || same_name(proposal.city, filter.city)) &&
           (!filter.max_age || now - proposal.published <= *filter.max_age) &&
           (!filter.provider || proposal.provider == *filter.provider) &&
           (!filter.max_per_gib || proposal.tariff.per_gib <= *filter.max_per_gib) &&
           (!filter.max_per_hour || proposal.tariff.per_hour <= *filter.max_per_hour);
}

void sort_by_price(std::vector<Proposal>& proposals) {
    std::sort(proposals.begin(), proposals.end(), [](const Proposal& a, const Proposal& b) {
        const auto price_a = pay::reference_price(a.tariff).value_or(Amount::max());
        const auto price_b = pay::reference_price(b.tariff).value_or(Amount::max());
        return std::tie(price_a, a.tariff, a.provider) < std::tie(price_b, b.tariff, b.provider);
    });
}

}  // namespace myst::node
