#include "myst/chain/log_digest.hpp"

#include "myst/crypto/keccak.hpp"

namespace myst::chain {
namespace {

void append(Bytes& out, BytesView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void append(Bytes& out, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(number >> shift));
}

}  // namespace

Hash32 digest_of(std::span<const Log> logs) {
    if (logs.empty()) return {};
    Bytes content;
    for (const auto& log : logs) {
        append(content, log.block_number);
        append(content, log.block_hash.view());
        append(content, log.index);
        append(content, log.address.view());
        append(content, log.topics.size());
        for (const auto& topic : log.topics) append(content, topic.view());
        append(content, log.data.size());
        append(content, log.data);
    }
    return crypto::keccak256(content);
}

}  // namespace myst::chain
