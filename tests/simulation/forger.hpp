// Payments that no honest consumer sends.
#pragma once

#include "myst/pay/frame.hpp"
#include "random.hpp"
#include "signatures.hpp"

namespace myst::sim {

/// Makes them from what the honest consumer has sent, with the consumer's own key. None of them proves anything.
class Forger {
public:
    Forger(Signatures& signatures, Random& random) : signatures_(signatures), random_(random) {}

    /// Every payment as it is sent for the first time.
    void watch(const pay::Frame& sent);
    /// A voucher for more than was signed so far, which is `total`.
    [[nodiscard]] pay::Frame voucher(std::uint32_t epoch, Amount total);
    /// One that ticks would continue.
    [[nodiscard]] pay::Frame tick_voucher(std::uint32_t epoch, Amount total);
    /// A tick: junk, a jump of the index, one that was sent long ago.
    [[nodiscard]] pay::TickFrame tick();
    /// A tick of a chain that nobody knows.
    [[nodiscard]] pay::TickFrame junk() { return {{next_index(), random_bytes<Hash32>(random_)}}; }

private:
    [[nodiscard]] std::uint16_t next_index() const;

    Signatures& signatures_;
    Random& random_;
    std::vector<codec::Tick> ticks_;  ///< of the chain that is paid with, all that were sent
    codec::Tick earlier_;             ///< of the chain before
};

}  // namespace myst::sim
