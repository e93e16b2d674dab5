// Poly1305 of 8 or 16 packets side by side: each 64-bit lane holds the accumulator of one packet, in limbs of 44, 44
// and 42 bits, as the 52-bit multiplication of IFMA wants them.
#include <immintrin.h>

#include "myst/wireguard/aead/avx512_kernel.hpp"

namespace myst::wireguard::detail::avx512 {

namespace {

using Vector = __m512i;

constexpr size_t kLanes = 8;
constexpr size_t kBlockSize = 16;
constexpr size_t kChunk = 64;  ///< bytes of each packet that are transposed together
constexpr size_t kWords = kChunk / 8;

inline Vector all(uint64_t value) {
    return _mm512_set1_epi64(static_cast<long long>(value));
}
inline Vector low44(Vector value) {
    return _mm512_and_si512(value, all((uint64_t{1} << 44) - 1));
}
inline Vector low42(Vector value) {
    return _mm512_and_si512(value, all((uint64_t{1} << 42) - 1));
}
inline Vector plus(Vector a, Vector b) {
    return _mm512_add_epi64(a, b);
}
/// 5 times the value, shifted left: 2¹³⁰ is 5 modulo the prime.
template <unsigned kShift>
inline Vector times5(Vector value) {
    return _mm512_slli_epi64(plus(value, _mm512_slli_epi64(value, 2)), kShift);
}

/// A number of 130 bits in each lane.
struct Limbs {
    Vector l0, l1, l2;
};

/// From 128 bits, as two halves.
inline Limbs limbs_of(Vector low, Vector high) {
    return {low44(low), low44(_mm512_or_si512(_mm512_srli_epi64(low, 44), _mm512_slli_epi64(high, 20))),
            _mm512_srli_epi64(high, 24)};
}

/// What numbers are multiplied by.
struct Factor {
    Limbs limbs;
    Vector l1x20, l2x20;  ///< limbs times 20, which is 2¹³² modulo the prime
};

inline Factor factor_of(const Limbs& limbs) {
    return {limbs, times5<2>(limbs.l1), times5<2>(limbs.l2)};
}

/// 8 packets.
struct Octet {
    Factor r, r_squared;
    Limbs h;
};

/// Rows are packets, 8 words of each; columns are words, of all packets.
inline void transpose(const Vector* rows, Vector* columns) {
    for (size_t odd = 0; odd < 2; ++odd) {
        const auto pair = [&](size_t i) __attribute__((always_inline)) {
            return odd == 0 ? _mm512_unpacklo_epi64(rows[i], rows[i + 1]) : _mm512_unpackhi_epi64(rows[i], rows[i + 1]);
        };
        const Vector p0 = pair(0);
        const Vector p2 = pair(2);
        const Vector p4 = pair(4);
        const Vector p6 = pair(6);
        const Vector low_even = _mm512_shuffle_i64x2(p0, p2, 0x88);
        const Vector low_odd = _mm512_shuffle_i64x2(p0, p2, 0xdd);
        const Vector high_even = _mm512_shuffle_i64x2(p4, p6, 0x88);
        const Vector high_odd = _mm512_shuffle_i64x2(p4, p6, 0xdd);
        columns[0 + odd] = _mm512_shuffle_i64x2(low_even, high_even, 0x88);
        columns[4 + odd] = _mm512_shuffle_i64x2(low_even, high_even, 0xdd);
        columns[2 + odd] = _mm512_shuffle_i64x2(low_odd, high_odd, 0x88);
        columns[6 + odd] = _mm512_shuffle_i64x2(low_odd, high_odd, 0xdd);
    }
}

inline Vector multiply_low(Vector sum, Vector a, Vector b) {
    return _mm512_madd52lo_epu64(sum, a, b);
}
inline Vector multiply_high(Vector sum, Vector a, Vector b) {
    return _mm512_madd52hi_epu64(sum, a, b);
}

/// Sums of products: the lower 52 bits of each, and what is above.
struct Products {
    Vector low0, low1, low2, high0, high1, high2;
};

/// Adds x · f.
inline void add_product(Products& sum, const Limbs& x, const Factor& f) {
    const auto add = [](Vector & low, Vector & high, Vector a, Vector b) __attribute__((always_inline)) {
        low = multiply_low(low, a, b);
        high = multiply_high(high, a, b);
    };
    add(sum.low0, sum.high0, x.l0, f.limbs.l0);
    add(sum.low1, sum.high1, x.l0, f.limbs.l1);
    add(sum.low2, sum.high2, x.l0, f.limbs.l2);
    add(sum.low0, sum.high0, x.l1, f.l2x20);
    add(sum.low1, sum.high1, x.l1, f.limbs.l0);
    add(sum.low2, sum.high2, x.l1, f.limbs.l1);
    add(sum.low0, sum.high0, x.l2, f.l1x20);
    add(sum.low1, sum.high1, x.l2, f.l2x20);
    add(sum.low2, sum.high2, x.l2, f.limbs.l0);
}

/// Partly reduced: of the limbs of 44, 44 and 42 bits, the middle one may be 2¹⁶ too large.
inline Limbs reduced(const Products& p) {
    // The upper part counts 2⁵², that is 2⁸ or 2¹⁰ of the next limb.
    const Vector low1 = plus(p.low1, plus(_mm512_slli_epi64(p.high0, 8), _mm512_srli_epi64(p.low0, 44)));
    const Vector low2 = plus(p.low2, plus(_mm512_slli_epi64(p.high1, 8), _mm512_srli_epi64(low1, 44)));
    const Vector carry = plus(_mm512_slli_epi64(p.high2, 10), _mm512_srli_epi64(low2, 42));
    const Vector low0 = plus(low44(p.low0), times5<0>(carry));
    return {low44(low0), plus(low44(low1), _mm512_srli_epi64(low0, 44)), low42(low2)};
}

inline Limbs multiplied(const Limbs& x, const Factor& f) {
    const Vector zero = _mm512_setzero_si512();
    Products products{zero, zero, zero, zero, zero, zero};
    add_product(products, x, f);
    return reduced(products);
}

/// A block of 16 bytes. Every block is full: those of an AEAD are padded with zeros.
inline Limbs block_of(Vector low, Vector high) {
    Limbs block = limbs_of(low, high);
    block.l2 = _mm512_or_si512(block.l2, all(uint64_t{1} << 40));
    return block;
}

inline Limbs sum(const Limbs& a, const Limbs& b) {
    return {plus(a.l0, b.l0), plus(a.l1, b.l1), plus(a.l2, b.l2)};
}

/// (h + block) · r
inline Limbs absorbed(const Octet& o, Vector low, Vector high) {
    return multiplied(sum(o.h, block_of(low, high)), o.r);
}

/// Two blocks, with one reduction: ((h + first) · r + second) · r is (h + first) · r² + second · r.
inline Limbs absorbed_two(const Octet& o, const Vector* words) {
    const Vector zero = _mm512_setzero_si512();
    Products products{zero, zero, zero, zero, zero, zero};
    add_product(products, block_of(words[2], words[3]), o.r);
    add_product(products, sum(o.h, block_of(words[0], words[1])), o.r_squared);
    return reduced(products);
}

/// As absorbed, in some lanes only.
inline void absorb_masked(Octet& o, Vector low, Vector high, __mmask8 lanes) {
    const Limbs next = absorbed(o, low, high);
    o.h.l0 = _mm512_mask_mov_epi64(o.h.l0, lanes, next.l0);
    o.h.l1 = _mm512_mask_mov_epi64(o.h.l1, lanes, next.l1);
    o.h.l2 = _mm512_mask_mov_epi64(o.h.l2, lanes, next.l2);
}

/// Chunks that all packets have, without masks. Returns how many bytes of each packet that was.
template <size_t kOctets>
inline size_t absorb_common(Octet* octets, const Bytes* inputs) {
    size_t shortest = inputs[0].size;
    for (size_t i = 1; i < kOctets * kLanes; ++i) shortest = inputs[i].size < shortest ? inputs[i].size : shortest;
    size_t offset = 0;
    for (; offset + kChunk <= shortest; offset += kChunk) {
        Vector columns[kOctets][kWords];
        for (size_t k = 0; k < kOctets; ++k) {
            Vector rows[kLanes];
            for (size_t i = 0; i < kLanes; ++i) rows[i] = _mm512_loadu_si512(inputs[k * kLanes + i].data + offset);
            transpose(rows, columns[k]);
        }
        for (size_t word = 0; word < kWords; word += 4) {
            for (size_t k = 0; k < kOctets; ++k) octets[k].h = absorbed_two(octets[k], columns[k] + word);
        }
    }
    return offset;
}

/// The next chunk of 8 packets, and how many bytes of it each one has; those that it lacks are zero.
inline void load_rest(const Bytes* inputs, size_t offset, Vector* columns, uint64_t* left) {
    Vector rows[kLanes];
    for (size_t i = 0; i < kLanes; ++i) {
        left[i] = inputs[i].size > offset ? inputs[i].size - offset : 0;
        const __mmask64 mask = left[i] >= kChunk ? ~__mmask64{0} : (__mmask64{1} << left[i]) - 1;
        rows[i] = mask != 0 ? _mm512_maskz_loadu_epi8(mask, inputs[i].data + offset) : _mm512_setzero_si512();
    }
    transpose(rows, columns);
}

/// What is left of each packet from `offset` on.
template <size_t kOctets>
inline void absorb_rest(Octet* octets, const Bytes* inputs, size_t offset) {
    size_t longest = 0;
    for (size_t i = 0; i < kOctets * kLanes; ++i) longest = inputs[i].size > longest ? inputs[i].size : longest;
    for (; offset < longest; offset += kChunk) {
        Vector columns[kOctets][kWords];
        alignas(64) uint64_t left[kOctets][kLanes];
        for (size_t k = 0; k < kOctets; ++k) load_rest(inputs + k * kLanes, offset, columns[k], left[k]);
        for (size_t block = 0; block < kChunk / kBlockSize && offset + block * kBlockSize < longest; ++block) {
            for (size_t k = 0; k < kOctets; ++k) {
                const __mmask8 lanes = _mm512_cmpgt_epu64_mask(_mm512_load_si512(left[k]), all(block * kBlockSize));
                absorb_masked(octets[k], columns[k][2 * block], columns[k][2 * block + 1], lanes);
            }
        }
    }
}

template <size_t kOctets>
inline void absorb(Octet* octets, const Bytes* inputs) {
    absorb_rest<kOctets>(octets, inputs, absorb_common<kOctets>(octets, inputs));
}

/// r with the bits cleared that the RFC wants cleared, and s.
inline void start(Octet& octet, const uint64_t (*keys)[8], Vector& s_low, Vector& s_high) {
    Vector rows[kLanes];
    Vector columns[kWords];
    for (size_t i = 0; i < kLanes; ++i) rows[i] = _mm512_load_si512(keys[i]);
    transpose(rows, columns);
    const Limbs r = limbs_of(_mm512_and_si512(columns[0], all(0x0ffffffc0fffffffULL)),
                             _mm512_and_si512(columns[1], all(0x0ffffffc0ffffffcULL)));
    octet.r = factor_of(r);
    octet.r_squared = factor_of(multiplied(r, octet.r));
    octet.h = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    s_low = columns[2];
    s_high = columns[3];
}

/// Fully reduced, plus s modulo 2¹²⁸.
inline void finish(const Octet& octet, Vector s_low, Vector s_high, uint64_t (*tags)[2]) {
    // What `multiplied` leaves is less than 2¹³⁰ + 2⁶¹, so the prime is subtracted once at most: if h + 5 reaches 2¹³⁰.
    Limbs h = octet.h;
    Limbs less{plus(h.l0, all(5)), h.l1, h.l2};
    less.l1 = plus(less.l1, _mm512_srli_epi64(less.l0, 44));
    less.l2 = plus(less.l2, _mm512_srli_epi64(less.l1, 44));
    const __mmask8 above = _mm512_cmpge_epu64_mask(less.l2, all(uint64_t{1} << 42));
    h = {low44(_mm512_mask_mov_epi64(h.l0, above, less.l0)), low44(_mm512_mask_mov_epi64(h.l1, above, less.l1)),
         _mm512_mask_mov_epi64(h.l2, above, less.l2)};
    const Limbs s = limbs_of(s_low, s_high);
    h.l0 = plus(h.l0, s.l0);
    h.l1 = plus(plus(h.l1, s.l1), _mm512_srli_epi64(h.l0, 44));
    h.l2 = plus(plus(h.l2, s.l2), _mm512_srli_epi64(h.l1, 44));
    const Vector low = _mm512_or_si512(low44(h.l0), _mm512_slli_epi64(h.l1, 44));
    const Vector high = _mm512_or_si512(_mm512_srli_epi64(low44(h.l1), 20), _mm512_slli_epi64(h.l2, 24));
    alignas(64) uint64_t lows[kLanes];
    alignas(64) uint64_t highs[kLanes];
    _mm512_store_si512(lows, low);
    _mm512_store_si512(highs, high);
    for (size_t i = 0; i < kLanes; ++i) {
        tags[i][0] = lows[i];
        tags[i][1] = highs[i];
    }
}

template <size_t kOctets>
void compute(PacketGroup& group) {
    // Lanes without a packet repeat the first one, so that all loads are valid.
    Bytes associated[kPackets];
    Bytes texts[kPackets];
    size_t most_associated = 0;
    for (size_t i = 0; i < kPackets; ++i) {
        const size_t packet = i < group.count ? i : 0;
        associated[i] = group.associated[packet];
        texts[i] = {group.texts[packet], group.sizes[packet]};
        most_associated = associated[i].size > most_associated ? associated[i].size : most_associated;
    }
    Octet octets[kOctets];
    Vector s_low[kOctets];
    Vector s_high[kOctets];
    for (size_t k = 0; k < kOctets; ++k) start(octets[k], group.one_time_keys + k * kLanes, s_low[k], s_high[k]);
    if (most_associated != 0) absorb<kOctets>(octets, associated);
    absorb<kOctets>(octets, texts);
    for (size_t k = 0; k < kOctets; ++k) {
        alignas(64) uint64_t sizes[2][kLanes];
        for (size_t i = 0; i < kLanes; ++i) {
            sizes[0][i] = associated[k * kLanes + i].size;
            sizes[1][i] = texts[k * kLanes + i].size;
        }
        octets[k].h = absorbed(octets[k], _mm512_load_si512(sizes[0]), _mm512_load_si512(sizes[1]));
        finish(octets[k], s_low[k], s_high[k], group.tags + k * kLanes);
    }
}

}  // namespace

void compute_tags(PacketGroup& group) {
    if (group.count > kLanes) {
        compute<2>(group);
    } else {
        compute<1>(group);
    }
}

}  // namespace myst::wireguard::detail::avx512
