// Events of the lanes contract. Pure.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "myst/ports/chain.hpp"

namespace myst::chain {

/// A log as an endpoint reports it.
struct Log {
    Address address;
    std::vector<Hash32> topics;
    Bytes data;
    std::uint64_t block_number = 0;
    Hash32 block_hash;
    std::uint64_t index = 0;  ///< position within the block
};

struct Deposited {
    Address signer;
    Address from;
    Amount amount;
    Amount free;  ///< of the account afterwards
};
struct OwnerSet {
    Address signer;
    Address owner;
};
/// One applied voucher of a batch.
struct SettledItem {
    Address signer;
    Amount from_free;       ///< what left the account's `free`
    ports::LaneState lane;  ///< afterwards
};
/// The lanes' `paid` grew by amount + fee altogether.
struct Settled {
    Address provider;
    Uint256 amount;
    Uint256 fee;
    std::vector<SettledItem> items;
};
struct ReleaseRequested {
    Address signer;
    Address provider;
    UnixTime release_at;
};
struct Released {
    Address signer;
    Address provider;
    Amount refunded;
    std::uint32_t new_epoch = 0;
};
struct ExitRequested {
    Address signer;
    Amount exiting;  ///< total afterwards
    UnixTime exit_at;
};
/// A settlement took from what was on its way out; comes before its Settled.
struct AccountExitingUsed {
    Address signer;
    Amount exiting;  ///< what is left
};
struct Withdrawn {
    Address signer;
    Address to;
    Amount amount;
};
struct Registered {
    Address provider;
    NodeKey node_key;
    Amount stake;  ///< total afterwards
};
struct UnregisterRequested {
    Address provider;
    UnixTime leave_at;
};
struct Unregistered {
    Address provider;
    Amount stake;
};

using LanesEvent = std::variant<Deposited, OwnerSet, Settled, ReleaseRequested, Released, ExitRequested,
                                AccountExitingUsed, Withdrawn, Registered, UnregisterRequested, Unregistered>;

/// Strict: an unknown topic, a wrong number of topics, missing or spare data and values out of range are
/// invalid_data. The contract's address is the caller's concern.
[[nodiscard]] Result<LanesEvent> decode_event(const Log& log);
/// First topics of all events, for filters.
[[nodiscard]] const std::vector<Hash32>& event_topics();

}  // namespace myst::chain
