// ChaCha20, 16 blocks at once: each 512-bit register holds one word of the state of 16 blocks, which may be of
// different packets.
#include <immintrin.h>
#include <string.h>

#include "myst/wireguard/aead/avx512_kernel.hpp"

namespace myst::wireguard::detail::avx512 {

namespace {

using Vector = __m512i;

constexpr size_t kBlockSize = 64;
constexpr size_t kLanes = 16;
constexpr int kDoubleRounds = 10;

/// Four words of the state, that is a row of the 4×4 matrix of RFC 8439.
struct Row {
    Vector v0, v1, v2, v3;
};

/// Which block each lane computes.
struct Lanes {
    alignas(64) uint32_t packet[kLanes];
    alignas(64) uint32_t counter[kLanes];
};

/// Where a block of key stream goes; nowhere if the mask is 0.
struct Target {
    uint8_t* at;
    __mmask64 mask;
};

/// The next block that is to be computed.
struct Cursor {
    uint32_t packet;
    size_t offset;
};

inline Row sum(const Row& a, const Row& b) {
    return {_mm512_add_epi32(a.v0, b.v0), _mm512_add_epi32(a.v1, b.v1), _mm512_add_epi32(a.v2, b.v2),
            _mm512_add_epi32(a.v3, b.v3)};
}

template <int kBits>
inline Row xor_rotated(const Row& a, const Row& b) {
    return {
        _mm512_rol_epi32(_mm512_xor_si512(a.v0, b.v0), kBits), _mm512_rol_epi32(_mm512_xor_si512(a.v1, b.v1), kBits),
        _mm512_rol_epi32(_mm512_xor_si512(a.v2, b.v2), kBits), _mm512_rol_epi32(_mm512_xor_si512(a.v3, b.v3), kBits)};
}

/// The quarter rounds of all four columns.
inline void round_of_columns(Row& a, Row& b, Row& c, Row& d) {
    a = sum(a, b);
    d = xor_rotated<16>(d, a);
    c = sum(c, d);
    b = xor_rotated<12>(b, c);
    a = sum(a, b);
    d = xor_rotated<8>(d, a);
    c = sum(c, d);
    b = xor_rotated<7>(b, c);
}

/// Turning rows makes diagonals columns. It only renames registers.
inline void double_round(Row& a, Row& b, Row& c, Row& d) {
    round_of_columns(a, b, c, d);
    b = {b.v1, b.v2, b.v3, b.v0};
    c = {c.v2, c.v3, c.v0, c.v1};
    d = {d.v3, d.v0, d.v1, d.v2};
    round_of_columns(a, b, c, d);
    b = {b.v3, b.v0, b.v1, b.v2};
    c = {c.v2, c.v3, c.v0, c.v1};
    d = {d.v1, d.v2, d.v3, d.v0};
}

/// Word `row` of the packets that the lanes work on.
inline Vector spread(const PacketGroup& group, size_t row, Vector packets) {
    return _mm512_permutexvar_epi32(packets, _mm512_load_si512(group.columns[row]));
}

inline Row spread_row(const PacketGroup& group, size_t row, Vector packets) {
    return {spread(group, row, packets), spread(group, row + 1, packets), spread(group, row + 2, packets),
            spread(group, row + 3, packets)};
}

/// Transposes 4×4 words within each 128 bits: then v_j holds, in its quarter l, the row's four words of block 4l + j.
inline Row transposed(const Row& row) {
    const Vector t0 = _mm512_unpacklo_epi32(row.v0, row.v1);
    const Vector t1 = _mm512_unpackhi_epi32(row.v0, row.v1);
    const Vector t2 = _mm512_unpacklo_epi32(row.v2, row.v3);
    const Vector t3 = _mm512_unpackhi_epi32(row.v2, row.v3);
    return {_mm512_unpacklo_epi64(t0, t2), _mm512_unpackhi_epi64(t0, t2), _mm512_unpacklo_epi64(t1, t3),
            _mm512_unpackhi_epi64(t1, t3)};
}

inline void put(const Target& target, Vector key_stream) {
    if (target.mask == ~__mmask64{0}) {
        _mm512_storeu_si512(target.at, _mm512_xor_si512(key_stream, _mm512_loadu_si512(target.at)));
    } else if (target.mask != 0) {
        const Vector text = _mm512_maskz_loadu_epi8(target.mask, target.at);
        _mm512_mask_storeu_epi8(target.at, target.mask, _mm512_xor_si512(key_stream, text));
    }
}

/// Blocks j, 4 + j, 8 + j and 12 + j from the rows' quarters.
inline void put_blocks(const Target* targets, Vector a, Vector b, Vector c, Vector d) {
    const Vector ab_low = _mm512_shuffle_i32x4(a, b, 0x44);
    const Vector ab_high = _mm512_shuffle_i32x4(a, b, 0xee);
    const Vector cd_low = _mm512_shuffle_i32x4(c, d, 0x44);
    const Vector cd_high = _mm512_shuffle_i32x4(c, d, 0xee);
    put(targets[0], _mm512_shuffle_i32x4(ab_low, cd_low, 0x88));
    put(targets[4], _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd));
    put(targets[8], _mm512_shuffle_i32x4(ab_high, cd_high, 0x88));
    put(targets[12], _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd));
}

