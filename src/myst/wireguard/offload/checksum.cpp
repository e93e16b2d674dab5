#include "myst/wireguard/offload/checksum.hpp"

#include <algorithm>
#include <array>

#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

// Several words at once, as many as the widest registers hold.
typedef std::uint64_t Words2 __attribute__((vector_size(16)));
typedef std::uint64_t Words4 __attribute__((vector_size(32)));
typedef std::uint64_t Words8 __attribute__((vector_size(64)));

constexpr std::uint64_t kLowHalf = 0xffffffff;

/// Of the bytes, which are copied on the way unless `to` is null. Halves of 32 bits go into sums of 64, which do not
/// overflow and fold to the same.
template <class Words>
[[gnu::always_inline]] inline ChecksumSum sum_with(BytesView bytes, std::uint8_t* to) {
    Words sums{};
    std::size_t at = 0;
    for (; bytes.size() - at >= sizeof(Words); at += sizeof(Words)) {
        Words words;
        std::memcpy(&words, bytes.data() + at, sizeof words);
        if (to != nullptr) std::memcpy(to + at, &words, sizeof words);
        sums += (words & kLowHalf) + (words >> 32);
    }
    ChecksumSum sum = 0;
    for (std::size_t i = 0; i < sizeof(Words) / sizeof(std::uint64_t); ++i) sum += sums[i];
    for (; at < bytes.size(); at += sizeof(std::uint64_t)) {
        const std::size_t left = std::min(sizeof(std::uint64_t), bytes.size() - at);
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, left);
        if (to != nullptr) std::memcpy(to + at, &word, left);
        sum += (word & kLowHalf) + (word >> 32);
    }
    return sum;
}

using Sum = ChecksumSum (*)(BytesView, std::uint8_t*);

ChecksumSum sum_anywhere(BytesView bytes, std::uint8_t* to) {
    return sum_with<Words2>(bytes, to);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] ChecksumSum sum_avx2(BytesView bytes, std::uint8_t* to) {
    return sum_with<Words4>(bytes, to);
}

[[gnu::target("avx512f")]] ChecksumSum sum_avx512(BytesView bytes, std::uint8_t* to) {
    return sum_with<Words8>(bytes, to);
}

Sum fastest() {
    if (__builtin_cpu_supports("avx512f")) return sum_avx512;
    return __builtin_cpu_supports("avx2") ? sum_avx2 : sum_anywhere;
}
#else
Sum fastest() {
    return sum_anywhere;
}
#endif

ChecksumSum sum_and_copy(BytesView bytes, std::uint8_t* to) {
    constexpr std::size_t kShort = 64;  // no wide vector fits
    if (bytes.size() < kShort) return sum_anywhere(bytes, to);
    static const Sum sum = fastest();
    return sum(bytes, to);
}

}  // namespace

ChecksumSum sum_of(BytesView bytes) {
    return sum_and_copy(bytes, nullptr);
}

ChecksumSum copy_and_sum(BytesView bytes, std::uint8_t* to) {
    return sum_and_copy(bytes, to);
}

std::vector<ChecksumSum> sums_by_every_way(BytesView bytes) {
    std::vector<ChecksumSum> sums{sum_anywhere(bytes, nullptr)};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) sums.push_back(sum_avx2(bytes, nullptr));
    if (__builtin_cpu_supports("avx512f")) sums.push_back(sum_avx512(bytes, nullptr));
#endif
    return sums;
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
