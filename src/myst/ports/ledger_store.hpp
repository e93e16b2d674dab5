// Durable memory of payments. An operation that returns success has reached the disk (fdatasync), so the caller
// may act on it: the provider credits and acknowledges, the consumer sends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "myst/codec/tick_voucher.hpp"
#include "myst/runtime/task.hpp"

namespace myst::ports {

/// What continues a voucher with ticks, and the newest of them.
struct HeldTicks {
    Hash32 anchor;
    std::uint64_t tick_value = 0;  ///< token units
    std::uint16_t max_ticks = 0;
    codec::Tick newest;
    bool operator==(const HeldTicks&) const = default;
};

/// A proof of payment with the payer who signed it: a plain voucher, or a tick voucher and its newest tick.
struct HeldVoucher {
    Address signer;
    codec::SignedVoucher voucher;  ///< with `ticks`, the signature is that of the tick voucher
    SessionId session;
    std::optional<HeldTicks> ticks{};

    [[nodiscard]] static HeldVoucher of(const Address& signer, const codec::SignedTickVoucher& signed_voucher,
                                        const codec::Tick& newest, const SessionId& session) {
        const auto& [terms, signature] = signed_voucher;
        const HeldTicks ticks{terms.anchor, terms.tick_value, terms.max_ticks, newest};
        return {signer, {terms.voucher, signature}, session, ticks};
    }
    /// The tick voucher, if there are ticks.
    [[nodiscard]] std::optional<codec::SignedTickVoucher> tick_voucher() const {
        if (!ticks) return std::nullopt;
        const codec::TickVoucher terms{voucher.voucher, ticks->anchor, ticks->tick_value, ticks->max_ticks};
        return codec::SignedTickVoucher{terms, voucher.signature};
    }
    /// What the payer owes on the lane by this proof, ticks included.
    [[nodiscard]] Amount total() const {
        const auto base = voucher.voucher.total;
        if (!ticks) return base;
        return codec::owed_after(tick_voucher()->tick_voucher, ticks->newest.index).value_or(base);
    }
    /// Whether it takes the place of another proof of the same lane and epoch: it is worth more, or as much without
    /// ticks, or as much with a higher cap.
    [[nodiscard]] bool replaces(const HeldVoucher& other) const {
        const auto own = total();
        const auto known = other.total();
        if (own != known) return own > known;
        return !ticks && (other.ticks || voucher.voucher.cap > other.voucher.voucher.cap);
    }
};

/// A session as either side remembers it across restarts.
struct SessionRecord {
    SessionId id;
    Address signer;
    Address provider;
    NodeKey peer;  ///< the other side's identity in the envelopes
    UnixTime started{};
    UnixTime ended{};  ///< zero while open
    std::uint64_t bytes_up = 0;
    std::uint64_t bytes_down = 0;
    Amount cost;                 ///< by the own meter
    Amount paid;                 ///< acknowledged in this session
    std::uint64_t vouchers = 0;  ///< payments, ticks included
    std::string end_reason;      ///< empty while open
};

/// Both roles of the ledger. Control thread; writes are grouped into one commit where they coincide.
/// After a failed commit every further call fails (the disk cannot be trusted, and memory may be ahead of it) until the
/// program is restarted.
class LedgerStore {
public:
    virtual ~LedgerStore() = default;

    /// Provider: keeps a verified proof if it replaces the one held for (signer, provider, epoch); another changes
    /// nothing and succeeds. The session's state goes to disk with it, so that after a
    /// crash meter and payments are of the same moment.
    [[nodiscard]] virtual Task<Result<>> keep_voucher(HeldVoucher held, SessionRecord session) = 0;
    /// Provider: the highest voucher held for a lane, of the newest epoch.
    [[nodiscard]] virtual Task<Result<std::optional<HeldVoucher>>> highest_voucher(Address signer,
                                                                                   Address provider) = 0;
    /// Provider: the highest voucher of every lane and epoch of this provider.
    [[nodiscard]] virtual Task<Result<std::vector<HeldVoucher>>> held_vouchers(Address provider) = 0;

    /// Consumer: remembers a payment, plain or by tick, before it is sent. Refuses (failed_precondition) a total below
    /// the highest ever issued for the lane and epoch.
    [[nodiscard]] virtual Task<Result<>> record_issued(HeldVoucher issued) = 0;
    /// Consumer: the highest voucher ever issued for (signer, provider, epoch).
    [[nodiscard]] virtual Task<Result<std::optional<HeldVoucher>>> highest_issued(Address signer, Address provider,
                                                                                  std::uint32_t epoch) = 0;

    /// Consumer: the highest voucher issued for every lane and epoch of this signer.
    [[nodiscard]] virtual Task<Result<std::vector<HeldVoucher>>> issued_vouchers(Address signer) = 0;

    /// Whether there is a session of this id, of either role.
    [[nodiscard]] virtual Task<Result<bool>> knows_session(SessionId id) = 0;
    /// Inserts a session or brings it up to date. failed_precondition if its id belongs to another payer or provider.
    [[nodiscard]] virtual Task<Result<>> save_session(SessionRecord session) = 0;
    /// What this payer's sessions with this provider cost beyond what was paid in them, all sessions together.
    [[nodiscard]] virtual Task<Result<Amount>> unpaid(Address signer, Address provider) = 0;
    /// Sessions with this provider, which sold them; the newest `limit`, newest first.
    [[nodiscard]] virtual Task<Result<std::vector<SessionRecord>>> sold_sessions(Address provider,
                                                                                 std::size_t limit) = 0;
    /// All sessions with this provider that are not over, newest first.
    [[nodiscard]] virtual Task<Result<std::vector<SessionRecord>>> open_sessions(Address provider) = 0;
};

}  // namespace myst::ports
