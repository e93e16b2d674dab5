#include "myst/db/json_array.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxDepth = 32;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

tl::unexpected<Error> bad(const char* what) {
    return fail(ErrorCode::invalid_data, std::string("bad JSON: ") + what);
}

/// Position of the quote that ends the string that begins at `start`, or npos.
std::size_t end_of_string(std::string_view text, std::size_t start) {
    for (std::size_t i = start + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            return i;
        }
    }
    return std::string_view::npos;
}

}  // namespace

Result<std::vector<std::string_view>> split_json_array(std::string_view text, std::size_t max_elements) {
    text = trim(text);
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return bad("the message is not an array");
    const std::string_view inner = text.substr(1, text.size() - 2);
    std::vector<std::string_view> elements;
    std::size_t depth = 1;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= inner.size(); ++i) {
        const char c = i < inner.size() ? inner[i] : ',';
        if (c == '"') {
            i = end_of_string(inner, i);
            if (i == std::string_view::npos) return bad("a string does not end");
        } else if (c == '[' || c == '{') {
            if (++depth > kMaxDepth) return bad("nested too deeply");
        } else if (c == ']' || c == '}') {
            if (--depth == 0) return bad("a bracket too many");
        } else if (c == ',' && depth == 1) {
            const auto element = trim(inner.substr(begin, i - begin));
            if (element.empty()) return bad("an element is missing");
            if (elements.size() == max_elements) return bad("the array is too long");
            elements.push_back(element);
            begin = i + 1;
        }
    }
    if (depth != 1) return bad("a bracket is missing");
    return elements;
}

}  // namespace myst::db
