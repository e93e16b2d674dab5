// Work put into a record, which a relay may ask of strangers (NIP-13): an id that begins with zero bits.
#pragma once

#include "myst/codec/event.hpp"

namespace myst::codec {

/// 0 … 256.
[[nodiscard]] unsigned leading_zero_bits(const Hash32& id);

/// The work that an event's id proves, in bits: what its one `nonce` tag, ["nonce", …, "<bits>"], commits to, if the id
/// has so many zero bits; otherwise 0. Zeros beyond the commitment are luck and do not count. The id is believed.
[[nodiscard]] unsigned proven_work(const Event& event);

/// Looks for a nonce that gives the id so many zero bits: about 2^bits tries, of which each hashes the event once. The
/// author's key must be in place; sign afterwards. True: the event has its nonce tag. False after `tries`; the
/// search goes on with another `first`.
[[nodiscard]] bool add_work(Event& event, unsigned bits, std::uint64_t first, std::uint64_t tries);

}  // namespace myst::codec
