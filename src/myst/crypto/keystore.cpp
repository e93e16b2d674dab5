#include "myst/crypto/keystore.hpp"

#include <bit>
#include <memory>
#include <new>
#include <optional>

#include <botan/pwdhash.h>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <boost/json.hpp>

#include "myst/base/check.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::crypto {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDocument = 64 * 1024;
constexpr std::size_t kMaxSalt = 1024;
constexpr std::uint64_t kMaxScryptN = 1ULL << 20;
constexpr std::uint64_t kMaxScryptLanes = 64;
constexpr std::uint64_t kMaxScryptWork = 1ULL << 23;
constexpr std::uint64_t kMaxScryptMemory = 512ULL << 20;
constexpr std::uint64_t kMaxRounds = 10'000'000;
constexpr std::size_t kIvBytes = 16;

struct ScryptCost {
    std::uint64_t n = 0;
    std::uint64_t r = 0;
    std::uint64_t p = 0;
};

/// The `crypto` object of a document, decoded.
struct Sealed {
    bool scrypt = true;
    ScryptCost cost;           ///< if scrypt
    std::uint64_t rounds = 0;  ///< if PBKDF2
    Bytes salt;
    Bytes iv;
    Bytes ciphertext;
    Hash32 mac;
    std::optional<Address> address;
};

template <class T, class Free>
std::unique_ptr<T, Free> owned(T* object, Free free) {
    CHECK(object != nullptr);
    return {object, free};
}

OSSL_PARAM octets(const char* name, BytesView bytes) {
    // OpenSSL takes a non-null pointer to mutable bytes, which it only reads.
    static std::uint8_t none = 0;
    auto* data = bytes.empty() ? &none : const_cast<std::uint8_t*>(bytes.data());
    return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
}

// Botan's scrypt, because OpenSSL refuses N >= 2^(16·r) as RFC 7914 does, which the published vectors do not heed.
// False if there is not enough memory for the requested cost.
bool derive_scrypt(BytesView password, BytesView salt, ScryptCost cost, Secret<32>& out) {
    const auto scrypt = Botan::PasswordHashFamily::create_or_throw("Scrypt")->from_params(cost.n, cost.r, cost.p);
    const auto text = as_text(password);
    try {
        scrypt->derive_key(out.expose_mutable().data(), out.expose_mutable().size(), text.data(), text.size(),
                           salt.data(), salt.size());
    } catch (const std::bad_alloc&) {
        return false;
    }
    return true;
}

void derive_pbkdf2(BytesView password, BytesView salt, std::uint64_t rounds, Secret<32>& out) {
    char digest[] = "SHA256";
    int without_lower_bounds = 1;  // the published vectors are below the bounds of SP 800-132
    const OSSL_PARAM parameters[] = {octets(OSSL_KDF_PARAM_PASSWORD, password),
                                     octets(OSSL_KDF_PARAM_SALT, salt),
                                     OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &rounds),
                                     OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &without_lower_bounds),
                                     OSSL_PARAM_construct_end()};
    const auto kdf = owned(EVP_KDF_fetch(nullptr, "PBKDF2", nullptr), EVP_KDF_free);
    const auto context = owned(EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
    CHECK(EVP_KDF_derive(context.get(), out.expose_mutable().data(), out.expose_mutable().size(), parameters) == 1);
}

// Counter mode: the same operation encrypts and decrypts. The key is the first half of the derived key.
void aes_128_ctr(const Secret<32>& derived, BytesView iv, BytesView in, std::span<std::uint8_t> out) {
    CHECK(iv.size() == kIvBytes && out.size() == in.size());
    const auto context = owned(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    CHECK(EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, derived.expose().data(), iv.data()) == 1);
    int written = 0;
    CHECK(EVP_EncryptUpdate(context.get(), out.data(), &written, in.data(), static_cast<int>(in.size())) == 1);
}

Hash32 mac_of(const Secret<32>& derived, BytesView ciphertext) {
    return keccak256({BytesView(derived.expose()).last(16), ciphertext});
}

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("keystore: {}", what));
}

Result<const json::object*> object_at(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(name);
    if (value == nullptr || !value->is_object()) return bad(fmt::format("object \"{}\" is missing", name));
    return &value->get_object();
}

