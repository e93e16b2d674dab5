#include "myst/wireguard/offload/checksum.hpp"

#include <array>

#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

constexpr std::size_t kWord = 8;
constexpr std::size_t kAtOnce = 4;  ///< words summed independently, so that none waits for the one before

std::uint64_t load_word(const std::uint8_t* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// Halves of 32 bits: a 64-bit sum of them does not overflow, and folds to the same.
std::uint64_t halves(std::uint64_t word) {
    return (word >> 32) + (word & 0xffffffff);
}

}  // namespace

ChecksumSum sum_of(BytesView bytes) {
    const auto* at = bytes.data();
    auto left = bytes.size();
    std::array<std::uint64_t, kAtOnce> sums{};
    for (; left >= kAtOnce * kWord; at += kAtOnce * kWord, left -= kAtOnce * kWord) {
        for (std::size_t i = 0; i < kAtOnce; ++i) sums[i] += halves(load_word(at + i * kWord));
    }
    for (; left >= kWord; at += kWord, left -= kWord) sums[0] += halves(load_word(at));
    std::uint64_t rest = 0;
    if (left != 0) std::memcpy(&rest, at, left);
    return sums[0] + sums[1] + sums[2] + sums[3] + halves(rest);
}

ChecksumSum sum_of_word(std::uint16_t value) {
    std::array<std::uint8_t, 2> bytes{};
    store_be16(bytes.data(), value);
    return sum_of(bytes);
}

ChecksumSum pseudo_header_sum(BytesView ip, std::uint8_t protocol, std::size_t length) {
    return sum_of(ip_addresses(ip)) + sum_of_word(protocol) + sum_of_word(static_cast<std::uint16_t>(length >> 16)) +
           sum_of_word(static_cast<std::uint16_t>(length));
}

std::uint16_t folded(ChecksumSum sum) {
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(sum);
}

}  // namespace myst::wireguard
