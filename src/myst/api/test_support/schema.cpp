#include "myst/api/test_support/schema.hpp"

#include <algorithm>
#include <regex>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/api/openapi.hpp"

namespace myst::api::test_support {
namespace {

namespace json = boost::json;
using Texts = std::vector<std::string>;

std::string type_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null: return "null";
        case json::kind::bool_: return "boolean";
        case json::kind::int64:
        case json::kind::uint64: return "integer";
        case json::kind::double_: return "number";
        case json::kind::string: return "string";
        case json::kind::array: return "array";
        case json::kind::object: return "object";
    }
    return "unknown";
}

void check_type(const json::value& value, const json::value& wanted, const std::string& where, Texts& found) {
    const auto actual = type_of(value);
    const auto matches = [&](const json::value& name) { return std::string(name.as_string()) == actual; };
    const bool fits =
        wanted.is_array() ? std::any_of(wanted.as_array().begin(), wanted.as_array().end(), matches) : matches(wanted);
    if (!fits) found.push_back(where + " is " + actual + ", not " + json::serialize(wanted));
}

void check_text(const json::value& value, const json::value& pattern, const std::string& where, Texts& found) {
    if (!value.is_string()) return;
    if (!std::regex_match(std::string(value.as_string()), std::regex(std::string(pattern.as_string())))) {
        found.push_back(where + " = " + json::serialize(value) + " does not match " + json::serialize(pattern));
    }
}

void append(Texts& found, Texts more) {
    found.insert(found.end(), more.begin(), more.end());
}

void check_object(const json::value& value, const json::object& schema, const std::string& where, Texts& found) {
    if (!value.is_object() || !schema.contains("properties")) return;
    const auto& properties = schema.at("properties").as_object();
    for (const auto& member : value.as_object()) {
        if (!properties.contains(member.key()))
            found.push_back(where + "." + std::string(member.key()) + " is undocumented");
    }
    for (const auto& property : properties) {
        const auto name = where + "." + std::string(property.key());
        const auto* present = value.as_object().if_contains(property.key());
        if (present == nullptr) {
            found.push_back(name + " is missing");
            continue;
        }
        append(found, departures(*present, property.value(), name));
    }
}

void check_one_of(const json::value& value, const json::array& choices, const std::string& where, Texts& found) {
    Texts reasons;
    for (const auto& choice : choices) {
        auto reason = departures(value, choice, where);
        if (reason.empty()) return;
        append(reasons, std::move(reason));
    }
    append(found, std::move(reasons));
}

}  // namespace

const json::value& openapi() {
    static const json::value kDocument =
        json::parse(json::string_view(openapi_document().data(), openapi_document().size()));
    return kDocument;
}

Texts departures(const json::value& value, const json::value& schema, const std::string& where) {
    Texts found;
    const auto& keywords = schema.as_object();
    for (const auto& keyword : keywords) {
        const std::string name(keyword.key());
        const auto& argument = keyword.value();
        if (name == "$ref") {
            append(found, departures(value, openapi().at_pointer(std::string(argument.as_string()).substr(1)), where));
        } else if (name == "type") {
            check_type(value, argument, where, found);
        } else if (name == "pattern") {
            check_text(value, argument, where, found);
        } else if (name == "const") {
            if (value != argument) found.push_back(where + " is not " + json::serialize(argument));
        } else if (name == "enum") {
            const auto& words = argument.as_array();
            if (std::find(words.begin(), words.end(), value) == words.end())
                found.push_back(where + " is not in the enum");
        } else if (name == "oneOf") {
            check_one_of(value, argument.as_array(), where, found);
        } else if (name == "items") {
            if (!value.is_array()) continue;
            for (const auto& item : value.as_array()) append(found, departures(item, argument, where + "[]"));
        } else if (name == "properties") {
            check_object(value, keywords, where, found);
        } else if (name == "format") {
            static const json::value kDate("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$");
            check_text(value, kDate, where, found);
        } else if (name == "minimum") {
            if (value.is_int64() && value.get_int64() < argument.to_number<std::int64_t>())
                found.push_back(where + " is too small");
        } else if (name != "description" && name != "required" && name != "additionalProperties") {
            found.push_back(where + ": unknown keyword " + name);
        }
    }
    return found;
}

}  // namespace myst::api::test_support
