// The type table of an EIP-712 document.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "myst/codec/eip712.hpp"
#include "myst/codec/json_text.hpp"
#include "myst/codec/typed_data.hpp"

namespace myst::codec::eip712::detail {
namespace {

namespace json = boost::json;
using codec::detail::as_string;

constexpr std::size_t kMaxTypes = 256;
constexpr std::size_t kMaxArrayLength = 1'000'000;

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("typed data: {}", what));
}

/// A decimal number without leading zeros, up to `max`.
std::optional<std::size_t> parse_number(std::string_view text, std::size_t max) {
    std::size_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || text.front() == '0' || value > max) return std::nullopt;
    return value;
}

std::optional<TypeRef> integer_type(std::string_view digits, Kind kind) {
    const auto bits = parse_number(digits, 256);
    if (!bits || *bits % 8 != 0) return std::nullopt;
    return TypeRef{kind, *bits, {}, {}};
}

std::optional<TypeRef> atomic_type(std::string_view name) {
    if (name == "address") return TypeRef{Kind::address, 0, {}, {}};
    if (name == "bool") return TypeRef{Kind::boolean, 0, {}, {}};
    if (name == "string") return TypeRef{Kind::string, 0, {}, {}};
    if (name == "bytes") return TypeRef{Kind::bytes, 0, {}, {}};
    if (name.starts_with("uint")) return integer_type(name.substr(4), Kind::unsigned_integer);
    if (name.starts_with("int")) return integer_type(name.substr(3), Kind::signed_integer);
    if (name.starts_with("bytes")) {
        const auto size = parse_number(name.substr(5), 32);
        if (size) return TypeRef{Kind::fixed_bytes, *size, {}, {}};
    }
    return std::nullopt;
}

bool is_identifier(std::string_view text) {
    const auto is_start = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
    };
    return !text.empty() && is_start(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return is_start(c) || (c >= '0' && c <= '9'); });
}

/// Splits "Person[2][]" into its name and dimensions; the name is not looked up.
std::optional<TypeRef> parse_type(std::string_view text) {
    const auto bracket = text.find('[');
    const auto name = text.substr(0, bracket);
    if (!is_identifier(name)) return std::nullopt;
    TypeRef type = atomic_type(name).value_or(TypeRef{Kind::structure, 0, std::string(name), {}});
    for (auto rest = text.substr(name.size()); !rest.empty();) {
        const auto close = rest.find(']');
        if (rest.front() != '[' || close == std::string_view::npos) return std::nullopt;
        const auto digits = rest.substr(1, close - 1);
        const auto length = parse_number(digits, kMaxArrayLength);
        if (!digits.empty() && !length) return std::nullopt;
        type.dims.push_back(length);
        rest = rest.substr(close + 1);
    }
    return type;
}

Result<Field> parse_field(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr || object->size() != 2 || !object->contains("name") || !object->contains("type")) {
        return bad("a field of a type does not consist of name and type");
    }
    const auto name = as_string(object->at("name"));
    const auto type_text = as_string(object->at("type"));
    if (!name || !type_text || !is_identifier(*name)) return bad("a field of a type has a bad name");
    auto type = parse_type(*type_text);
    if (!type) return bad(fmt::format("the type of field \"{}\" is malformed", *name));
    return Field{std::string(*name), std::string(*type_text), std::move(*type)};
}

Result<Structure> parse_structure(const json::value& value) {
    const auto* list = value.if_array();
    if (list == nullptr) return bad("a type is not a list of fields");
    Structure fields;
    std::set<std::string, std::less<>> names;
    for (const auto& entry : *list) {
        auto field = parse_field(entry);
        if (!field) return forward_error(field);
        if (!names.insert(field->name).second) return bad(fmt::format("field \"{}\" occurs twice", field->name));
        fields.push_back(std::move(*field));
    }
    return fields;
}

}  // namespace

Result<TypeTable> TypeTable::parse(const json::object& types) {
    if (types.size() > kMaxTypes) return bad("too many types");
    TypeTable table;
    for (const auto& member : types) {
        const std::string name(member.key().data(), member.key().size());
        if (!is_identifier(name) || atomic_type(name)) return bad(fmt::format("\"{}\" cannot name a struct", name));
        auto structure = parse_structure(member.value());
        if (!structure) return forward_error(structure);
        table.structures_.emplace(name, std::move(*structure));
    }
    for (const auto& [name, fields] : table.structures_) {
        for (const auto& field : fields) {
            if (field.type.kind == Kind::structure && table.find(field.type.structure) == nullptr) {
                return bad(fmt::format("type \"{}\" is unknown", field.type.structure));
            }
        }
    }
    return table;
}

const Structure* TypeTable::find(std::string_view name) const {
    const auto found = structures_.find(name);
    return found == structures_.end() ? nullptr : &found->second;
}

std::string TypeTable::describe(const std::string& name) const {
    std::string text = name + "(";
    for (const auto& field : structures_.at(name)) {
        if (text.back() != '(') text.push_back(',');
        text += field.type_text + " " + field.name;
    }
    return text + ")";
}

void TypeTable::collect(const std::string& name, std::set<std::string>& names) const {
    if (!names.insert(name).second) return;
    for (const auto& field : structures_.at(name)) {
        if (field.type.kind == Kind::structure) collect(field.type.structure, names);
    }
}

const Hash32& TypeTable::type_hash(const std::string& name) {
    const auto [entry, inserted] = hashes_.try_emplace(name);
    if (inserted) {
        std::set<std::string> names;
        collect(name, names);
        names.erase(name);
        std::string text = describe(name);
        for (const auto& other : names) text += describe(other);
        entry->second = eip712::type_hash(text);
    }
    return entry->second;
}

}  // namespace myst::codec::eip712::detail
