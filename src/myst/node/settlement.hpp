// Bringing held vouchers on chain.
#pragma once

#include <map>

#include "myst/node/context.hpp"
#include "myst/node/wallet.hpp"

namespace myst::node {

/// A voucher that is worth more than what the chain has paid out on its lane.
struct UnsettledVoucher {
    ports::HeldVoucher held;
    ports::LaneState lane;
    ports::AccountState account;  ///< the payer's

    /// What settling it now would bring: no more than what the lane reserves and what the payer's deposit still has.
    [[nodiscard]] Amount gain() const;
    /// What of the total nothing on chain is reserved for.
    [[nodiscard]] Amount on_signature() const { return held.total().minus_saturating(lane.cap); }
    /// When the payer can take out what it pays with: the lane's reservation, or deposit; none if it has announced
    /// neither.
    [[nodiscard]] std::optional<UnixTime> deadline() const;
};

/// Whether the payer has announced that it takes back what the lane reserves, or deposit.
[[nodiscard]] inline bool is_leaving(const ports::LaneState& lane, const ports::AccountState& account) {
    return lane.release_at != UnixTime{} || !account.exiting.is_zero();
}

/// When the oldest session began in which `amount` was paid, the newest payments of `signer` first. `sessions` are
/// newest first; the oldest of them if they do not reach so far.
[[nodiscard]] UnixTime unsettled_since(const std::vector<ports::SessionRecord>& sessions, const Address& signer,
                                       const Address& payee, Amount amount);

/// What a look at the chain has found of a voucher.
enum class VoucherUse {
    owed,   ///< it is worth more than was paid on its lane
    drawn,  ///< all of it was paid, and the lane reserves more for this provider
    over,   ///< it was paid or is void, and the lane reserves nothing
};

[[nodiscard]] VoucherUse use_of(const ports::HeldVoucher& held, const ports::LaneState& lane);

/// Remembers which vouchers the chain has paid out, or made void, for good. Control thread.
class SettledLanes {
public:
    explicit SettledLanes(std::uint64_t finality_blocks) : finality_blocks_(finality_blocks) {}

    /// Whether this voucher was worth nothing at two looks, `finality_blocks` or more apart.
    [[nodiscard]] bool is_final(const ports::HeldVoucher& held) const;
    /// The same, and nothing is reserved: there is nothing to look for any more.
    [[nodiscard]] bool is_over(const ports::HeldVoucher& held) const;
    /// Whether, besides, the lane's release was requested for the same moment at all looks of as many blocks.
    [[nodiscard]] bool is_release_final(const ports::HeldVoucher& held) const;
    /// What a look at block `head` has found of the voucher and its lane.
    void observe(const ports::HeldVoucher& held, const ports::LaneState& lane, std::uint64_t head);

private:
    struct Seen {
        Amount total;
        std::uint64_t since = 0;  ///< block
        bool final = false;
        bool over = false;  ///< at the last look
        UnixTime release_at{};
        std::uint64_t requested_since = 0;  ///< block
        bool release_final = false;
    };
    [[nodiscard]] const Seen* find_final(const ports::HeldVoucher& held) const;

    std::uint64_t finality_blocks_;
    std::map<std::pair<Address, std::uint32_t>, Seen> seen_;  ///< by payer and epoch
};

/// A lane whose payer wants its reservation back, and on which this provider has nothing left to draw: both for good,
/// so that no reorganisation can make a voucher of the epoch worth something again, or let the payer go on paying.
struct OwedRelease {
    Address signer;
    ports::LaneState lane;
};

struct UnsettledVouchers {
    std::vector<UnsettledVoucher> vouchers;
    std::vector<OwedRelease> releases;
    std::optional<Error> failure;  ///< of the first payer who is missing because he could not be looked at
};

/// Every voucher for `payee` that still brings money. Vouchers of ended epochs, and those whose payer has nothing left,
/// are worth nothing and left out.
[[nodiscard]] Task<Result<UnsettledVouchers>> unsettled_vouchers(Context& context, Address payee,
                                                                 SettledLanes& settled);

/// Settles them, in batches. Harmless when repeated: the contract pays the difference only.
[[nodiscard]] Task<Result<SettleResult>> settle_vouchers(Context& context, Wallet& wallet, Address payee,
                                                         std::vector<UnsettledVoucher> vouchers);

}  // namespace myst::node
