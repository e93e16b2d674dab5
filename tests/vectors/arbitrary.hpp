// Random events, filters and damaged texts for property tests.
#pragma once

#include <string>

#include <rapidcheck.h>

#include "myst/codec/event.hpp"
#include "myst/codec/filter.hpp"

namespace myst::test {

template <class Fixed>
[[nodiscard]] Fixed arbitrary_fixed() {
    Fixed value;
    for (auto& byte : value.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
    return value;
}

/// UTF-8 text in which characters that need escaping are frequent.
[[nodiscard]] inline std::string arbitrary_text() {
    static const std::vector<std::string> pieces = {
        "a",  "Z",      "0",  " ",       "\n",       "\"", "\\",   "\r",
        "\t", "\b",     "\f", "\x01",    "\x1f",     "/",  "\x7f", std::string(1, '\0'),
        "é",  "\u2028", "🚀",  "\\u0041", "</script>"};
    std::string text;
    for (auto left = *rc::gen::inRange(0, 12); left > 0; --left) text += *rc::gen::elementOf(pieces);
    return text;
}

[[nodiscard]] inline UnixTime arbitrary_time() {
    return UnixTime(seconds(*rc::gen::inRange<std::int64_t>(0, (std::int64_t{1} << 53) - 1)));
}

[[nodiscard]] inline codec::Event arbitrary_event() {
    codec::Event event;
    event.id = arbitrary_fixed<Hash32>();
    event.pubkey = arbitrary_fixed<NodeKey>();
    event.sig = arbitrary_fixed<crypto::SchnorrSignature>();
    event.created_at = arbitrary_time();
    event.kind = *rc::gen::inRange<std::uint32_t>(0, codec::kMaxEventKind + 1);
    for (auto tags = *rc::gen::inRange(0, 4); tags > 0; --tags) {
        codec::Tag tag{*rc::gen::elementOf(std::vector<std::string>{"d", "e", "p", "T", "expiration", ""})};
        for (auto fields = *rc::gen::inRange(0, 4); fields > 0; --fields) tag.push_back(arbitrary_text());
        event.tags.push_back(std::move(tag));
    }
    event.content = arbitrary_text();
    return event;
}

[[nodiscard]] inline codec::Filter arbitrary_filter() {
    codec::Filter filter;
    for (auto left = *rc::gen::inRange(0, 3); left > 0; --left) filter.ids.push_back(arbitrary_fixed<Hash32>());
    for (auto left = *rc::gen::inRange(0, 3); left > 0; --left) filter.authors.push_back(arbitrary_fixed<NodeKey>());
    for (auto left = *rc::gen::inRange(0, 3); left > 0; --left) {
        filter.kinds.push_back(*rc::gen::inRange<std::uint32_t>(0, codec::kMaxEventKind + 1));
    }
    for (auto left = *rc::gen::inRange(0, 3); left > 0; --left) {
        const char letter = *rc::gen::elementOf(std::string("adeptzAPZ"));
        const bool hex_only = letter == 'e' || letter == 'p';
        filter.tags[letter].push_back(hex_only ? arbitrary_fixed<Hash32>().hex() : arbitrary_text());
    }
    if (*rc::gen::arbitrary<bool>()) filter.since = arbitrary_time();
    if (*rc::gen::arbitrary<bool>()) filter.until = arbitrary_time();
    if (*rc::gen::arbitrary<bool>()) filter.limit = *rc::gen::arbitrary<std::uint32_t>();
    return filter;
}

/// The text with a few bytes replaced, removed or doubled.
[[nodiscard]] inline std::string mutated(std::string text) {
    for (auto left = *rc::gen::inRange(1, 5); left > 0 && !text.empty(); --left) {
        const auto position = *rc::gen::inRange<std::size_t>(0, text.size());
        switch (*rc::gen::inRange(0, 3)) {
            case 0: text[position] = *rc::gen::elementOf(std::string("{}[],:\"\\ 019aAfnu-.e#\x01\xff")); break;
            case 1: text.erase(position, *rc::gen::inRange<std::size_t>(1, 4)); break;
            default: text.insert(position, text.substr(position, *rc::gen::inRange<std::size_t>(1, 30))); break;
        }
    }
    return text;
}

}  // namespace myst::test
