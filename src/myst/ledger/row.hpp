// Rows of the ledger as bytes that end in a checksum, so that a damaged row is noticed when it is read. Pure.
#pragma once

#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/ports/ledger_store.hpp"

namespace myst::ledger {

/// Which side of a voucher a row is about: vouchers we hold as provider, or issued as consumer.
enum class Side : std::uint8_t { held = 0, issued = 1 };

/// A line of the journal: a session's new state and, unless it only moved on, the voucher that pays in it.
struct JournalEntry {
    std::optional<ports::HeldVoucher> held;
    ports::SessionRecord session;
};

/// What all sessions of one payer with one provider cost, and what was paid in them.
struct LaneSum {
    Address signer;
    Address provider;
    Amount cost;
    Amount paid;
};

[[nodiscard]] Bytes encode_voucher(Side side, const ports::HeldVoucher& held);
[[nodiscard]] Bytes encode_session(const ports::SessionRecord& session);
[[nodiscard]] Bytes encode_sum(const LaneSum& sum);
[[nodiscard]] Bytes encode_entry(const JournalEntry& entry);

/// The number of a row of the journal. In the journal such a row, its own number in it, says that everything before it
/// is in the tables.
[[nodiscard]] Bytes encode_position(std::int64_t position);

/// invalid_data if a byte of the row is not what it was, or if the row is of the other side.
[[nodiscard]] Result<ports::HeldVoucher> decode_voucher(Side side, BytesView row);
/// invalid_data if a byte of the row is not what it was.
[[nodiscard]] Result<ports::SessionRecord> decode_session(BytesView row);
/// invalid_data if a byte of the row is not what it was.
[[nodiscard]] Result<LaneSum> decode_sum(BytesView row);
/// invalid_data if a byte of the row is not what it was.
[[nodiscard]] Result<JournalEntry> decode_entry(BytesView row);
/// invalid_data if a byte of the row is not what it was.
[[nodiscard]] Result<std::int64_t> decode_position(BytesView row);

}  // namespace myst::ledger
