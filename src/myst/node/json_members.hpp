// Strict reading of a JSON object that a stranger wrote.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/crypto/address.hpp"

namespace myst::node {

/// Reads members of one object, which must outlive this; the first problem sticks, and what could not be read is empty.
class JsonMembers {
public:
    explicit JsonMembers(const boost::json::object& object) : object_(object) {}

    std::string text(const char* name, std::size_t limit) {
        const auto* value = find(name);
        const auto* string = value ? value->if_string() : nullptr;
        if (!string || string->size() > limit) {
            note(name);
            return {};
        }
        return std::string(*string);
    }
    std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most) {
        const auto* value = find(name);
        const auto* integer = value ? value->if_int64() : nullptr;
        if (!integer || *integer < 0 || static_cast<std::uint64_t>(*integer) < least ||
            static_cast<std::uint64_t>(*integer) > most) {
            note(name);
            return least;
        }
        return static_cast<std::uint64_t>(*integer);
    }
    template <class Fixed>
    Fixed hex(const char* name) {
        return keep(name, Fixed::parse(text(name, 2 * Fixed::kSize)));
    }
    Address address(const char* name) { return keep(name, crypto::parse_address(text(name, 42))); }
    Amount amount(const char* name) { return keep(name, Amount::parse(text(name, 32))); }
    /// Null if there is none.
    [[nodiscard]] const boost::json::value* find(const char* name) const { return object_.if_contains(name); }
    void note(const char* name) {
        if (problem_.empty()) problem_ = std::string(name) + " is missing or malformed";
    }
    /// Empty if all could be read.
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    template <class T>
    T keep(const char* name, Result<T> value) {
        if (!value) note(name);
        return value.value_or(T{});
    }
    const boost::json::object& object_;
    std::string problem_;
};

}  // namespace myst::node
