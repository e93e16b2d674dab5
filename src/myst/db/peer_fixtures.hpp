// Repeatable randomness and made-up node records, for tests of how peers are found.
#pragma once

#include <random>

#include "myst/db/db_fixtures.hpp"
#include "myst/db/peer_selection.hpp"

namespace myst::db::test {

/// The same numbers for the same seed.
class SeededRng final : public Rng {
public:
    explicit SeededRng(std::uint64_t seed) : engine_(seed) {}
    void fill(std::span<std::uint8_t> out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
    }

private:
    std::mt19937_64 engine_;
};

/// The n-th of many authors; nobody has their keys.
inline NodeKey author_of(std::uint32_t n) {
    NodeKey key;
    for (std::size_t i = 0; i < 4; ++i) key.bytes[31 - i] = static_cast<std::uint8_t>(n >> (8 * i));
    return key;
}

inline RelayUrl url_of(const std::string& text) {
    return RelayUrl::parse(text).value();
}

/// A node record of these relays that lives for an hour.
inline NodeRecord record_of(const std::vector<std::string>& urls, UnixTime published = at(1'800'000'000)) {
    NodeRecord record;
    for (const auto& url : urls) record.relays.push_back(url_of(url));
    record.version = "test";
    record.roles = {"full"};
    record.published = published;
    record.expires = published + seconds(3600);
    return record;
}

}  // namespace myst::db::test
