// What a message of the database weighs, and what it costs to handle.
#pragma once

#include <cstddef>

#include "myst/base/clock.hpp"
#include "myst/codec/event.hpp"

namespace myst::scale {

/// Bytes of WebSocket messages with their frame headers, without those of TLS, TCP and IP. Counted on the texts of the
/// real encoders, of a proposal as docs/records.md has it.
struct Sizes {
    std::size_t record = 0;     ///< JSON of a proposal
    std::size_t live = 0;       ///< a proposal from a relay to a subscriber
    std::size_t event = 0;      ///< the same from a client to a relay
    std::size_t ok = 0;         ///< a relay's answer to it
    std::size_t ask = 0;        ///< a REQ without ids, its EOSE and CLOSE
    std::size_t ask_id = 0;     ///< each id in a REQ
    std::size_t neg_open = 0;   ///< first message of a reconciliation, beside its hex digits
    std::size_t neg_next = 0;   ///< a further one
    std::size_t neg_close = 0;  ///< the last
};
[[nodiscard]] Sizes measure_sizes();

/// A typical proposal, signed: two relays, a name, terms of one sentence.
[[nodiscard]] codec::Event sample_proposal();

/// Bytes of a WebSocket frame around a message (RFC 6455 section 5.2).
[[nodiscard]] std::size_t framed(std::size_t message, bool from_client);

/// Processor time, from docs/performance.md, where it says how each was measured.
struct Costs {
    std::chrono::nanoseconds copy{38'000};         ///< a record that arrives: parsed, id and signature checked
    std::chrono::nanoseconds store{24'000};        ///< one that is new, besides: stored with its indexes
    std::chrono::nanoseconds send{4'000};          ///< one copy of a record handed to one subscriber
    std::chrono::nanoseconds query_record{8'000};  ///< each record of an answer
    std::chrono::nanoseconds sync_item{1'100};     ///< each item that one side of a reconciliation reads and adds up
};

}  // namespace myst::scale
