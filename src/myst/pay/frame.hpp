// Frames of the payment stream (docs/protocol.md section 2): bytes in, frames out, and back. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/codec/tick_voucher.hpp"

namespace myst::pay {

/// Why a provider refuses.
enum class RefuseCode : std::uint8_t {
    malformed = 1,
    unknown_session = 2,
    wrong_epoch = 3,
    wrong_signer = 4,
    wrong_terms = 5,
    not_covered = 6,
    risk_limit = 7,
    storage = 8,
    session_over = 9,
    wrong_tick = 10,
};
[[nodiscard]] std::string_view to_string(RefuseCode code);

struct HelloFrame {
    SessionId session;
    bool operator==(const HelloFrame&) const = default;
};

/// A voucher as it travels: the payee is known from the session.
struct VoucherFrame {
    std::uint32_t epoch = 0;
    Amount total;
    Amount cap;
    crypto::CompactSignature signature;
    bool operator==(const VoucherFrame&) const = default;
    [[nodiscard]] static VoucherFrame of(const codec::SignedVoucher& voucher);
    [[nodiscard]] codec::SignedVoucher with_provider(const Address& provider) const;
};

/// A tick voucher as it travels; the signature of `voucher` covers all of it.
struct TickVoucherFrame {
    VoucherFrame voucher;
    Hash32 anchor;
    std::uint64_t tick_value = 0;
    std::uint16_t max_ticks = 0;
    bool operator==(const TickVoucherFrame&) const = default;
    [[nodiscard]] static TickVoucherFrame of(const codec::SignedTickVoucher& voucher);
    [[nodiscard]] codec::SignedTickVoucher with_provider(const Address& provider) const;
};

/// Pays by the newest tick voucher of the stream.
struct TickFrame {
    codec::Tick tick;
    bool operator==(const TickFrame&) const = default;
};

/// What a provider holds of a payer that pays with ticks.
struct HeldTicks {
    TickVoucherFrame voucher;
    codec::Tick newest;
    bool operator==(const HeldTicks&) const = default;
};

struct ResumeFrame {
    std::uint32_t epoch = 0;
    std::variant<std::monostate, VoucherFrame, HeldTicks> held;
    bool operator==(const ResumeFrame&) const = default;
};

struct AckFrame {
    Amount total;
    std::uint64_t up = 0;
    std::uint64_t down = 0;
    std::uint64_t allowance = 0;
    bool operator==(const AckFrame&) const = default;
};

struct RefuseFrame {
    RefuseCode code{};
    std::string text;
    bool operator==(const RefuseFrame&) const = default;
};

struct ByeFrame {
    bool operator==(const ByeFrame&) const = default;
};

using Frame =
    std::variant<HelloFrame, ResumeFrame, VoucherFrame, AckFrame, RefuseFrame, ByeFrame, TickVoucherFrame, TickFrame>;

/// Largest value of the length field that any frame may have.
inline constexpr std::size_t kMaxFrameLength = 256;
inline constexpr std::size_t kFrameHeaderSize = 2;

/// Length, type and body.
[[nodiscard]] Bytes encode_frame(const Frame& frame);
/// Decodes type and body (without the length field). Every bit is checked; wrong sizes, unknown types and versions
/// are invalid_data.
[[nodiscard]] Result<Frame> decode_frame(BytesView type_and_body);

}  // namespace myst::pay
