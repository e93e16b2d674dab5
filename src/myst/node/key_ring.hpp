// The node's keys on disk: one encrypted keystore file per role, in a private folder.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "myst/crypto/keystore.hpp"
#include "myst/node/control.hpp"

namespace myst::node {

struct KeyRingSettings {
    std::string directory;      ///< mode 0700; created if missing
    std::string password_file;  ///< mode 0600; created with a random password if missing
    crypto::KeystoreStrength strength = crypto::KeystoreStrength::standard;
};

/// Holds the unlocked keys. The node key always exists; wallet and payment signer come with `adopt`.
/// Files are <directory>/{node,wallet,signer}.json. Deriving keys takes up to seconds; call off the control thread
/// or at start-up.
class KeyRing {
public:
    /// Unlocks what is there and creates the node key if it is missing.
    [[nodiscard]] static Result<KeyRing> open(KeyRingSettings settings, Rng& rng);

    [[nodiscard]] const crypto::PrivateKey& node() const { return *node_; }
    /// Null before `adopt`.
    [[nodiscard]] const crypto::PrivateKey* wallet() const { return wallet_ ? &*wallet_ : nullptr; }
    [[nodiscard]] const crypto::PrivateKey* signer() const { return signer_ ? &*signer_ : nullptr; }
    [[nodiscard]] std::optional<WalletInfo> info() const;

    /// The keys that make a wallet.
    struct WalletKeys {
        std::optional<crypto::PrivateKey> signer;  ///< none: it is in use already
        crypto::PrivateKey wallet;
    };
    /// Makes wallet and payment signer and stores them; the signer first, so that a crash in between leaves no half
    /// wallet. Changes nothing in memory, so it may run off the control thread; no two calls at once. already_exists if
    /// there is a wallet, in memory or on disk: no key file is ever replaced.
    [[nodiscard]] Result<WalletKeys> make_wallet(Rng& rng) const;
    /// Uses what `make_wallet` made.
    WalletInfo adopt(WalletKeys keys);

private:
    KeyRing(KeyRingSettings settings, Bytes password)
        : settings_(std::move(settings)), password_(std::move(password)) {}
    [[nodiscard]] Result<std::optional<crypto::PrivateKey>> load(const std::string& role) const;
    [[nodiscard]] Result<crypto::PrivateKey> create(const std::string& role, Rng& rng) const;
    [[nodiscard]] std::string path_of(const std::string& role) const;

    KeyRingSettings settings_;
    Bytes password_;
    std::optional<crypto::PrivateKey> node_;
    std::optional<crypto::PrivateKey> wallet_;
    std::optional<crypto::PrivateKey> signer_;
};

}  // namespace myst::node
