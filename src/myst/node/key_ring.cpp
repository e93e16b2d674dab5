#include "myst/node/key_ring.hpp"

#include "myst/base/failpoint.hpp"
#include "myst/sys/file.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kMaxKeystoreBytes = 64 * 1024;
constexpr std::size_t kMaxPasswordBytes = 1024;
constexpr std::size_t kRandomPasswordBytes = 32;

/// The password without the line end that an editor leaves.
Bytes strip_line_end(Bytes password) {
    while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) password.pop_back();
    return password;
}

Result<Bytes> load_or_create_password(const std::string& path, Rng& rng) {
    auto stored = sys::read_file(path, kMaxPasswordBytes);
    if (!stored && stored.error().code == ErrorCode::not_found) {
        Bytes random(kRandomPasswordBytes);
        rng.fill(random);
        const std::string text = to_hex(random) + "\n";
        secure_wipe(random);
        if (auto written = sys::write_file_atomic(path, as_bytes(text)); !written) return forward_error(written);
        failpoint("keys: password stored");
        stored = sys::read_file(path, kMaxPasswordBytes);
    }
    if (!stored) return forward_error(stored, "keystore password");
    if (auto safe = sys::check_private(path); !safe) return forward_error(safe, "keystore password");
    auto password = strip_line_end(std::move(*stored));
    if (password.empty()) {
        return fail(ErrorCode::invalid_data, "keystore password: " + path + " is empty", "write a password into it");
    }
    return password;
}

}  // namespace

Result<KeyRing> KeyRing::open(KeyRingSettings settings, Rng& rng) {
    if (auto made = sys::make_private_directory(settings.directory); !made) return forward_error(made, "key folder");
    auto password = load_or_create_password(settings.password_file, rng);
    if (!password) return forward_error(password);
    KeyRing ring(std::move(settings), std::move(*password));
    for (auto [role, slot] : {std::pair{"node", &ring.node_}, {"signer", &ring.signer_}, {"wallet", &ring.wallet_}}) {
        auto key = ring.load(role);
        if (!key) return forward_error(key);
        *slot = std::move(*key);
    }
    if (!ring.node_) {
        auto created = ring.create("node", rng);
        if (!created) return forward_error(created);
        ring.node_ = std::move(*created);
    }
    return ring;
}

std::optional<WalletInfo> KeyRing::info() const {
    if (!wallet_ || !signer_) return std::nullopt;
    return WalletInfo{wallet_->address(), signer_->address()};
}

Result<KeyRing::WalletKeys> KeyRing::make_wallet(Rng& rng) const {
    if (wallet_) return fail(ErrorCode::already_exists, "this node already has a wallet", "see: myst wallet address");
    std::optional<crypto::PrivateKey> signer;
    if (!signer_) {
        auto stored = load("signer");  // by an attempt that failed after it
        if (!stored) return forward_error(stored);
        signer = std::move(*stored);
        if (!signer) {
            auto created = create("signer", rng);
            if (!created) return forward_error(created);
            signer = std::move(*created);
        }
    }
    auto wallet = create("wallet", rng);
    if (!wallet) return forward_error(wallet);
    return WalletKeys{std::move(signer), std::move(*wallet)};
}

WalletInfo KeyRing::adopt(WalletKeys keys) {
    if (keys.signer) signer_ = std::move(keys.signer);
    wallet_ = std::move(keys.wallet);
    return *info();
}

std::string KeyRing::path_of(const std::string& role) const {
    return settings_.directory + "/" + role + ".json";
}

Result<std::optional<crypto::PrivateKey>> KeyRing::load(const std::string& role) const {
    const auto path = path_of(role);
    auto text = sys::read_file(path, kMaxKeystoreBytes);
    if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
    if (!text) return forward_error(text, "key " + path);
    if (auto safe = sys::check_private(path); !safe) return forward_error(safe, "key " + path);
    auto key = crypto::decrypt_keystore(as_text(*text), password_);
    if (!key) return forward_error(key, "key " + path);
    return std::move(*key);
}

Result<crypto::PrivateKey> KeyRing::create(const std::string& role, Rng& rng) const {
    auto key = crypto::PrivateKey::generate(rng);
    const auto text = crypto::encrypt_keystore(key, password_, settings_.strength, rng);
    if (auto written = sys::write_new_file(path_of(role), as_bytes(text)); !written) {
        return forward_error(written, "storing key " + path_of(role));
    }
    failpoint("keys: key stored");
    return key;
}

}  // namespace myst::node
