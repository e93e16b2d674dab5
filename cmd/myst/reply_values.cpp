#include "reply_values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "format.hpp"
#include "myst/base/printable.hpp"

namespace myst::console {

namespace json = boost::json;

const json::value& at(const json::value& object, std::string_view name) {
    static const json::value kNothing;
    const auto* members = object.if_object();
    const auto* found =
        members != nullptr ? members->if_contains(json::string_view(name.data(), name.size())) : nullptr;
    return found != nullptr ? *found : kNothing;
}

std::string text_at(const json::value& object, std::string_view name) {
    const auto* text = at(object, name).if_string();
    return text != nullptr ? printable({text->data(), text->size()}) : std::string("?");
}

std::uint64_t number_at(const json::value& object, std::string_view name) {
    const auto& value = at(object, name);
    if (const auto* number = value.if_uint64()) return *number;
    const auto* number = value.if_int64();
    return number != nullptr && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

bool flag_at(const json::value& object, std::string_view name) {
    const auto* flag = at(object, name).if_bool();
    return flag != nullptr && *flag;
}

std::string amount_at(const json::value& object, std::string_view name) {
    const auto amount = Amount::parse(text_at(object, name));
    return amount ? format_amount(*amount) : std::string("?");
}

const json::array& items_at(const json::value& object, std::string_view name) {
    static const json::array kNone;
    const auto* array = at(object, name).if_array();
    return array != nullptr ? *array : kNone;
}

}  // namespace myst::console
