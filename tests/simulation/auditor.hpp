// What must hold after every step of a simulation, judged from what really happened and not from what a party believes.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "lanes_model.hpp"
#include "myst/ports/ledger_store.hpp"

namespace myst::sim {

/// The truth about one lane, and the first promise that was broken. Totals are those of an epoch; a tick counts as a
/// signature over what is owed after it.
class Auditor {
public:
    /// `proof` is a new payment; nobody but its maker has seen it.
    void consumer_signs(const ports::HeldVoucher& proof) {
        const auto epoch = proof.voucher.voucher.epoch;
        const auto cap = proof.voucher.voucher.cap;
        require(proof.total() >= sent_[epoch], "the consumer signs less than it has promised before");
        require(cap >= sent_caps_[epoch], "the consumer permits less reservation than before");
        signed_[epoch] = std::max(signed_[epoch], proof.total());
        signed_caps_[epoch] = std::max(signed_caps_[epoch], cap);
    }
    /// `on_disk` is what a crash would leave the consumer.
    void consumer_sends(const ports::HeldVoucher& proof, Amount on_disk) {
        const auto& voucher = proof.voucher.voucher;
        require(proof.total() <= on_disk, "a payment is sent that is not on disk");
        sent_[voucher.epoch] = std::max(sent_[voucher.epoch], proof.total());
        sent_caps_[voucher.epoch] = std::max(sent_caps_[voucher.epoch], voucher.cap);
    }
    /// The consumer's disk goes back to an old copy; RESUME has to remind it of what it promised since.
    void consumer_forgets() {
        sent_.clear();
        sent_caps_.clear();
    }
    /// The provider has shown that the consumer promised `total`.
    void consumer_is_reminded(std::uint32_t epoch, Amount total) { sent_[epoch] = std::max(sent_[epoch], total); }
    /// The provider has counted a payment: its total was `before` and is `after`.
    void provider_credits(const ports::HeldVoucher& proof, Amount before, Amount after) {
        require(after == std::max(before, proof.total()), "a payment counts for another sum than it proves");
        require(after == before || credited_.insert(proof_of(proof)).second, "a payment is credited twice");
        require(after <= highest_signed(proof.voucher.voucher.epoch), "more is credited than was signed");
    }
    /// The provider says that it holds `total`; `on_disk` is what a crash would leave it.
    void provider_acknowledges(std::uint32_t epoch, Amount total, Amount on_disk) {
        require(total <= on_disk, "a payment is acknowledged that is not on disk");
        acknowledged_[epoch] = std::max(acknowledged_[epoch], total);
    }
    /// The provider's disk goes back to an old copy: what it had acknowledged since may be gone.
    void provider_forgets() {
        acknowledged_.clear();
        credited_.clear();
    }
    void provider_holds(std::uint32_t epoch, Amount on_disk) {
        require(on_disk >= acknowledged_[epoch], "an acknowledged payment is lost");
        require(on_disk <= signed_[epoch], "the provider holds more than was signed");
    }
    void chain_shows(const LanesModel& contract, const Address& payer) {
        const auto imbalance = contract.imbalance();
        require(imbalance.empty(), imbalance.c_str());
        const auto lane = contract.lane(payer, kProvider);
        require(lane.paid <= signed_[lane.epoch], "the contract paid more than was signed");
        require(lane.cap <= signed_caps_[lane.epoch], "the contract reserves more than was signed");
    }

    [[nodiscard]] Amount highest_signed(std::uint32_t epoch) const {
        const auto found = signed_.find(epoch);
        return found == signed_.end() ? Amount{} : found->second;
    }
    /// Over all epochs.
    [[nodiscard]] Amount signed_in_all() const {
        Amount sum;
        for (const auto& [epoch, total] : signed_) sum = sum.plus_saturating(total);
        return sum;
    }

    void require(bool holds, const char* broken) {
        if (!holds && violation_.empty()) violation_ = broken;
    }
    /// Empty as long as everything holds.
    [[nodiscard]] const std::string& violation() const { return violation_; }

private:
    /// Epoch, signature, and index of the tick.
    using Proof = std::tuple<std::uint32_t, crypto::CompactSignature, std::uint16_t>;
    static Proof proof_of(const ports::HeldVoucher& held) {
        const auto tick = held.ticks ? held.ticks->newest.index : std::uint16_t{};
        return {held.voucher.voucher.epoch, held.voucher.signature, tick};
    }

    std::map<std::uint32_t, Amount> signed_;
    std::map<std::uint32_t, Amount> signed_caps_;
    std::map<std::uint32_t, Amount> sent_;
    std::map<std::uint32_t, Amount> sent_caps_;
    std::set<Proof> credited_;
    std::map<std::uint32_t, Amount> acknowledged_;
    std::string violation_;
};

}  // namespace myst::sim
