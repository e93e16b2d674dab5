// Between the AVX-512 back-end and its two files of vector code. Those are compiled for processors that not everybody
// has: they include nothing with inline functions, whose copies the linker might let everybody run.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace myst::wireguard::detail::avx512 {

constexpr size_t kPackets = 16;

struct Bytes {
    const uint8_t* data;
    size_t size;
};

/// Up to kPackets packets under way. Everything in it is secret but sizes and addresses.
struct PacketGroup {
    /// Words 4 to 11 and 13 to 15 of ChaCha20's first state: key and nonce, a column for each packet.
    alignas(64) uint32_t columns[11][kPackets];
    /// The first key stream block of each packet; Poly1305 takes its first half.
    alignas(64) uint64_t one_time_keys[kPackets][8];
    alignas(64) uint64_t tags[kPackets][2];
    uint8_t* texts[kPackets];
    size_t sizes[kPackets];
    Bytes associated[kPackets];
    size_t count;
};

/// Fills one_time_keys from columns.
void derive_one_time_keys(PacketGroup& group);
/// Encrypts or decrypts the texts of the packets whose bits are set.
void apply_key_stream(PacketGroup& group, uint32_t selected);
/// Fills tags from one_time_keys, associated data and texts, which are encrypted.
void compute_tags(PacketGroup& group);
/// Overwrites the stack below, where the functions above leave registers that they had no room for.
void wipe_stack();

}  // namespace myst::wireguard::detail::avx512
