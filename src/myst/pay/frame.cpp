#include "myst/pay/frame.hpp"

#include <algorithm>

#include "myst/base/printable.hpp"

namespace myst::pay {
namespace {

enum class Type : std::uint8_t {
    hello = 1,
    resume = 2,
    voucher = 3,
    ack = 4,
    refuse = 5,
    bye = 6,
    tick_voucher = 7,
    tick = 8,
};

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxRefuseText = 200;
constexpr std::size_t kAmountSize = 12;
constexpr std::size_t kEpochSize = 3;
constexpr std::size_t kTickIndexSize = 2;

class Writer {
public:
    explicit Writer(Type type) : bytes_{0, 0, static_cast<std::uint8_t>(type)} {}
    Writer& number(Uint128 value, std::size_t size) {
        for (std::size_t i = size; i-- > 0;) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        return *this;
    }
    Writer& raw(BytesView view) {
        bytes_.insert(bytes_.end(), view.begin(), view.end());
        return *this;
    }
    Writer& voucher(const VoucherFrame& frame) {
        return number(frame.epoch, kEpochSize)
            .number(frame.total.units(), kAmountSize)
            .number(frame.cap.units(), kAmountSize)
            .raw(frame.signature.r.view())
            .raw(frame.signature.vs.view());
    }
    Writer& tick_voucher(const TickVoucherFrame& frame) {
        return voucher(frame.voucher)
            .raw(frame.anchor.view())
            .number(frame.tick_value, sizeof frame.tick_value)
            .number(frame.max_ticks, kTickIndexSize);
    }
    Writer& tick(const codec::Tick& tick) { return number(tick.index, kTickIndexSize).raw(tick.word.view()); }
    Bytes finish() && {
        const auto length = bytes_.size() - kFrameHeaderSize;
        bytes_[0] = static_cast<std::uint8_t>(length >> 8);
        bytes_[1] = static_cast<std::uint8_t>(length);
        return std::move(bytes_);
    }

private:
    Bytes bytes_;
};

/// Reads fields in order; remembers whether anything was missing.
class Reader {
public:
    explicit Reader(BytesView body) : rest_(body) {}
    Uint128 number(std::size_t size) {
        Uint128 value = 0;
        for (auto byte : take(size)) value = (value << 8) | byte;
        return value;
    }
    std::uint64_t u64() { return static_cast<std::uint64_t>(number(8)); }
    std::uint32_t u32(std::size_t size) { return static_cast<std::uint32_t>(number(size)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    Amount amount() { return Amount::from_wide(number(kAmountSize)).value_or(Amount{}); }
    template <class Fixed>
    Fixed fixed() {
        Fixed value;
        const auto bytes = take(Fixed::kSize);
        std::copy(bytes.begin(), bytes.end(), value.bytes.begin());
        return value;
    }
    VoucherFrame voucher() {
        VoucherFrame frame;
        frame.epoch = u32(kEpochSize);
        frame.total = amount();
        frame.cap = amount();
        frame.signature.r = fixed<Hash32>();
        frame.signature.vs = fixed<Hash32>();
        return frame;
    }
    TickVoucherFrame tick_voucher() {
        TickVoucherFrame frame;
        frame.voucher = voucher();
        frame.anchor = fixed<Hash32>();
        frame.tick_value = u64();
        frame.max_ticks = u16();
        return frame;
    }
    codec::Tick tick() {
        codec::Tick tick;
        tick.index = u16();
        tick.word = fixed<Hash32>();
        return tick;
    }
    BytesView remaining() { return take(rest_.size()); }
    /// All fields were there and nothing is left over.
    [[nodiscard]] bool complete() const { return !short_ && rest_.empty(); }

private:
    BytesView take(std::size_t size) {
        if (size > rest_.size()) {
            short_ = true;
            return {};
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    BytesView rest_;
    bool short_ = false;
};

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Result<Frame> malformed(const char* what) {
    return fail(ErrorCode::invalid_data, std::string("payment frame: ") + what);
}

Result<Frame> decode_resume(Reader& reader) {
    ResumeFrame frame;
    frame.epoch = reader.u32(kEpochSize);
    switch (reader.u32(1)) {
        case 0: return frame;
        case 1: frame.held = reader.voucher(); return frame;
        case 2: {
            HeldTicks held;
            held.voucher = reader.tick_voucher();
            held.newest = reader.tick();
            frame.held = held;
            return frame;
        }
        default: return malformed("RESUME holds neither nothing, nor a voucher, nor ticks");
    }
}

Result<Frame> decode_refuse(Reader& reader) {
    RefuseFrame frame;
    const auto code = reader.u32(1);
    if (code < static_cast<std::uint32_t>(RefuseCode::malformed) ||
        code > static_cast<std::uint32_t>(RefuseCode::wrong_tick)) {
        return malformed("unknown REFUSE code");
    }
    frame.code = static_cast<RefuseCode>(code);
    const auto text = reader.remaining();
    if (text.size() > kMaxRefuseText) return malformed("REFUSE text is too long");
    frame.text = printable(as_text(text));
    return frame;
}

Result<Frame> decode_body(Type type, Reader& reader) {
    switch (type) {
        case Type::hello: {
            if (reader.u32(1) != kVersion) return malformed("unknown version in HELLO");
            return HelloFrame{reader.fixed<SessionId>()};
        }
        case Type::resume: return decode_resume(reader);
        case Type::voucher: return reader.voucher();
        case Type::ack: {
            AckFrame frame;
            frame.total = reader.amount();
            frame.up = reader.u64();
            frame.down = reader.u64();
            frame.allowance = reader.u64();
            return frame;
        }
        case Type::refuse: return decode_refuse(reader);
        case Type::bye: return ByeFrame{};
        case Type::tick_voucher: return reader.tick_voucher();
        case Type::tick: return TickFrame{reader.tick()};
    }
    return malformed("unknown type");
}

}  // namespace

std::string_view to_string(RefuseCode code) {
    switch (code) {
        case RefuseCode::malformed: return "malformed frame";
        case RefuseCode::unknown_session: return "unknown session";
        case RefuseCode::wrong_epoch: return "wrong epoch";
        case RefuseCode::wrong_signer: return "wrong signer";
        case RefuseCode::wrong_terms: return "wrong terms";
        case RefuseCode::not_covered: return "not covered by the deposit";
        case RefuseCode::risk_limit: return "risk limit reached";
        case RefuseCode::storage: return "the provider cannot store vouchers";
        case RefuseCode::session_over: return "the session is over";
        case RefuseCode::wrong_tick: return "wrong tick";
    }
    return "unknown reason";
}

VoucherFrame VoucherFrame::of(const codec::SignedVoucher& voucher) {
    return {voucher.voucher.epoch, voucher.voucher.total, voucher.voucher.cap, voucher.signature};
}

codec::SignedVoucher VoucherFrame::with_provider(const Address& provider) const {
    return {codec::Voucher{provider, epoch, total, cap}, signature};
}

TickVoucherFrame TickVoucherFrame::of(const codec::SignedTickVoucher& voucher) {
    const auto& terms = voucher.tick_voucher;
    return {VoucherFrame::of({terms.voucher, voucher.signature}), terms.anchor, terms.tick_value, terms.max_ticks};
}

codec::SignedTickVoucher TickVoucherFrame::with_provider(const Address& provider) const {
    const auto plain = voucher.with_provider(provider);
    return {codec::TickVoucher{plain.voucher, anchor, tick_value, max_ticks}, plain.signature};
}

Bytes encode_frame(const Frame& frame) {
    return std::visit(
        Overloaded{
            [](const HelloFrame& f) {
                return std::move(Writer(Type::hello).number(kVersion, 1).raw(f.session.view())).finish();
            },
            [](const ResumeFrame& f) {
                Writer writer(Type::resume);
                writer.number(f.epoch, kEpochSize).number(f.held.index(), 1);
                if (const auto* voucher = std::get_if<VoucherFrame>(&f.held)) writer.voucher(*voucher);
                if (const auto* ticks = std::get_if<HeldTicks>(&f.held)) {
                    writer.tick_voucher(ticks->voucher).tick(ticks->newest);
                }
                return std::move(writer).finish();
            },
            [](const VoucherFrame& f) { return std::move(Writer(Type::voucher).voucher(f)).finish(); },
            [](const AckFrame& f) {
                Writer writer(Type::ack);
                writer.number(f.total.units(), kAmountSize).number(f.up, 8).number(f.down, 8).number(f.allowance, 8);
                return std::move(writer).finish();
            },
            [](const RefuseFrame& f) {
                Writer writer(Type::refuse);
                writer.number(static_cast<std::uint8_t>(f.code), 1);
                writer.raw(as_bytes(std::string_view(f.text).substr(0, kMaxRefuseText)));
                return std::move(writer).finish();
            },
            [](const ByeFrame&) { return Writer(Type::bye).finish(); },
            [](const TickVoucherFrame& f) { return std::move(Writer(Type::tick_voucher).tick_voucher(f)).finish(); },
            [](const TickFrame& f) { return std::move(Writer(Type::tick).tick(f.tick)).finish(); },
        },
        frame);
}

Result<Frame> decode_frame(BytesView type_and_body) {
    if (type_and_body.empty() || type_and_body.size() > kMaxFrameLength) return malformed("length is out of range");
    Reader reader(type_and_body.subspan(1));
    auto frame = decode_body(static_cast<Type>(type_and_body[0]), reader);
    if (frame && !reader.complete()) return malformed("wrong size for its type");
    return frame;
}

}  // namespace myst::pay
