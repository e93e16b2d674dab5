// What a client's own device and its packet filter know of what came in and went out.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>

#include "myst/sys/nft_objects.hpp"
#include "myst/wireguard/meter.hpp"

namespace myst::vpn {

/// The meters of a client's device, over all providers that the connection was pointed at. Any thread.
class ClientMeter {
public:
    struct Reading {
        std::uint64_t sent = 0;    ///< bytes of inner packets, without those to the provider itself
        std::uint64_t joined = 0;  ///< headers of received packets that the filter did not see
    };

    /// The meter of the next peer; the one before has been removed from the device.
    void follow(std::shared_ptr<wireguard::Meter> meter) {
        auto earlier = read();
        const std::lock_guard lock(mutex_);
        earlier_ = earlier;
        meter_ = std::move(meter);
    }
    [[nodiscard]] Reading read() const {
        const std::lock_guard lock(mutex_);
        if (!meter_) return earlier_;
        const auto now = meter_->read();
        return {earlier_.sent + now.sent.bytes, earlier_.joined + now.joined_bytes};
    }

private:
    mutable std::mutex mutex_;
    Reading earlier_;  ///< of the meters before
    std::shared_ptr<wireguard::Meter> meter_;
};

/// Several packets that were joined reach the filter as one, with one header. Which of the other headers, `joined`
/// bytes in all, were of packets that the filter has accepted is not known if it has refused some: then as many as they
/// may have had are left out, so that nothing can be sold that was not asked for.
[[nodiscard]] inline std::uint64_t headers_to_pay(std::uint64_t joined, const sys::NftCount& arrived,
                                                  const sys::NftCount& accepted) {
    constexpr std::uint64_t kMostJoined = 63;  // behind the first
    constexpr std::uint64_t kLargestHeader = 80;
    const auto refused = arrived.packets - std::min(arrived.packets, accepted.packets);
    return joined - std::min(joined, refused * kMostJoined * kLargestHeader);
}

}  // namespace myst::vpn
