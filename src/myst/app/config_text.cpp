// The two texts made from the table of keys: a commented default file and the reference in docs/config.md.
#include <fmt/format.h>

#include "myst/app/config.hpp"
#include "myst/app/config_keys.hpp"

namespace myst::app {
namespace {

constexpr std::size_t kLineWidth = 100;

/// Comment lines of a text, wrapped between words.
std::string comment(std::string_view text) {
    std::string result;
    std::string line = "#";
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        if (line.size() > 1 && line.size() + 1 + word.size() > kLineWidth) {
            result += line + "\n";
            line = "#";
        }
        line += fmt::format(" {}", word);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return result + line + "\n";
}

/// A cell of a Markdown table.
std::string cell(std::string_view text) {
    std::string result;
    for (char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
    return result;
}

constexpr std::string_view kReferenceHead = R"(# Configuration

`mystd` reads one TOML file (`--config FILE`). Every key has the default shown here; a file needs only what differs.
`mystd --print-default-config` prints a complete, commented file. Unknown keys, wrong types and values outside the
permitted range stop the daemon with a message that names file, line and key.

Amounts of tokens are strings (`"0.25"`), because they are exact decimal numbers.

`chain.lanes` and `chain.token` must be set, and at least one of `db.listen` and `db.relays`.
)";

}  // namespace

std::string default_config_text() {
    std::string result = comment("Configuration of mystd. Every key is shown with its default.");
    for (const auto& section : config_sections()) {
        result.append("\n").append(comment(section.meaning));
        if (!section.name.empty()) result += fmt::format("[{}]\n", section.name);
        for (const auto& key : config_keys()) {
            if (key.section != section.name) continue;
            result.append("\n")
                .append(comment(key.meaning))
                .append(comment(fmt::format("Permitted: {}.", key.permitted)));
            result += fmt::format("{} = {}\n", key.name, toml_text(key.initial));
        }
    }
    return result;
}

std::string config_reference() {
    std::string result(kReferenceHead);
    for (const auto& section : config_sections()) {
        result += section.name.empty() ? std::string("\n## Top level\n") : fmt::format("\n## [{}]\n", section.name);
        result += fmt::format("\n{}\n\n| key | default | permitted | meaning |\n|---|---|---|---|\n", section.meaning);
        for (const auto& key : config_keys()) {
            if (key.section != section.name) continue;
            result += fmt::format("| `{}` | `{}` | {} | {} |\n", key.name, cell(toml_text(key.initial)),
                                  cell(key.permitted), cell(key.meaning));
        }
    }
    return result;
}

}  // namespace myst::app
