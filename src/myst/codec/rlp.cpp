#include "myst/codec/rlp.hpp"

#include <iterator>
#include <optional>

namespace myst::codec::rlp {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kShortLimit = 55;  ///< the longest payload whose length fits into the first byte
constexpr std::uint8_t kStringOffset = 0x80;
constexpr std::uint8_t kListOffset = 0xc0;

Bytes big_endian(std::size_t value) {
    Bytes bytes;
    for (int shift = 56; shift >= 0; shift -= 8) {
        const auto byte = static_cast<std::uint8_t>(value >> shift);
        if (byte != 0 || !bytes.empty()) bytes.push_back(byte);
    }
    return bytes;
}

void append_header(Bytes& out, std::size_t length, std::uint8_t offset) {
    if (length <= kShortLimit) {
        out.push_back(static_cast<std::uint8_t>(offset + length));
        return;
    }
    const auto digits = big_endian(length);
    out.push_back(static_cast<std::uint8_t>(offset + kShortLimit + digits.size()));
    out.insert(out.end(), digits.begin(), digits.end());
}

void append(Bytes& out, const Item& item) {
    if (const auto* bytes = std::get_if<Bytes>(&item.value)) {
        if (bytes->size() != 1 || bytes->front() >= kStringOffset) append_header(out, bytes->size(), kStringOffset);
        out.insert(out.end(), bytes->begin(), bytes->end());
        return;
    }
    Bytes payload;
    for (const auto& child : std::get<std::vector<Item>>(item.value)) append(payload, child);
    append_header(out, payload.size(), kListOffset);
    out.insert(out.end(), payload.begin(), payload.end());
}

/// One item's first bytes, understood.
struct Header {
    bool list = false;
    BytesView payload;
    BytesView rest;  ///< what follows the item
};

tl::expected<std::size_t, DecodeError> long_length(BytesView digits) {
    if (digits.front() == 0) return tl::unexpected(DecodeError::non_canonical);
    std::size_t length = 0;
    for (auto byte : digits) length = length << 8 | byte;
    if (length <= kShortLimit) return tl::unexpected(DecodeError::non_canonical);
    return length;
}

tl::expected<Header, DecodeError> read_header(BytesView input) {
    if (input.empty()) return tl::unexpected(DecodeError::truncated);
    const std::uint8_t first = input.front();
    if (first < kStringOffset) return Header{false, input.first(1), input.subspan(1)};
    const bool list = first >= kListOffset;
    std::size_t length = static_cast<std::size_t>(first - (list ? kListOffset : kStringOffset));
    input = input.subspan(1);
    if (length > kShortLimit) {
        const std::size_t digits = length - kShortLimit;
        if (input.size() < digits) return tl::unexpected(DecodeError::truncated);
        const auto stated = long_length(input.first(digits));
        if (!stated) return tl::unexpected(stated.error());
        length = *stated;
        input = input.subspan(digits);
    }
    if (input.size() < length) return tl::unexpected(DecodeError::truncated);
    // A single small byte is its own encoding.
    if (!list && length == 1 && input.front() < kStringOffset) return tl::unexpected(DecodeError::non_canonical);
    return Header{list, input.first(length), input.subspan(length)};
}

/// Decodes the item at the front of `input` and advances past it.
tl::expected<Item, DecodeError> take(BytesView& input, std::size_t depth) {
    const auto header = read_header(input);
    if (!header) return tl::unexpected(header.error());
    input = header->rest;
    if (!header->list) return Item{Bytes(header->payload.begin(), header->payload.end())};
    if (depth >= kMaxDepth) return tl::unexpected(DecodeError::too_deep);
    std::vector<Item> children;
    for (auto payload = header->payload; !payload.empty();) {
        auto child = take(payload, depth + 1);
        if (!child) return child;
        children.push_back(std::move(*child));
    }
    return Item{std::move(children)};
}

}  // namespace

Bytes encode(const Item& item) {
    Bytes out;
    append(out, item);
    return out;
}

Item integer(const Uint256& value) {
    Bytes bytes;
    if (value != 0) boost::multiprecision::export_bits(value, std::back_inserter(bytes), 8);
    return Item{std::move(bytes)};
}

std::string_view to_string(DecodeError error) {
    switch (error) {
        case DecodeError::truncated: return "truncated";
        case DecodeError::trailing_bytes: return "trailing bytes";
        case DecodeError::non_canonical: return "not in canonical form";
        case DecodeError::too_deep: return "nested too deeply";
    }
    return "unknown";
}

tl::expected<Item, DecodeError> decode(BytesView input) {
    auto item = take(input, 0);
    if (item && !input.empty()) return tl::unexpected(DecodeError::trailing_bytes);
    return item;
}

}  // namespace myst::codec::rlp