Result<std::string_view> string_at(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(name);
    if (value == nullptr || !value->is_string()) return bad(fmt::format("string \"{}\" is missing", name));
    const auto& text = value->get_string();
    return std::string_view(text.data(), text.size());
}

Result<Bytes> hex_at(const json::object& parent, std::string_view name, std::size_t min, std::size_t max) {
    auto text = string_at(parent, name);
    if (!text) return forward_error(text);
    auto bytes = parse_hex(*text);
    if (!bytes || bytes->size() < min || bytes->size() > max) return bad(fmt::format("\"{}\" is malformed", name));
    return std::move(*bytes);
}

Result<std::uint64_t> number_at(const json::object& parent, std::string_view name) {
    const auto* value = parent.if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) {
        return bad(fmt::format("number \"{}\" is missing", name));
    }
    return static_cast<std::uint64_t>(value->get_int64());
}

Result<ScryptCost> read_scrypt(const json::object& parameters) {
    const auto n = number_at(parameters, "n");
    const auto r = number_at(parameters, "r");
    const auto p = number_at(parameters, "p");
    if (!n || !r || !p) return bad("the scrypt costs are incomplete");
    if (*n < 2 || !std::has_single_bit(*n) || *r == 0 || *p == 0) return bad("the scrypt costs are invalid");
    if (*n > kMaxScryptN || *r > kMaxScryptLanes || *p > kMaxScryptLanes || *r * *p > kMaxScryptLanes ||
        *n * *r * *p > kMaxScryptWork || 128 * *n * *r > kMaxScryptMemory) {
        return bad("the scrypt costs are too high");
    }
    return ScryptCost{*n, *r, *p};
}

Result<std::uint64_t> read_pbkdf2(const json::object& parameters) {
    auto prf = string_at(parameters, "prf");
    if (!prf || *prf != "hmac-sha256") return bad("the PBKDF2 function is not hmac-sha256");
    auto rounds = number_at(parameters, "c");
    if (!rounds || *rounds == 0) return bad("the PBKDF2 rounds are missing");
    if (*rounds > kMaxRounds) return bad("too many PBKDF2 rounds");
    return *rounds;
}

Result<> read_kdf(const json::object& crypto, Sealed& sealed) {
    auto kdf = string_at(crypto, "kdf");
    if (!kdf) return forward_error(kdf);
    auto parameters = object_at(crypto, "kdfparams");
    if (!parameters) return forward_error(parameters);
    auto length = number_at(**parameters, "dklen");
    if (!length || *length != 32) return bad("the derived key must have 32 bytes");
    auto salt = hex_at(**parameters, "salt", 0, kMaxSalt);
    if (!salt) return forward_error(salt);
    sealed.salt = std::move(*salt);
    sealed.scrypt = *kdf == "scrypt";
    if (sealed.scrypt) {
        auto cost = read_scrypt(**parameters);
        if (!cost) return forward_error(cost);
        sealed.cost = *cost;
        return {};
    }
    if (*kdf != "pbkdf2") return bad("the key derivation is neither scrypt nor pbkdf2");
    auto rounds = read_pbkdf2(**parameters);
    if (!rounds) return forward_error(rounds);
    sealed.rounds = *rounds;
    return {};
}

Result<> read_cipher(const json::object& crypto, Sealed& sealed) {
    auto cipher = string_at(crypto, "cipher");
    if (!cipher || *cipher != "aes-128-ctr") return bad("the cipher is not aes-128-ctr");
    auto parameters = object_at(crypto, "cipherparams");
    if (!parameters) return forward_error(parameters);
    auto iv = hex_at(**parameters, "iv", kIvBytes, kIvBytes);
    if (!iv) return forward_error(iv);
    // Some old writers dropped the leading zero bytes of a key.
    auto ciphertext = hex_at(crypto, "ciphertext", 1, 32);
    if (!ciphertext) return forward_error(ciphertext);
    auto mac = hex_at(crypto, "mac", Hash32::kSize, Hash32::kSize);
    if (!mac) return forward_error(mac);
    sealed.iv = std::move(*iv);
    sealed.ciphertext = std::move(*ciphertext);
    sealed.mac = *Hash32::from(*mac);
    return {};
}

