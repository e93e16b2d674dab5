#include "myst/crypto/strict_json.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

namespace myst::crypto {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

constexpr std::size_t kUsualMembers = 8;  ///< of an object

/// Builds a value as Boost's own parser does, and watches the member names of every open object.
struct StrictHandler {
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    explicit StrictHandler(std::span<unsigned char> scratch) : stack({}, scratch.data(), scratch.size()) {}

    json::value_stack stack;
    std::vector<std::vector<std::string>> open_objects;
    std::string partial_key;
    bool duplicate = false;

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        open_objects.emplace_back().reserve(kUsualMembers);
        return true;
    }
    bool on_object_end(std::size_t n, error_code& ec) {
        auto& names = open_objects.back();
        std::sort(names.begin(), names.end());
        if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
            duplicate = true;
            ec = json::error::syntax;
            return false;
        }
        open_objects.pop_back();
        stack.push_object(n);
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t n, error_code&) {
        stack.push_array(n);
        return true;
    }
    bool on_key_part(string_view part, std::size_t, error_code&) {
        partial_key.append(part.data(), part.size());
        stack.push_chars(part);
        return true;
    }
    bool on_key(string_view part, std::size_t, error_code&) {
        partial_key.append(part.data(), part.size());
        open_objects.back().push_back(std::move(partial_key));
        partial_key.clear();
        stack.push_key(part);
        return true;
    }
    bool on_string_part(string_view part, std::size_t, error_code&) {
        stack.push_chars(part);
        return true;
    }
    bool on_string(string_view part, std::size_t, error_code&) {
        stack.push_string(part);
        return true;
    }
    bool on_number_part(string_view, error_code&) { return true; }
    bool on_int64(std::int64_t number, string_view, error_code&) {
        stack.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, string_view, error_code&) {
        stack.push_uint64(number);
        return true;
    }
    bool on_double(double number, string_view, error_code&) {
        stack.push_double(number);
        return true;
    }
    bool on_bool(bool value, error_code&) {
        stack.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        stack.push_null();
        return true;
    }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }
};

}  // namespace

Result<json::value> parse_json(std::string_view text, std::size_t max_bytes, json::storage_ptr memory) {
    if (text.size() > max_bytes) return fail(ErrorCode::limit_exceeded, "the JSON text is too large");
    json::parse_options options;
    options.max_depth = kJsonMaxDepth;
    std::array<unsigned char, 2'048> scratch{};  // the stack moves to the heap when this is used up
    json::basic_parser<StrictHandler> parser(options, scratch);
    auto& handler = parser.handler();
    handler.stack.reset(std::move(memory));
    error_code ec;
    const std::size_t consumed = parser.write_some(false, text.data(), text.size(), ec);
    if (handler.duplicate) return fail(ErrorCode::invalid_data, "a member name occurs twice in a JSON object");
    if (ec) return fail(ErrorCode::invalid_data, "bad JSON: " + ec.message());
    if (consumed != text.size()) return fail(ErrorCode::invalid_data, "bad JSON: text after the end");
    return handler.stack.release();
}

}  // namespace myst::crypto
