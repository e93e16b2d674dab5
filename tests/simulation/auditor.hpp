// What must hold after every step of a simulation, judged from what really happened and not from what a party believes.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "lanes_model.hpp"

namespace myst::sim {

/// The truth about one lane, and the first promise that was broken. Totals are those of an epoch.
class Auditor {
public:
    void consumer_signs(std::uint32_t epoch, Amount total) {
        require(total >= sent_[epoch], "the consumer signs less than it has promised before");
        signed_[epoch] = std::max(signed_[epoch], total);
    }
    /// `on_disk` is what a crash would leave the consumer.
    void consumer_sends(std::uint32_t epoch, Amount total, Amount on_disk) {
        require(total <= on_disk, "a voucher is sent that is not on disk");
        sent_[epoch] = std::max(sent_[epoch], total);
    }
    /// The consumer's disk goes back to an old copy; RESUME has to remind it of what it promised since.
    void consumer_forgets() { sent_.clear(); }
    /// The provider has shown the consumer's own signature over `total`.
    void consumer_is_reminded(std::uint32_t epoch, Amount total) { sent_[epoch] = std::max(sent_[epoch], total); }
    /// The provider says that it holds `total`; `on_disk` is what a crash would leave it.
    void provider_acknowledges(std::uint32_t epoch, Amount total, Amount on_disk) {
        require(total <= on_disk, "a voucher is acknowledged that is not on disk");
        acknowledged_[epoch] = std::max(acknowledged_[epoch], total);
    }
    /// The provider's disk goes back to an old copy: what it had acknowledged since may be gone.
    void provider_forgets() { acknowledged_.clear(); }
    void provider_holds(std::uint32_t epoch, Amount on_disk) {
        require(on_disk >= acknowledged_[epoch], "an acknowledged voucher is lost");
        require(on_disk <= signed_[epoch], "the provider holds more than was signed");
    }
    void chain_shows(const LanesModel& contract, const Address& payer) {
        const auto imbalance = contract.imbalance();
        require(imbalance.empty(), imbalance.c_str());
        const auto lane = contract.lane(payer, kProvider);
        require(lane.paid <= signed_[lane.epoch], "the contract paid more than was signed");
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
    std::map<std::uint32_t, Amount> signed_;
    std::map<std::uint32_t, Amount> sent_;
    std::map<std::uint32_t, Amount> acknowledged_;
    std::string violation_;
};

}  // namespace myst::sim
