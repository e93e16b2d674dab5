#include "myst/codec/typed_data.hpp"

#include <fmt/format.h>

#include "myst/codec/eip712.hpp"
#include "myst/codec/json_text.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::codec::eip712 {
namespace detail {
namespace {

namespace json = boost::json;

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("typed data: {}", what));
}

/// Encodes a value of `type` seen through its innermost `dims` dimensions: an array becomes the hash of its elements.
Result<Hash32> encode_value(TypeTable& types, const TypeRef& type, std::size_t dims, const json::value& value) {
    if (dims == 0) {
        return type.kind == Kind::structure ? hash_struct(types, type.structure, value) : encode_atomic(type, value);
    }
    const auto* elements = value.if_array();
    const auto length = type.dims[dims - 1];
    if (elements == nullptr || (length && elements->size() != *length)) {
        return bad("a value is not an array of the stated length");
    }
    Bytes words;
    words.reserve(elements->size() * Hash32::kSize);
    for (const auto& element : *elements) {
        auto word = encode_value(types, type, dims - 1, element);
        if (!word) return word;
        words.insert(words.end(), word->bytes.begin(), word->bytes.end());
    }
    return crypto::keccak256(words);
}

}  // namespace

Result<Hash32> hash_struct(TypeTable& types, const std::string& name, const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) return bad(fmt::format("a value is not a \"{}\"", name));
    const auto& fields = *types.find(name);
    StructHasher hasher(types.type_hash(name));
    for (const auto& field : fields) {
        const auto* member = object->if_contains(field.name);
        if (member == nullptr) return bad(fmt::format("field \"{}\" of \"{}\" is missing", field.name, name));
        auto word = encode_value(types, field.type, field.type.dims.size(), *member);
        if (!word) return word;
        hasher.word(*word);
    }
    if (object->size() != fields.size()) return bad(fmt::format("\"{}\" has a field without a type", name));
    return hasher.hash();
}

}  // namespace detail

namespace {

constexpr std::size_t kMaxDocument = 256 * 1024;
constexpr const char* kDomainType = "EIP712Domain";

tl::unexpected<Error> bad_document() {
    return fail(ErrorCode::invalid_data, "typed data: types, primaryType, domain and message are expected");
}

}  // namespace

Result<Hash32> hash_typed_data(std::string_view text) {
    auto parsed = crypto::parse_json(text, kMaxDocument);
    if (!parsed) return forward_error(parsed, "typed data");
    const auto* document = parsed->if_object();
    if (document == nullptr || document->size() != 4) return bad_document();
    for (const char* name : {"types", "primaryType", "domain", "message"}) {
        if (!document->contains(name)) return bad_document();
    }
    const auto primary = codec::detail::as_string(document->at("primaryType"));
    if (!document->at("types").is_object() || !primary) return bad_document();
    auto types = detail::TypeTable::parse(document->at("types").get_object());
    if (!types) return forward_error(types);
    if (types->find(kDomainType) == nullptr || types->find(*primary) == nullptr || *primary == kDomainType) {
        return fail(ErrorCode::invalid_data, "typed data: the type of the domain or of the message is missing");
    }
    auto separator = detail::hash_struct(*types, kDomainType, document->at("domain"));
    if (!separator) return separator;
    auto message = detail::hash_struct(*types, std::string(*primary), document->at("message"));
    if (!message) return message;
    return digest(*separator, *message);
}

}  // namespace myst::codec::eip712
