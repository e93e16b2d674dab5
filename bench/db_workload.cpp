#include "db_workload.hpp"

#include <array>

#include <fmt/format.h>

#include "myst/codec/record_kinds.hpp"
#include "myst/crypto/sha256.hpp"

namespace myst::bench {
namespace {

constexpr std::array<std::string_view, kCountries> kNames{"AR", "AT", "AU", "BE", "BG", "BR", "CA", "CH", "CL", "CZ",
                                                          "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HU", "IE",
                                                          "IN", "IS", "IT", "JP", "KR", "LT", "LV", "MX", "NL", "NO",
                                                          "NZ", "PL", "PT", "RO", "SE", "SG", "SK", "TR", "UA", "US"};
constexpr std::size_t kPerSecond = 10;

}  // namespace

std::string country_of(std::size_t number) {
    return std::string(kNames[number % kNames.size()]);
}

std::string proposal(std::size_t number, UnixTime created, std::string_view name) {
    const auto key = *crypto::PrivateKey::from(crypto::sha256(as_bytes(fmt::format("provider {}", number))).bytes);
    const auto country = country_of(number);
    codec::Event event;
    event.kind = codec::kProposalKind;
    event.created_at = created;
    event.tags = {{"d", "wireguard"},
                  {"expiration", std::to_string((created + seconds(4 * 3600)).time_since_epoch().count())},
                  {"service", "wireguard"},
                  {"s", "wireguard"},
                  {"country", country},
                  {"c", country},
                  {"l", "wireguard:" + country},
                  {"price_gib", std::to_string(50'000'000'000'000'000 + number * 1'000'000)},
                  {"price_hour", "200000000000000"},
                  {"relay", fmt::format("wss://relay-{}.example:7777", number)},
                  {"payee", key.address().hex0x()},
                  {"chain", "31337", "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"}};
    event.content = fmt::format(R"({{"v":1,"terms":"No spam.","name":"{}"}})", name);
    codec::sign_event(event, key, Hash32{});
    return codec::to_json(event);
}

std::vector<std::string> proposals(std::size_t count, UnixTime now, std::size_t first) {
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto age = (count - i) / kPerSecond + i * 7'919 % 60;
        texts.push_back(proposal(first + i, now - seconds(static_cast<std::int64_t>(age))));
    }
    return texts;
}

codec::Filter question(std::size_t number) {
    codec::Filter filter;
    filter.kinds = {codec::kProposalKind};
    filter.tags['s'] = {"wireguard"};
    const std::size_t countries = number % 2 == 0 ? 1 : 3;
    for (std::size_t i = 0; i < countries; ++i) filter.tags['c'].push_back(country_of(number * 7 + i));
    filter.limit = kPageOfQuery;
    return filter;
}

}  // namespace myst::bench
