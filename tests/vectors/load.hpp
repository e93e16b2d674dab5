// Reading of the test vectors in this folder; for test programs only.
#pragma once

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"
#include "myst/crypto/secp256k1.hpp"

namespace myst::test {

/// A whole file of tests/vectors; a missing file fails the test with its name.
[[nodiscard]] inline std::string load_text(const std::string& name) {
    std::ifstream file(std::string(MYST_VECTORS_DIR) + "/" + name, std::ios::binary);
    if (!file) throw std::runtime_error("test vectors are missing: tests/vectors/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

[[nodiscard]] inline boost::json::value load_json(const std::string& name) {
    return boost::json::parse(load_text(name));
}

/// A member that must be a text.
[[nodiscard]] inline std::string text(const boost::json::value& parent, std::string_view name) {
    const auto& value = parent.as_object().at(name).as_string();
    return std::string(value.data(), value.size());
}

/// A member that must be a text of hex digits.
[[nodiscard]] inline Bytes hex(const boost::json::value& parent, std::string_view name) {
    return parse_hex(text(parent, name)).value();
}

template <class Fixed>
[[nodiscard]] Fixed fixed(const boost::json::value& parent, std::string_view name) {
    return Fixed::from(hex(parent, name)).value();
}

[[nodiscard]] inline crypto::PrivateKey private_key(std::string_view hex_digits) {
    return crypto::PrivateKey::from(Hash32::parse(hex_digits).value().bytes).value();
}
[[nodiscard]] inline crypto::PrivateKey private_key(const boost::json::value& parent, std::string_view name) {
    return private_key(text(parent, name));
}

/// "Random" bytes that a test chooses: hands them out in order, then repeats the last one.
class FixedRng final : public Rng {
public:
    explicit FixedRng(BytesView bytes) : bytes_(bytes.begin(), bytes.end()) {}
    void fill(std::span<std::uint8_t> out) override {
        for (auto& byte : out) {
            byte = bytes_.at(position_);
            position_ = std::min(position_ + 1, bytes_.size() - 1);
        }
    }

private:
    Bytes bytes_;
    std::size_t position_ = 0;
};

}  // namespace myst::test
