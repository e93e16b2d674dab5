#include "lanes_model.hpp"

#include "myst/base/check.hpp"

namespace myst::sim {
namespace {

constexpr std::uint64_t kBasisPoints = 10'000;

template <class Map>
Amount amount_of(const Map& amounts, const Address& whose) {
    const auto found = amounts.find(whose);
    return found == amounts.end() ? Amount{} : found->second;
}

Amount sum(Amount a, Amount b) {
    const auto result = a.plus(b);
    CHECK(result.has_value());
    return *result;
}

Amount difference(Amount a, Amount b) {
    const auto result = a.minus(b);
    CHECK(result.has_value());
    return *result;
}

void add(Amount& to, Amount amount) {
    to = sum(to, amount);
}

void take(Amount& from, Amount amount) {
    from = difference(from, amount);
}

Uint128 bits(const Hash32& word, std::size_t first_byte, std::size_t count) {
    Uint128 value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | word.bytes[first_byte + i];
    return value;
}

/// The first word of an item; its low 40 bits are left out.
codec::Voucher unpack(const Address& provider, const Hash32& word) {
    return {provider, static_cast<std::uint32_t>(bits(word, 24, 3)), *Amount::from_wide(bits(word, 0, 12)),
            *Amount::from_wide(bits(word, 12, 12))};
}

}  // namespace

void LanesModel::deposit(const Address& signer, Amount amount) {
    if (amount.is_zero()) return;
    add(accounts_[signer].free, amount);
    add(deposited_[signer], amount);
    add(balance_, amount);
}

bool LanesModel::request_exit(const Address& signer, Amount amount, UnixTime now) {
    auto& account = accounts_[signer];
    if (amount.is_zero() || amount > account.free) return false;
    take(account.free, amount);
    add(account.exiting, amount);
    account.exit_at = now + window_;
    return true;
}

Amount LanesModel::withdraw(const Address& signer, UnixTime now) {
    auto& account = accounts_[signer];
    if (account.exiting.is_zero() || now < account.exit_at) return {};
    const auto amount = std::exchange(account.exiting, Amount{});
    account.exit_at = {};
    take(balance_, amount);
    add(withdrawn_[signer], amount);
    return amount;
}

bool LanesModel::request_release(const Address& signer, const Address& provider, UnixTime now) {
    auto& lane = lanes_[{signer, provider}];
    if (lane.release_at != UnixTime{}) return false;
    lane.release_at = now + window_;
    return true;
}

bool LanesModel::release(const Address& caller, const Address& signer, const Address& provider, UnixTime now) {
    auto& lane = lanes_[{signer, provider}];
    if (caller != provider) {
        if (lane.release_at == UnixTime{} || now < lane.release_at) return false;
    } else if (lane.cap.is_zero() && lane.release_at == UnixTime{}) {
        return false;
    }
    if (lane.epoch == codec::kMaxEpoch) return false;
    const auto refunded = difference(lane.cap, lane.paid);
    lane = Lane{{}, {}, {}, lane.epoch + 1};
    add(accounts_[signer].free, refunded);
    return true;
}

Amount LanesModel::settle(const Address& provider, const std::vector<Item>& items) {
    return settle_all(provider, items);
}

Amount LanesModel::settle_ticks(const Address& provider, const std::vector<TickItem>& items) {
    return settle_all(provider, items);
}

template <class AnyItem>
Amount LanesModel::settle_all(const Address& provider, const std::vector<AnyItem>& items) {
    Amount paid_out;
    for (const auto& item : items) {
        if (const auto claim = read(provider, item)) add(paid_out, apply(provider, *claim));
    }
    const auto fee = Amount::from_wide(paid_out.units() * fee_bps_ / kBasisPoints).value_or(Amount{});
    take(balance_, paid_out);
    add(fees_, fee);
    add(earned_[provider], difference(paid_out, fee));
    return paid_out;
}

std::optional<LanesModel::Claim> LanesModel::read(const Address& provider, const Item& item) const {
    const auto& [word, r, vs] = item;
    const auto voucher = unpack(provider, word);
    if (bits(word, 27, 5) != 0 || voucher.total > voucher.cap) return std::nullopt;
    const auto signer = signatures_->recover(codec::SignedVoucher{voucher, {r, vs}});
    if (signer.is_zero()) return std::nullopt;
    return Claim{signer, voucher.epoch, voucher.total, voucher.cap};
}

std::optional<LanesModel::Claim> LanesModel::read(const Address& provider, const TickItem& item) const {
    const auto& [word, ticks, preimage, r, vs] = item;
    codec::TickVoucher voucher{unpack(provider, word), preimage, static_cast<std::uint64_t>(bits(ticks, 20, 8)),
                               static_cast<std::uint16_t>(bits(ticks, 28, 2))};
    const auto count = static_cast<std::uint16_t>(bits(ticks, 30, 2));
    if (bits(word, 27, 5) != 0 || bits(ticks, 0, 16) != 0 || bits(ticks, 16, 4) != 0) return std::nullopt;
    if (voucher.max_ticks > codec::kMaxTicks || count > voucher.max_ticks) return std::nullopt;
    const auto owed = codec::owed_after(voucher, count);
    if (!owed) return std::nullopt;
    // The anchor is not shown: it is what the word leads back to, and another one was signed by somebody else.
    const auto chain = codec::tick_chain(signatures_->domain(), voucher.voucher, voucher.tick_value);
    for (auto index = count; index > 0; --index) voucher.anchor = codec::previous_word(voucher.anchor, chain, index);
    const auto signer = signatures_->recover(codec::SignedTickVoucher{voucher, {r, vs}});
    if (signer.is_zero()) return std::nullopt;
    return Claim{signer, voucher.voucher.epoch, *owed, voucher.voucher.cap};
}

Amount LanesModel::apply(const Address& provider, const Claim& claim) {
    auto [signer, epoch, total, cap] = claim;
    auto& lane = lanes_[{signer, provider}];
    if (epoch != lane.epoch) return {};
    if (lane.release_at != UnixTime{}) cap = total;
    if (cap > lane.cap) {
        auto& account = accounts_[signer];
        const auto reserved = std::min(difference(cap, lane.cap), account.free);
        take(account.free, reserved);
        add(lane.cap, reserved);
        if (total > lane.cap) {
            const auto pulled = std::min(difference(total, lane.cap), account.exiting);
            total = sum(lane.cap, pulled);
            take(account.exiting, pulled);
            add(lane.cap, pulled);
        }
    }
    const auto pay = total.minus_saturating(lane.paid);
    add(lane.paid, pay);
    add(spent_[signer], pay);
    return pay;
}

LanesModel::Account LanesModel::account(const Address& signer) const {
    const auto found = accounts_.find(signer);
    return found == accounts_.end() ? Account{} : found->second;
}

LanesModel::Lane LanesModel::lane(const Address& signer, const Address& provider) const {
    const auto found = lanes_.find({signer, provider});
    return found == lanes_.end() ? Lane{} : found->second;
}

Amount LanesModel::deposited(const Address& signer) const {
    return amount_of(deposited_, signer);
}

Amount LanesModel::withdrawn(const Address& signer) const {
    return amount_of(withdrawn_, signer);
}

Amount LanesModel::spent(const Address& signer) const {
    return amount_of(spent_, signer);
}

Amount LanesModel::earned(const Address& provider) const {
    return amount_of(earned_, provider);
}

std::string LanesModel::imbalance() const {
    std::map<Address, Amount> refundable;
    for (const auto& [signer, account] : accounts_) add(refundable[signer], sum(account.free, account.exiting));
    for (const auto& [key, lane] : lanes_) {
        if (lane.paid > lane.cap) return "a lane paid more than it reserves";
        add(refundable[key.first], difference(lane.cap, lane.paid));
    }
    Amount held;
    Amount came;
    Amount left = fees_;
    for (const auto& [signer, amount] : refundable) {
        add(held, amount);
        if (sum(sum(amount, spent(signer)), withdrawn(signer)) != deposited(signer)) {
            return "a payer's deposit is not what it paid and can take back";
        }
    }
    for (const auto& [signer, amount] : deposited_) add(came, amount);
    for (const auto& [signer, amount] : withdrawn_) add(left, amount);
    for (const auto& [provider, amount] : earned_) add(left, amount);
    if (held != balance_) return "the contract's tokens are not what its accounts and lanes add up to";
    if (sum(left, balance_) != came) return "what came in is not what left and what is there";
    return {};
}

}  // namespace myst::sim