/// Computes 16 blocks and XORs each into its target.
void process(const PacketGroup& group, const Lanes& lanes, const Target* targets) {
    const Vector packets = _mm512_load_si512(lanes.packet);
    const Vector counters = _mm512_load_si512(lanes.counter);
    const Row first_a{_mm512_set1_epi32(0x61707865), _mm512_set1_epi32(0x3320646e), _mm512_set1_epi32(0x79622d32),
                      _mm512_set1_epi32(0x6b206574)};
    const auto first_d = [&]() -> Row {
        return {counters, spread(group, 8, packets), spread(group, 9, packets), spread(group, 10, packets)};
    };
    Row a = first_a;
    Row b = spread_row(group, 0, packets);
    Row c = spread_row(group, 4, packets);
    Row d = first_d();
    for (int i = 0; i < kDoubleRounds; ++i) double_round(a, b, c, d);
    a = transposed(sum(a, first_a));
    b = transposed(sum(b, spread_row(group, 0, packets)));
    c = transposed(sum(c, spread_row(group, 4, packets)));
    d = transposed(sum(d, first_d()));
    put_blocks(targets + 0, a.v0, b.v0, c.v0, d.v0);
    put_blocks(targets + 1, a.v1, b.v1, c.v1, d.v1);
    put_blocks(targets + 2, a.v2, b.v2, c.v2, d.v2);
    put_blocks(targets + 3, a.v3, b.v3, c.v3, d.v3);
}

inline __mmask64 mask_of(size_t bytes) {
    return bytes >= kBlockSize ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
}

/// Gives the lanes the next blocks of selected packets. Returns whether there are any.
inline bool take_blocks(const PacketGroup& group, uint32_t selected, Cursor& cursor, Lanes& lanes, Target* targets) {
    size_t lane = 0;
    while (lane < kLanes && cursor.packet < group.count) {
        const size_t size = group.sizes[cursor.packet];
        if (cursor.offset >= size || (selected >> cursor.packet & 1) == 0) {
            ++cursor.packet;
            cursor.offset = 0;
            continue;
        }
        lanes.packet[lane] = cursor.packet;
        lanes.counter[lane] = static_cast<uint32_t>(1 + cursor.offset / kBlockSize);
        targets[lane] = {group.texts[cursor.packet] + cursor.offset, mask_of(size - cursor.offset)};
        cursor.offset += kBlockSize;
        ++lane;
    }
    const bool any = lane != 0;
    for (; lane < kLanes; ++lane) {
        lanes.packet[lane] = 0;
        lanes.counter[lane] = 0;
        targets[lane] = {nullptr, 0};
    }
    return any;
}

}  // namespace

void derive_one_time_keys(PacketGroup& group) {
    Lanes lanes{};
    Target targets[kLanes];
    for (uint32_t i = 0; i < kLanes; ++i) {
        lanes.packet[i] = i;
        lanes.counter[i] = 0;
        targets[i] = {reinterpret_cast<uint8_t*>(group.one_time_keys[i]), ~__mmask64{0}};
        _mm512_store_si512(group.one_time_keys[i], _mm512_setzero_si512());
    }
    process(group, lanes, targets);
}

void apply_key_stream(PacketGroup& group, uint32_t selected) {
    Lanes lanes{};
    Target targets[kLanes];
    Cursor cursor{0, 0};
    while (take_blocks(group, selected, cursor, lanes, targets)) process(group, lanes, targets);
}

void wipe_stack() {
    constexpr size_t kDepth = 8192;
    uint8_t space[kDepth];
    explicit_bzero(space, sizeof space);
}

}  // namespace myst::wireguard::detail::avx512