Result<> read_address(const json::object& document, Sealed& sealed) {
    if (!document.contains("address")) return {};
    auto text = string_at(document, "address");
    if (!text) return forward_error(text);
    const auto address = Address::parse(*text);
    if (!address) return bad("\"address\" is malformed");
    sealed.address = *address;
    return {};
}

Result<Sealed> read_document(std::string_view text) {
    auto parsed = parse_json(text, kMaxDocument);
    if (!parsed) return bad(parsed.error().message);
    if (!parsed->is_object()) return bad("not a JSON object");
    const auto& document = parsed->get_object();
    const auto version = number_at(document, "version");
    if (!version || *version != 3) return bad("not version 3");
    if (document.contains("crypto") && document.contains("Crypto")) return bad("\"crypto\" is ambiguous");
    auto crypto = object_at(document, document.contains("Crypto") ? "Crypto" : "crypto");
    if (!crypto) return forward_error(crypto);
    Sealed sealed;
    if (auto read = read_kdf(**crypto, sealed); !read) return forward_error(read);
    if (auto read = read_cipher(**crypto, sealed); !read) return forward_error(read);
    if (auto read = read_address(document, sealed); !read) return forward_error(read);
    return sealed;
}

// A random UUID (version 4), which names the file.
std::string random_uuid(Rng& rng) {
    std::array<std::uint8_t, 16> id{};
    rng.fill(id);
    id[6] = static_cast<std::uint8_t>((id[6] & 0x0f) | 0x40);
    id[8] = static_cast<std::uint8_t>((id[8] & 0x3f) | 0x80);
    const auto hex = to_hex(id);
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                       hex.substr(20));
}

}  // namespace

std::string encrypt_keystore(const PrivateKey& key, BytesView password, KeystoreStrength strength, Rng& rng) {
    const ScryptCost cost = strength == KeystoreStrength::standard ? ScryptCost{1U << 18, 8, 1}  //
                                                                   : ScryptCost{1U << 12, 8, 6};
    const auto salt = random_bytes<Hash32>(rng);
    std::array<std::uint8_t, kIvBytes> iv{};
    rng.fill(iv);
    Secret<32> derived;
    CHECK(derive_scrypt(password, salt.bytes, cost, derived));
    std::array<std::uint8_t, 32> ciphertext{};
    aes_128_ctr(derived, iv, key.secret().expose(), ciphertext);
    const json::object crypto{
        {"cipher", "aes-128-ctr"},
        {"cipherparams", json::object{{"iv", to_hex(iv)}}},
        {"ciphertext", to_hex(ciphertext)},
        {"kdf", "scrypt"},
        {"kdfparams", json::object{{"dklen", 32}, {"n", cost.n}, {"p", cost.p}, {"r", cost.r}, {"salt", salt.hex()}}},
        {"mac", mac_of(derived, ciphertext).hex()}};
    return json::serialize(
        json::object{{"address", key.address().hex()}, {"crypto", crypto}, {"id", random_uuid(rng)}, {"version", 3}});
}

Result<PrivateKey> decrypt_keystore(std::string_view text, BytesView password) {
    auto sealed = read_document(text);
    if (!sealed) return forward_error(sealed);
    Secret<32> derived;
    if (!sealed->scrypt) {
        derive_pbkdf2(password, sealed->salt, sealed->rounds, derived);
    } else if (!derive_scrypt(password, sealed->salt, sealed->cost, derived)) {
        return fail(ErrorCode::limit_exceeded, "keystore: not enough memory to derive the key");
    }
    const auto denied = [] { return fail(ErrorCode::permission_denied, "keystore: wrong password or damaged file"); };
    if (!equal_constant_time(mac_of(derived, sealed->ciphertext).bytes, sealed->mac.bytes)) return denied();
    Secret<32> scalar;
    const auto length = sealed->ciphertext.size();
    aes_128_ctr(derived, sealed->iv, sealed->ciphertext, scalar.expose_mutable().last(length));
    auto key = PrivateKey::from(scalar.expose());
    if (!key) return denied();
    if (sealed->address && *sealed->address != key->address()) return bad("the address is not that of the key");
    return std::move(*key);
}

}  // namespace myst::crypto
