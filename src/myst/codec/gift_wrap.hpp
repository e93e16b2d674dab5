// Gift wraps (NIP-59): a message that shows a relay neither its author nor its content, only for whom it is.
#pragma once

#include "myst/codec/event.hpp"

namespace myst::codec {

/// A gift wrap that has everything but its signature, and the key that signs it and nothing else. Work may be added.
struct UnsignedGift {
    Event wrap;
    crypto::PrivateKey key;
};

/// When the two layers claim to be made. NIP-59 wants them in the past, and different, so that they tell nothing.
struct GiftTimes {
    UnixTime sealed{};
    UnixTime wrapped{};
    UnixTime expires{};  ///< of the wrap; relays ask for it (docs/records.md)
};

/// Seals a message with its author's key and wraps it for `to`. Of `rumor` counts what is in it but key, id and
/// signature: the author is `from`, and the message stays without a signature, so that who has it cannot prove it to
/// others. invalid_argument if it is too long to be encrypted twice (some 40,000 bytes).
[[nodiscard]] Result<UnsignedGift> wrap_gift(Event rumor, const crypto::PrivateKey& from, const NodeKey& to,
                                             const GiftTimes& times, Rng& rng);
/// `wrap_gift` and the signature.
[[nodiscard]] Result<Event> sign_gift(UnsignedGift gift, Rng& rng);

/// The message in a gift wrap for `to`, with the author's key and without a signature. The author has signed the seal
/// around it, and its id is right. invalid_data for everything else, a wrong key included. The wrap's own signature is
/// for relays; it is not checked.
[[nodiscard]] Result<Event> unwrap_gift(const Event& wrap, const crypto::PrivateKey& to);

}  // namespace myst::codec
