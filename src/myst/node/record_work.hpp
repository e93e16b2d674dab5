// Work for own records (NIP-13), so that relays take them whose author they do not know as registered.
#pragma once

#include "myst/node/context.hpp"

namespace myst::node {

/// Where work is done, and how much of it. References outlive the work.
struct RecordWork {
    WorkerPool& workers;
    Rng& rng;
    unsigned bits = 0;
};

/// Adds work to a record and signs it with `key`, its author's, which outlives the call; without bits it only signs.
/// Takes 2^bits tries on the average, in the worker pool, in short pieces between which other work gets its turn.
/// unavailable in the case, as good as impossible, that 64 times as many do not suffice.
[[nodiscard]] Task<Result<codec::Event>> sign_with_work(RecordWork work, codec::Event event,
                                                        const crypto::PrivateKey& key);
/// The same with `context.pow_bits`. Every own record goes through here that relays are to keep.
[[nodiscard]] Task<Result<codec::Event>> sign_with_work(Context& context, codec::Event event,
                                                        const crypto::PrivateKey& key);

}  // namespace myst::node
