// The one table of configuration keys: parser, defaults, the printed default file and docs/config.md come from it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "myst/app/config.hpp"

namespace myst::app {

/// A value as TOML has it.
using ConfigValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

struct ConfigKey {
    std::string_view section;  ///< empty: top level
    std::string_view name;
    ConfigValue initial;    ///< also says which type the key has
    std::string permitted;  ///< for people: "an integer from 1 to 65535"
    std::string_view meaning;
    /// Puts a value of the right type into the configuration; false if it is not permitted.
    std::function<bool(Config&, const ConfigValue&)> store;
    bool is_private = false;      ///< the value may hold a credential and is not shown in messages
    bool may_be_integer = false;  ///< a key whose default is a word takes an integer in its place

    /// "section.name"
    [[nodiscard]] std::string path() const;
};

struct ConfigSection {
    std::string_view name;
    std::string_view meaning;
};

/// In the order of the documentation; keys of a section stand together.
[[nodiscard]] std::span<const ConfigKey> config_keys();
[[nodiscard]] std::span<const ConfigSection> config_sections();

/// As TOML writes it.
[[nodiscard]] std::string toml_text(const ConfigValue& value);

}  // namespace myst::app
