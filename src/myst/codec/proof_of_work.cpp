#include "myst/codec/proof_of_work.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/format.h>

#include "myst/crypto/sha256.hpp"

namespace myst::codec {
namespace {

constexpr std::string_view kNonce = "nonce";
constexpr unsigned kMaxBits = 256;

/// A decimal number up to 256, without sign or leading zeros; anything else is 0.
unsigned read_bits(std::string_view text) {
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    const bool whole = error == std::errc() && end == text.data() + text.size() && !text.starts_with('0');
    return whole && bits <= kMaxBits ? bits : 0;
}

/// Always of the same length.
std::string nonce_text(std::uint64_t nonce) {
    return fmt::format("{:020}", nonce);
}

}  // namespace

unsigned leading_zero_bits(const Hash32& id) {
    unsigned bits = 0;
    for (const auto byte : id.bytes) {
        bits += static_cast<unsigned>(std::countl_zero(byte));
        if (byte != 0) break;
    }
    return bits;
}

unsigned proven_work(const Event& event) {
    const Tag* nonce = nullptr;
    for (const auto& tag : event.tags) {
        if (tag.empty() || tag[0] != kNonce) continue;
        if (nonce != nullptr) return 0;
        nonce = &tag;
    }
    if (nonce == nullptr || nonce->size() != 3) return 0;
    const unsigned bits = read_bits((*nonce)[2]);
    return leading_zero_bits(event.id) >= bits ? bits : 0;
}

bool add_work(Event& event, unsigned bits, std::uint64_t first, std::uint64_t tries) {
    std::erase_if(event.tags, [](const Tag& tag) { return !tag.empty() && tag[0] == kNonce; });
    event.tags.push_back({std::string(kNonce), nonce_text(first), std::to_string(bits)});
    // The form is written once; only the nonce in it changes. Quotation marks in texts are escaped there, so nothing
    // else looks like this tag.
    auto form = canonical_form(event);
    const std::string before = R"(["nonce",")";
    const auto place = form.rfind(before) + before.size();
    for (std::uint64_t i = 0; i < tries; ++i) {
        const auto nonce = nonce_text(first + i);
        form.replace(place, nonce.size(), nonce);
        if (leading_zero_bits(crypto::sha256(as_bytes(form))) < bits) continue;
        event.tags.back()[1] = nonce;
        return true;
    }
    return false;
}

}  // namespace myst::codec
