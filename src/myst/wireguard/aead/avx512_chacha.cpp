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

/// The state of 16 blocks.
struct State {
    Row a, b, c, d;
};

/// Where a block of key stream goes; nowhere if the mask is 0.
struct Target {
    uint8_t* at;
    __mmask64 mask;
};

/// Which block each lane computes, and what for.
struct Step {
    alignas(64) uint32_t packet[kLanes];
    alignas(64) uint32_t counter[kLanes];
    Target targets[kLanes];
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
inline void double_round(State& s) {
    round_of_columns(s.a, s.b, s.c, s.d);
    s.b = {s.b.v1, s.b.v2, s.b.v3, s.b.v0};
    s.c = {s.c.v2, s.c.v3, s.c.v0, s.c.v1};
    s.d = {s.d.v3, s.d.v0, s.d.v1, s.d.v2};
    round_of_columns(s.a, s.b, s.c, s.d);
    s.b = {s.b.v3, s.b.v0, s.b.v1, s.b.v2};
    s.c = {s.c.v2, s.c.v3, s.c.v0, s.c.v1};
    s.d = {s.d.v1, s.d.v2, s.d.v3, s.d.v0};
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

/// Computed anew where it is needed: cheaper than to keep it.
inline State first_state(const PacketGroup& group, const Step& step) {
    const Vector packets = _mm512_load_si512(step.packet);
    const Row constants{_mm512_set1_epi32(0x61707865), _mm512_set1_epi32(0x3320646e), _mm512_set1_epi32(0x79622d32),
                        _mm512_set1_epi32(0x6b206574)};
    const Row counter_and_nonce{_mm512_load_si512(step.counter), spread(group, 8, packets), spread(group, 9, packets),
                                spread(group, 10, packets)};
    return {constants, spread_row(group, 0, packets), spread_row(group, 4, packets), counter_and_nonce};
}

/// XORs each block of key stream into its target.
inline void finish(const PacketGroup& group, const Step& step, const State& state) {
    const State first = first_state(group, step);
    const Row a = transposed(sum(state.a, first.a));
    const Row b = transposed(sum(state.b, first.b));
    const Row c = transposed(sum(state.c, first.c));
    const Row d = transposed(sum(state.d, first.d));
    put_blocks(step.targets + 0, a.v0, b.v0, c.v0, d.v0);
    put_blocks(step.targets + 1, a.v1, b.v1, c.v1, d.v1);
    put_blocks(step.targets + 2, a.v2, b.v2, c.v2, d.v2);
    put_blocks(step.targets + 3, a.v3, b.v3, c.v3, d.v3);
}

void process(const PacketGroup& group, const Step& step) {
    State state = first_state(group, step);
    for (int i = 0; i < kDoubleRounds; ++i) double_round(state);
    finish(group, step, state);
}

/// Two steps at once: each instruction waits for the one before, and there are registers for twice as many.
void process_two(const PacketGroup& group, const Step* steps) {
    State one = first_state(group, steps[0]);
    State two = first_state(group, steps[1]);
    for (int i = 0; i < kDoubleRounds; ++i) {
        double_round(one);
        double_round(two);
    }
    finish(group, steps[0], one);
    finish(group, steps[1], two);
}

inline __mmask64 mask_of(size_t bytes) {
    return bytes >= kBlockSize ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
}

/// Gives the lanes the next blocks of selected packets. Returns whether there are any.
inline bool take_blocks(const PacketGroup& group, uint32_t selected, Cursor& cursor, Step& step) {
    size_t lane = 0;
    while (lane < kLanes && cursor.packet < group.count) {
        const size_t size = group.sizes[cursor.packet];
        if (cursor.offset >= size || (selected >> cursor.packet & 1) == 0) {
            ++cursor.packet;
            cursor.offset = 0;
            continue;
        }
        step.packet[lane] = cursor.packet;
        step.counter[lane] = static_cast<uint32_t>(1 + cursor.offset / kBlockSize);
        step.targets[lane] = {group.texts[cursor.packet] + cursor.offset, mask_of(size - cursor.offset)};
        cursor.offset += kBlockSize;
        ++lane;
    }
    if (lane == 0) return false;
    for (; lane < kLanes; ++lane) {
        step.packet[lane] = 0;
        step.counter[lane] = 0;
        step.targets[lane] = {nullptr, 0};
    }
    return true;
}

}  // namespace

void derive_one_time_keys(PacketGroup& group) {
    Step step{};
    for (uint32_t i = 0; i < kLanes; ++i) {
        step.packet[i] = i;
        step.targets[i] = {reinterpret_cast<uint8_t*>(group.one_time_keys[i]), ~__mmask64{0}};
        _mm512_store_si512(group.one_time_keys[i], _mm512_setzero_si512());
    }
    process(group, step);
}

void apply_key_stream(PacketGroup& group, uint32_t selected) {
    Step steps[2] = {};
    Cursor cursor{0, 0};
    while (take_blocks(group, selected, cursor, steps[0])) {
        if (take_blocks(group, selected, cursor, steps[1])) {
            process_two(group, steps);
        } else {
            process(group, steps[0]);
        }
    }
}

void wipe_stack() {
    constexpr size_t kDepth = 8192;
    uint8_t space[kDepth];
    explicit_bzero(space, sizeof space);
}

}  // namespace myst::wireguard::detail::avx512
