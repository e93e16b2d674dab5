#include "myst/api/access.hpp"

#include "myst/base/secret.hpp"
#include "myst/crypto/sha256.hpp"
#include "myst/sys/file.hpp"

namespace myst::api {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kMaxFileBytes = 256;

/// Wipes a buffer that held the token when it goes out of scope.
struct Wiped {
    std::span<std::uint8_t> memory;
    ~Wiped() { secure_wipe(memory); }
};

Result<TokenDigest> create_token(const std::string& path, Rng& rng) {
    Secret<kTokenBytes> token;
    rng.fill(token.expose_mutable());
    std::string text = to_hex(token.expose());
    const Wiped wiped{{reinterpret_cast<std::uint8_t*>(text.data()), text.size()}};
    auto written = sys::write_file_atomic(path, as_bytes(text), 0600);
    if (!written) return forward_error(written, "creating the API token");
    return digest_of_token(text);
}

}  // namespace

TokenDigest digest_of_token(std::string_view token) {
    return TokenDigest{crypto::sha256(as_bytes(token))};
}

Result<TokenDigest> prepare_token(const std::string& path, Rng& rng) {
    auto content = sys::read_file(path, kMaxFileBytes);
    if (!content && content.error().code == ErrorCode::not_found) return create_token(path, rng);
    if (!content) return forward_error(content, "reading the API token");
    const Wiped wiped{*content};
    if (auto is_private = sys::check_private(path); !is_private) return forward_error(is_private, "API token");
    std::string_view text = as_text(*content);
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    Secret<kTokenBytes> token;
    if (!parse_hex_into(text, token.expose_mutable()) || text.starts_with("0x")) {
        return fail(ErrorCode::invalid_data, path + " does not hold an API token (64 hex digits)",
                    "delete the file; the daemon creates a new token when it starts");
    }
    return digest_of_token(text);
}

Result<> publish_address(const std::string& path, std::string_view url) {
    const std::string line = std::string(url) + "\n";
    auto written = sys::write_file_atomic(path, as_bytes(line), 0644);
    if (!written) return forward_error(written, "publishing the API address");
    return {};
}

}  // namespace myst::api
