#include "myst/chain/eth_json.hpp"

#include <charconv>

#include "myst/crypto/keccak.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTopics = 4;

tl::unexpected<Error> bad(std::string why) {
    return fail(ErrorCode::invalid_data, std::move(why));
}

/// Reads one member with `read` and names it on failure.
template <class T, class Read>
Result<T> field(const json::value& object, std::string_view name, Read read) {
    auto value = member(object, name);
    if (!value) return forward_error(value);
    Result<T> result = read(**value);
    if (!result) return forward_error(result, name);
    return result;
}

/// Bit positions of an item: the low 11 bits of the first three pairs of bytes of its Keccak hash.
std::array<std::size_t, 3> bloom_bits(BytesView item) {
    const auto hash = crypto::keccak256(item);
    std::array<std::size_t, 3> bits{};
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bits[i] = (static_cast<std::size_t>(hash.bytes[2 * i]) << 8 | hash.bytes[2 * i + 1]) & 2047;
    }
    return bits;
}

}  // namespace

std::string quantity(std::uint64_t value) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    return "0x" + std::string(digits.data(), end);
}

Result<std::uint64_t> as_u64(const json::value& value) {
    auto wide = as_uint256(value);
    if (!wide) return forward_error(wide);
    if ((*wide >> 64) != 0) return bad("a quantity needs more than 64 bits");
    return static_cast<std::uint64_t>(*wide);
}

Result<Uint256> as_uint256(const json::value& value) {
    const auto* text = value.if_string();
    if (!text || text->size() < 3 || text->size() > 66 || !text->starts_with("0x")) return bad("expected a quantity");
    Uint256 number = 0;
    for (const char c : std::string_view(*text).substr(2)) {
        unsigned digit = 0;
        const auto read = std::from_chars(&c, &c + 1, digit, 16);
        if (read.ec != std::errc{}) return bad("a quantity is not hex");
        number = number << 4 | digit;
    }
    return number;
}

Result<Bytes> as_data(const json::value& value) {
    const auto* text = value.if_string();
    if (!text || !text->starts_with("0x")) return bad("expected 0x and hex digits");
    return parse_hex(std::string_view(*text));
}

Result<const json::value*> member(const json::value& object, std::string_view name) {
    const auto* fields = object.if_object();
    const auto* value = fields ? fields->if_contains(name) : nullptr;
    if (!value) return bad("member " + std::string(name) + " is missing");
    return value;
}

Result<BlockHeader> as_header(const json::value& value) {
    if (value.is_null()) return fail(ErrorCode::not_found, "the endpoint does not have this block");
    auto number = field<std::uint64_t>(value, "number", as_u64);
    if (!number) return forward_error(number, "block");
    auto hash = field<Hash32>(value, "hash", as_fixed<Hash32>);
    if (!hash) return forward_error(hash, "block");
    auto parent = field<Hash32>(value, "parentHash", as_fixed<Hash32>);
    if (!parent) return forward_error(parent, "block");
    auto time = field<std::uint64_t>(value, "timestamp", as_u64);
    if (!time) return forward_error(time, "block");
    if ((*time >> 40) != 0) return bad("block: its time has more than 40 bits");
    auto bloom = field<Bloom>(value, "logsBloom", as_fixed<Bloom>);
    if (!bloom) return forward_error(bloom, "block");
    return BlockHeader{*number, *hash, *parent, UnixTime(seconds(static_cast<std::int64_t>(*time))), *bloom};
}

Result<Log> as_log(const json::value& value) {
    Log log;
    auto address = field<Address>(value, "address", as_fixed<Address>);
    if (!address) return forward_error(address, "log");
    auto data = field<Bytes>(value, "data", as_data);
    if (!data) return forward_error(data, "log");
    auto number = field<std::uint64_t>(value, "blockNumber", as_u64);
    if (!number) return forward_error(number, "log");
    auto hash = field<Hash32>(value, "blockHash", as_fixed<Hash32>);
    if (!hash) return forward_error(hash, "log");
    auto index = field<std::uint64_t>(value, "logIndex", as_u64);
    if (!index) return forward_error(index, "log");
    auto topics = member(value, "topics");
    if (!topics) return forward_error(topics, "log");
    const auto* list = (*topics)->if_array();
    if (!list || list->size() > kMaxTopics) return bad("log: its topics are not a list of at most four");
    for (const auto& each : *list) {
        auto topic = as_fixed<Hash32>(each);
        if (!topic) return forward_error(topic, "log: topic");
        log.topics.push_back(*topic);
    }
    log.address = *address;
    log.data = std::move(*data);
    log.block_number = *number;
    log.block_hash = *hash;
    log.index = *index;
    return log;
}

bool bloom_has(const Bloom& bloom, BytesView item) {
    for (const auto bit : bloom_bits(item)) {
        if ((bloom.bytes[255 - bit / 8] >> (bit % 8) & 1) == 0) return false;
    }
    return true;
}

void bloom_add(Bloom& bloom, BytesView item) {
    for (const auto bit : bloom_bits(item)) {
        bloom.bytes[255 - bit / 8] = static_cast<std::uint8_t>(bloom.bytes[255 - bit / 8] | 1U << (bit % 8));
    }
}

}  // namespace myst::chain
