// The records of the benchmarks, and what is asked of them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "myst/codec/filter.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/crypto/system_rng.hpp"

namespace myst::bench {

inline constexpr std::array<std::string_view, 40> kCountries{
    "AR", "AT", "AU", "BE", "BG", "BR", "CA", "CH", "CL", "CZ", "DE", "DK", "EE", "ES",
    "FI", "FR", "GB", "GR", "HU", "IE", "IN", "IS", "IT", "JP", "KR", "LT", "LV", "MX",
    "NL", "NO", "NZ", "PL", "PT", "RO", "SE", "SG", "SK", "TR", "UA", "US"};

/// A proposal as docs/records.md has it, as JSON, of a provider of its own, written within the hour before `now`.
inline std::string proposal(std::size_t number, UnixTime now, crypto::SystemRng& rng) {
    const auto key = crypto::PrivateKey::generate(rng);
    const std::string country(kCountries[number % kCountries.size()]);
    const auto created = now - seconds(static_cast<std::int64_t>(number % 3'000));
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
    event.content = R"({"v":1,"terms":"No spam.","name":"node"})";
    codec::sign_event(event, key, Hash32{});
    return codec::to_json(event);
}

inline std::vector<std::string> proposals(std::size_t count, UnixTime now) {
    crypto::SystemRng rng;
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) texts.push_back(proposal(i, now, rng));
    return texts;
}

/// What a client asks for: a service in one country or three, newest first.
inline codec::Filter question(std::size_t number, std::uint32_t limit) {
    codec::Filter filter;
    filter.kinds = {codec::kProposalKind};
    filter.tags['s'] = {"wireguard"};
    const std::size_t countries = number % 2 == 0 ? 1 : 3;
    for (std::size_t i = 0; i < countries; ++i) {
        filter.tags['c'].emplace_back(kCountries[(number * 7 + i) % kCountries.size()]);
    }
    filter.limit = limit;
    return filter;
}

}  // namespace myst::bench
