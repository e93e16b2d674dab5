// When a provider brings the vouchers it holds on chain, and which of them together. Pure: values in, decision out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"

namespace myst::pay {

/// What the contract charges, rounded up from contracts/gas.json (docs/gas.md).
inline constexpr std::uint64_t kTransactionGas = 55'000;  ///< once for each transaction
inline constexpr std::uint64_t kReservedGas = 11'000;     ///< a voucher that the lane's reservation covers
inline constexpr std::uint64_t kUnreservedGas = 16'000;   ///< one that draws on the free deposit
inline constexpr std::uint64_t kFirstGas = 34'000;        ///< the first one of a lane
inline constexpr std::uint64_t kTickVoucherGas = 4'000;   ///< more for a voucher that ticks continue
inline constexpr std::uint64_t kTickGas = 130;            ///< and for each of its ticks
inline constexpr std::uint64_t kReleaseGas = 37'000;      ///< ending a lane, transaction included

/// Vouchers in a transaction at most. Those with ticks and those without go into different ones.
inline constexpr std::size_t kSettlementBatch = 50;

/// What the owner of a provider has decided.
struct SettlementTerms {
    Amount trigger;    ///< a voucher is settled when more than this rests on its signature alone
    Amount minimum;    ///< a voucher that brings less is never settled by itself
    Amount gas_price;  ///< token units that a million gas costs; zero: gas is free
    std::uint32_t overhead_percent =
        2;                        ///< settles when gas costs at most so much of what it brings; zero: never for that
    bool at_session_end = false;  ///< settles a payer's voucher when its session is over
    seconds max_age{};            ///< settles what has waited for so long; zero: no limit
    seconds margin{};             ///< settles so long before money can be taken out: 2 × the longest outage borne
};

/// A voucher that would bring money now.
struct Claim {
    Amount gain;                       ///< what settling it brings
    Amount on_signature;               ///< what of its total nothing on chain is reserved for
    std::uint64_t gas = 0;             ///< what it adds to a transaction
    std::optional<UnixTime> deadline;  ///< the earliest moment at which its payer can take out what it pays with
    bool in_session = false;           ///< its payer has an open session
    bool ticked = false;               ///< its voucher is continued by ticks
    UnixTime since{};                  ///< the oldest part of `gain` was paid in a session begun then
};

enum class SettleReason {
    none,         ///< it can wait
    trigger,      ///< more rests on the signature than may
    leaving,      ///< the payer takes money back and has no session
    deadline,     ///< the margin before the payer can take money out has begun
    age,          ///< it has waited long enough
    session_end,  ///< its session is over
    overhead,     ///< together with others it is worth the gas
    joined,       ///< a transaction is sent anyway, and this one is worth its part of it
};
[[nodiscard]] std::string_view to_string(SettleReason reason);

/// Token units that `gas` costs, rounded up; saturates.
[[nodiscard]] Amount gas_cost(const SettlementTerms& terms, std::uint64_t gas);

/// What settling a voucher for `total` adds to the gas of a transaction (docs/gas.md); `ticks` of a tick voucher.
[[nodiscard]] std::uint64_t gas_of(Amount total, Amount cap, std::optional<std::uint16_t> ticks = {});

/// The part of the gas that so many vouchers share: that of their transactions.
[[nodiscard]] std::uint64_t base_gas(std::size_t plain, std::size_t ticked);

/// One reason for each claim; those that have one are settled together. Whatever the reasons, they bring more than
/// their gas costs, none brings less than the minimum, and each more than its own part of the gas.
[[nodiscard]] std::vector<SettleReason> plan_settlement(const SettlementTerms& terms, const std::vector<Claim>& claims,
                                                        UnixTime now);

/// Remembers when payers can take money out. A reorganisation can undo an announcement that has replaced an earlier
/// one, so the earliest deadline counts until the block that last showed it has become final.
class Deadlines {
public:
    explicit Deadlines(std::uint64_t finality_blocks) : finality_blocks_(finality_blocks) {}

    /// What the chain says at block `head`: the deadline, or none if the payer has announced nothing. Returns the one
    /// that counts.
    std::optional<UnixTime> observe(const Address& payer, std::optional<UnixTime> announced, std::uint64_t head);

private:
    struct Seen {
        UnixTime deadline;
        std::uint64_t block = 0;  ///< the last one that showed it
    };
    std::uint64_t finality_blocks_;
    std::map<Address, Seen> seen_;
};

}  // namespace myst::pay
