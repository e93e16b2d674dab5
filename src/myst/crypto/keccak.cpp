#include "myst/crypto/keccak.hpp"

#include <memory>

#include <botan/hash.h>

namespace myst::crypto {
namespace {

// One object per thread: creating it costs more than hashing a word. It resets itself on `final`.
Botan::HashFunction& hasher() {
    thread_local const std::unique_ptr<Botan::HashFunction> instance =
        Botan::HashFunction::create_or_throw("Keccak-1600(256)");
    return *instance;
}

}  // namespace

Hash32 keccak256(BytesView data) {
    return keccak256({data});
}

Hash32 keccak256(std::initializer_list<BytesView> parts) {
    auto& hash = hasher();
    for (const auto& part : parts) hash.update(part.data(), part.size());
    Hash32 digest;
    hash.final(digest.bytes.data());
    return digest;
}

}  // namespace myst::crypto
