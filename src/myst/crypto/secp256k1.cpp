#include "myst/crypto/secp256k1.hpp"

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>

#include "myst/base/check.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/system_rng.hpp"

namespace myst::crypto {
namespace {

constexpr std::uint8_t kParityBit = 0x80;

// One context for the process. Randomising blinds the secret-dependent multiplications against side channels; it
// does not change any result. After this the context is only read, so all threads may share it.
const secp256k1_context* context() {
    static const secp256k1_context* const instance = [] {
        auto* made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
        CHECK(made != nullptr);
        Secret<32> seed;
        SystemRng().fill(seed.expose_mutable());
        CHECK(secp256k1_context_randomize(made, seed.expose().data()) == 1);
        return made;
    }();
    return instance;
}

/// A libsecp256k1 key pair that is wiped when it goes.
struct KeyPair {
    secp256k1_keypair raw{};
    explicit KeyPair(const Secret<32>& secret) {
        CHECK(secp256k1_keypair_create(context(), &raw, secret.expose().data()) == 1);
    }
    KeyPair(const KeyPair&) = delete;
    KeyPair& operator=(const KeyPair&) = delete;
    ~KeyPair() { secure_wipe(raw.data); }
};

Address address_of(const secp256k1_pubkey& key) {
    std::array<std::uint8_t, 65> point{};
    std::size_t length = point.size();
    CHECK(secp256k1_ec_pubkey_serialize(context(), point.data(), &length, &key, SECP256K1_EC_UNCOMPRESSED) == 1);
    const auto hash = keccak256(BytesView(point).subspan(1));
    Address address;
    std::copy(hash.bytes.begin() + 12, hash.bytes.end(), address.bytes.begin());
    return address;
}

NodeKey x_only(const secp256k1_pubkey& key) {
    secp256k1_xonly_pubkey x{};
    CHECK(secp256k1_xonly_pubkey_from_pubkey(context(), &x, nullptr, &key) == 1);
    NodeKey node_key;
    CHECK(secp256k1_xonly_pubkey_serialize(context(), node_key.bytes.data(), &x) == 1);
    return node_key;
}

// The hash function of the ECDH call: NIP-44 wants the x coordinate itself.
int copy_x(unsigned char* output, const unsigned char* x32, const unsigned char*, void*) {
    std::copy(x32, x32 + 32, output);
    return 1;
}

tl::unexpected<Error> bad_signature(const char* why) {
    return fail(ErrorCode::invalid_data, std::string("bad signature: ") + why);
}

}  // namespace

int CompactSignature::y_parity() const {
    return vs.bytes[0] >> 7;
}

Hash32 CompactSignature::s() const {
    Hash32 plain = vs;
    plain.bytes[0] &= static_cast<std::uint8_t>(~kParityBit);
    return plain;
}

PrivateKey::PrivateKey(Secret<32> secret, const Address& address, const NodeKey& node_key)
    : secret_(std::move(secret)), address_(address), node_key_(node_key) {}

PrivateKey PrivateKey::generate(Rng& rng) {
    Secret<32> candidate;
    while (true) {
        rng.fill(candidate.expose_mutable());
        if (auto key = from(candidate.expose())) return std::move(*key);
    }
}

Result<PrivateKey> PrivateKey::from(std::span<const std::uint8_t, 32> bytes) {
    secp256k1_pubkey key{};
    if (secp256k1_ec_pubkey_create(context(), &key, bytes.data()) != 1) {
        return fail(ErrorCode::invalid_argument, "not a private key: the number is zero or too large");
    }
    Secret<32> secret;
    std::copy(bytes.begin(), bytes.end(), secret.expose_mutable().begin());
    return PrivateKey(std::move(secret), address_of(key), x_only(key));
}

PrivateKey PrivateKey::clone() const {
    return PrivateKey(secret_.clone(), address_, node_key_);
}

CompactSignature PrivateKey::sign(const Hash32& digest) const {
    secp256k1_ecdsa_recoverable_signature raw{};
    CHECK(secp256k1_ecdsa_sign_recoverable(context(), &raw, digest.bytes.data(), secret_.expose().data(), nullptr,
                                           nullptr) == 1);
    std::array<std::uint8_t, 64> compact{};
    int recovery_id = 0;
    CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), compact.data(), &recovery_id, &raw) == 1);
    // 2 and 3 mean that r wrapped around the group order: a chance of 2^-128 that the compact form cannot express.
    CHECK(recovery_id <= 1);
    CompactSignature signature;
    std::copy_n(compact.begin(), 32, signature.r.bytes.begin());
    std::copy_n(compact.begin() + 32, 32, signature.vs.bytes.begin());
    if (recovery_id == 1) signature.vs.bytes[0] |= kParityBit;
    const auto signer = recover(digest, signature);
    CHECK(signer && *signer == address_);
    return signature;
}

SchnorrSignature PrivateKey::sign_schnorr(BytesView message, const Hash32& aux) const {
    const KeyPair pair(secret_);
    secp256k1_schnorrsig_extraparams parameters = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
    // The library only reads the auxiliary bytes.
    parameters.ndata = const_cast<std::uint8_t*>(aux.bytes.data());
    SchnorrSignature signature;
    CHECK(secp256k1_schnorrsig_sign_custom(context(), signature.bytes.data(), message.data(), message.size(), &pair.raw,
                                           &parameters) == 1);
    CHECK(verify_schnorr(node_key_, message, signature));
    return signature;
}

Result<Secret<32>> PrivateKey::shared_x(const NodeKey& peer) const {
    std::array<std::uint8_t, 33> compressed{};
    compressed[0] = 0x02;  // the point with even y
    std::copy(peer.bytes.begin(), peer.bytes.end(), compressed.begin() + 1);
    secp256k1_pubkey point{};
    if (secp256k1_ec_pubkey_parse(context(), &point, compressed.data(), compressed.size()) != 1) {
        return fail(ErrorCode::invalid_data, "the public key is not a point of the curve");
    }
    Secret<32> shared;
    CHECK(secp256k1_ecdh(context(), shared.expose_mutable().data(), &point, secret_.expose().data(), copy_x, nullptr) ==
          1);
    return shared;
}

Result<Address> recover(const Hash32& digest, const CompactSignature& signature) {
    std::array<std::uint8_t, 64> compact{};
    const auto s = signature.s();
    std::copy(signature.r.bytes.begin(), signature.r.bytes.end(), compact.begin());
    std::copy(s.bytes.begin(), s.bytes.end(), compact.begin() + 32);
    secp256k1_ecdsa_recoverable_signature raw{};
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &raw, compact.data(), signature.y_parity()) !=
        1) {
        return bad_signature("r or s is out of range");
    }
    secp256k1_ecdsa_signature plain{};
    CHECK(secp256k1_ecdsa_recoverable_signature_convert(context(), &plain, &raw) == 1);
    if (secp256k1_ecdsa_signature_normalize(context(), nullptr, &plain) == 1) return bad_signature("s is high");
    secp256k1_pubkey key{};
    if (secp256k1_ecdsa_recover(context(), &key, &raw, digest.bytes.data()) != 1) {
        return bad_signature("no public key matches it");
    }
    return address_of(key);
}

bool verify_schnorr(const NodeKey& key, BytesView message, const SchnorrSignature& signature) {
    secp256k1_xonly_pubkey x{};
    return secp256k1_xonly_pubkey_parse(context(), &x, key.bytes.data()) == 1 &&
           secp256k1_schnorrsig_verify(context(), signature.bytes.data(), message.data(), message.size(), &x) == 1;
}

}  // namespace myst::crypto
