// A meter's share in a batch of packets: what is left out before the work, and what is counted after it.
#pragma once

#include <cstddef>

#include "myst/wireguard/constants.hpp"
#include "myst/wireguard/meter.hpp"

namespace myst::wireguard {

/// Messages of one session on their way in. In this order: `expect` for each; `reserve`; `admit` for each, if that says
/// so, and only what is admitted is opened; `deliver` for each packet that was opened, `discard` for each message that
/// could not be; `settle`. Without a meter everything passes. One thread; the meter outlives the batch.
class ReceivedBatch {
public:
    enum class Admission : std::uint8_t {
        paid,         ///< may be delivered
        garden_only,  ///< to be opened, and delivered if it is from or to the garden
        refused,      ///< not to be opened
    };

    explicit ReceivedBatch(Meter* meter = nullptr) : meter_(meter) {}
    [[nodiscard]] bool has_meter() const { return meter_ != nullptr; }

    /// `text` is what the message is long without header and tag.
    void expect(std::size_t text) {
        if (meter_ == nullptr) return;
        wanted_ += needed(text);
        share_of(text + kKeepaliveSize).wanted += text + kKeepaliveSize;
    }
    /// True: all is `paid`. False: ask for each message, in the order of `expect`.
    [[nodiscard]] bool reserve(MonotonicTime now);
    [[nodiscard]] Admission admit(std::size_t text);
    /// Whether a packet that was opened, and that its peer may send, passes.
    [[nodiscard]] bool deliver(const InnerPacket& packet, Admission admission) {
        if (meter_ == nullptr || meter_->in_garden(packet)) return true;
        (admission == Admission::paid ? passed_ : refused_).add(packet.length);
        return admission == Admission::paid;
    }
    /// A message that was opened and is forged or a repetition: whoever sees a session's messages can send these, and
    /// must not use up what the garden's payments need.
    void discard(std::size_t text, Admission admission) {
        if (admission == Admission::garden_only) share_of(text + kKeepaliveSize).unused += text + kKeepaliveSize;
    }
    /// Counts what has passed, and gives back what was not used. Once, at the end.
    void settle();

private:
    /// A keepalive takes a byte, so that a closed gate lets it in among what may be to the garden, and not for nothing.
    static std::uint64_t needed(std::size_t text) { return text == 0 ? 1 : text; }

    /// Bytes of whole messages.
    struct GardenShare {
        std::uint64_t wanted = 0;
        std::uint64_t unused = 0;  ///< of what is reserved, while `admit` gives it out
    };
    GardenShare& share_of(std::size_t message) { return message <= Meter::kGardenSmall ? small_ : large_; }

    Meter* meter_;
    std::uint64_t wanted_ = 0;
    std::uint64_t reserved_ = 0;
    std::uint64_t unused_ = 0;  ///< as above
    GardenShare small_;
    GardenShare large_;
    PacketCount passed_;
    PacketCount refused_;
};

/// Packets to one peer on their way out: `admit` for those read together, and only what is admitted is sealed; at the
/// end `settle`. As above otherwise.
class SentBatch {
public:
    explicit SentBatch(Meter* meter = nullptr) : meter_(meter) {}

    /// How many of `count` packets, cut from `packet`, may be sent: the first ones. All have `size` bytes, the last has
    /// `last`. They count as sent.
    [[nodiscard]] std::size_t admit(const InnerPacket& packet, std::size_t count, std::size_t size, std::size_t last);
    /// Whether packets without a session may wait for one, to be asked for when there is one.
    [[nodiscard]] bool may_wait(const InnerPacket& packet, std::size_t count, std::size_t size);
    /// Counts. Once, at the end.
    void settle();

private:
    Meter* meter_;
    PacketCount passed_;
    PacketCount refused_;
};

}  // namespace myst::wireguard
