#include "myst/wireguard/metered_batch.hpp"

#include <algorithm>

namespace myst::wireguard {

bool ReceivedBatch::reserve(MonotonicTime now) {
    if (meter_ == nullptr) return true;
    reserved_ = unused_ = meter_->reserve(wanted_);
    if (reserved_ == wanted_) return true;
    small_.unused = meter_->reserve_garden(small_.wanted, Meter::GardenUse::small, now);
    large_.unused = meter_->reserve_garden(large_.wanted, Meter::GardenUse::large, now);
    return false;
}

ReceivedBatch::Admission ReceivedBatch::admit(std::size_t text) {
    if (reserved_ == wanted_) return Admission::paid;
    if (needed(text) <= unused_) {
        unused_ -= needed(text);
        return Admission::paid;
    }
    const auto message = text + kKeepaliveSize;
    auto& share = share_of(message);
    if (message <= share.unused) {
        share.unused -= message;
        return Admission::garden_only;
    }
    refused_.add(text);
    return Admission::refused;
}

void ReceivedBatch::settle() {
    if (meter_ == nullptr) return;
    meter_->count_received(passed_);
    meter_->count_refused(refused_);
    meter_->give_back(reserved_ - passed_.bytes);
    meter_->give_back_garden(small_.unused + large_.unused);
}

std::size_t SentBatch::admit(const InnerPacket& packet, std::size_t count, std::size_t size, std::size_t last) {
    if (meter_ == nullptr || meter_->in_garden(packet)) return count;
    const std::uint64_t all = (count - 1) * size + last;
    const auto reserved = meter_->reserve(all);
    const std::size_t admitted = reserved == all ? count : std::min(count - 1, reserved / size);
    const auto used = admitted == count ? all : admitted * size;
    meter_->give_back(reserved - used);
    passed_.packets += admitted;
    passed_.bytes += used;
    refused_.packets += count - admitted;
    refused_.bytes += all - used;
    return admitted;
}

bool SentBatch::may_wait(const InnerPacket& packet, std::size_t count, std::size_t size) {
    if (meter_ == nullptr || meter_->in_garden(packet) || meter_->has_left(size)) return true;
    refused_.packets += count;
    refused_.bytes += count * size;
    return false;
}

void SentBatch::settle() {
    if (meter_ == nullptr) return;
    meter_->count_sent(passed_);
    meter_->count_refused(refused_);
}

}  // namespace myst::wireguard
