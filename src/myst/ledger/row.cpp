#include "myst/ledger/row.hpp"

#include "myst/crypto/keccak.hpp"

namespace myst::ledger {
namespace {

using ports::HeldVoucher;
using ports::SessionRecord;

/// First byte of every row.
enum class Kind : std::uint8_t { held = 0, issued = 1, session = 2, payment = 3, progress = 4, sum = 5, position = 16 };
/// Set in the first byte where ticks follow the voucher.
constexpr std::uint8_t kWithTicks = 0x80;

constexpr std::size_t kChecksumSize = 8;
constexpr std::size_t kAmountSize = 12;
constexpr std::size_t kUsualSize = 384;

class Writer {
public:
    explicit Writer(Kind kind, bool with_ticks = false) {
        row_.reserve(kUsualSize);
        row_.push_back(static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (with_ticks ? kWithTicks : 0)));
    }
    void bytes(BytesView view) { row_.insert(row_.end(), view.begin(), view.end()); }
    void integer(Uint128 value, std::size_t size = sizeof(std::uint64_t)) {
        while (size-- > 0) row_.push_back(static_cast<std::uint8_t>(value >> (8 * size)));
    }
    void amount(Amount value) { integer(value.units(), kAmountSize); }
    void time(UnixTime value) { integer(to_unix_seconds(value)); }
    Bytes finish() {
        const auto sum = crypto::keccak256(row_);
        bytes(sum.view().first(kChecksumSize));
        return std::move(row_);
    }

private:
    Bytes row_;
};

/// Takes a row apart. After the checksum, lengths that do not fit are a row of another program: `good` says so.
class Reader {
public:
    explicit Reader(BytesView row) {
        if (row.size() <= kChecksumSize) return;
        const auto content = row.first(row.size() - kChecksumSize);
        const auto sum = crypto::keccak256(content);
        if (!std::equal(sum.bytes.begin(), sum.bytes.begin() + kChecksumSize, row.end() - kChecksumSize)) return;
        rest_ = content;
        good_ = true;
        const auto first = static_cast<std::uint8_t>(integer(1));
        kind_ = static_cast<Kind>(first & ~kWithTicks);
        with_ticks_ = (first & kWithTicks) != 0;
    }
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool with_ticks() const { return with_ticks_; }
    BytesView bytes(std::size_t size) {
        if (rest_.size() < size) {
            good_ = false;
            return {};
        }
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    template <class Fixed>
    void fixed(Fixed& target) {
        if (auto value = Fixed::from(bytes(Fixed::kSize))) target = *value;
    }
    Uint128 integer(std::size_t size) {
        Uint128 value = 0;
        for (auto byte : bytes(size)) value = (value << 8) | byte;
        return value;
    }
    std::uint64_t u64() { return static_cast<std::uint64_t>(integer(sizeof(std::uint64_t))); }
    Amount amount() { return Amount::from_wide(integer(kAmountSize)).value_or(Amount{}); }
    UnixTime time() { return UnixTime(seconds(static_cast<std::int64_t>(u64()))); }
    std::string rest() { return std::string(as_text(std::exchange(rest_, {}))); }
    /// Everything was there and nothing is left.
    [[nodiscard]] bool good() const { return good_ && rest_.empty(); }

private:
    BytesView rest_;
    bool good_ = false;
    Kind kind_{};
    bool with_ticks_ = false;
};

void write(Writer& row, const HeldVoucher& held) {
    const auto& [voucher, signature] = held.voucher;
    row.bytes(held.signer.view());
    row.bytes(voucher.provider.view());
    row.integer(voucher.epoch, sizeof voucher.epoch);
    row.amount(voucher.total);
    row.amount(voucher.cap);
    row.bytes(signature.r.view());
    row.bytes(signature.vs.view());
    row.bytes(held.session.view());
    if (!held.ticks) return;
    row.bytes(held.ticks->anchor.view());
    row.integer(held.ticks->tick_value);
    row.integer(held.ticks->max_ticks, sizeof held.ticks->max_ticks);
    row.integer(held.ticks->newest.index, sizeof held.ticks->newest.index);
    row.bytes(held.ticks->newest.word.view());
}

void write(Writer& row, const SessionRecord& session) {
    row.bytes(session.id.view());
    row.bytes(session.signer.view());
    row.bytes(session.provider.view());
    row.bytes(session.peer.view());
    row.time(session.started);
    row.time(session.ended);
    row.integer(session.bytes_up);
    row.integer(session.bytes_down);
    row.amount(session.cost);
    row.amount(session.paid);
    row.integer(session.vouchers);
    row.bytes(as_bytes(session.end_reason));
}

HeldVoucher read_voucher(Reader& row) {
    HeldVoucher held;
    auto& [voucher, signature] = held.voucher;
    row.fixed(held.signer);
    row.fixed(voucher.provider);
    voucher.epoch = static_cast<std::uint32_t>(row.integer(sizeof voucher.epoch));
    voucher.total = row.amount();
    voucher.cap = row.amount();
    row.fixed(signature.r);
    row.fixed(signature.vs);
    row.fixed(held.session);
    if (!row.with_ticks()) return held;
    auto& ticks = held.ticks.emplace();
    row.fixed(ticks.anchor);
    ticks.tick_value = row.u64();
    ticks.max_ticks = static_cast<std::uint16_t>(row.integer(sizeof ticks.max_ticks));
    ticks.newest.index = static_cast<std::uint16_t>(row.integer(sizeof ticks.newest.index));
    row.fixed(ticks.newest.word);
    return held;
}

SessionRecord read_session(Reader& row) {
    SessionRecord session;
    row.fixed(session.id);
    row.fixed(session.signer);
    row.fixed(session.provider);
    row.fixed(session.peer);
    session.started = row.time();
    session.ended = row.time();
    session.bytes_up = row.u64();
    session.bytes_down = row.u64();
    session.cost = row.amount();
    session.paid = row.amount();
    session.vouchers = row.u64();
    session.end_reason = row.rest();
    return session;
}

tl::unexpected<Error> damaged() {
    return fail(ErrorCode::invalid_data, "ledger: a row is damaged", "restore a backup");
}

}  // namespace

Bytes encode_voucher(Side side, const HeldVoucher& held) {
    Writer row(static_cast<Kind>(side), held.ticks.has_value());
    write(row, held);
    return row.finish();
}

Bytes encode_session(const SessionRecord& session) {
    Writer row(Kind::session);
    write(row, session);
    return row.finish();
}

Bytes encode_sum(const LaneSum& sum) {
    Writer row(Kind::sum);
    row.bytes(sum.signer.view());
    row.bytes(sum.provider.view());
    row.amount(sum.cost);
    row.amount(sum.paid);
    return row.finish();
}

Bytes encode_entry(const JournalEntry& entry) {
    Writer row(entry.held ? Kind::payment : Kind::progress, entry.held && entry.held->ticks);
    if (entry.held) write(row, *entry.held);
    write(row, entry.session);
    return row.finish();
}

Bytes encode_position(std::int64_t position) {
    Writer row(Kind::position);
    row.integer(static_cast<std::uint64_t>(position));
    return row.finish();
}

Result<HeldVoucher> decode_voucher(Side side, BytesView row) {
    Reader reader(row);
    const bool expected = reader.kind() == static_cast<Kind>(side);
    auto held = read_voucher(reader);
    if (!expected || !reader.good()) return damaged();
    return held;
}

Result<SessionRecord> decode_session(BytesView row) {
    Reader reader(row);
    const bool expected = reader.kind() == Kind::session && !reader.with_ticks();
    auto session = read_session(reader);
    if (!expected || !reader.good()) return damaged();
    return session;
}

Result<LaneSum> decode_sum(BytesView row) {
    Reader reader(row);
    const bool expected = reader.kind() == Kind::sum && !reader.with_ticks();
    LaneSum sum;
    reader.fixed(sum.signer);
    reader.fixed(sum.provider);
    sum.cost = reader.amount();
    sum.paid = reader.amount();
    if (!expected || !reader.good()) return damaged();
    return sum;
}

Result<JournalEntry> decode_entry(BytesView row) {
    Reader reader(row);
    const auto kind = reader.kind();
    JournalEntry entry;
    if (kind == Kind::payment) entry.held = read_voucher(reader);
    entry.session = read_session(reader);
    const bool expected = kind == Kind::payment || (kind == Kind::progress && !reader.with_ticks());
    if (!expected || !reader.good()) return damaged();
    return entry;
}

Result<std::int64_t> decode_position(BytesView row) {
    Reader reader(row);
    const bool expected = reader.kind() == Kind::position && !reader.with_ticks();
    const auto position = static_cast<std::int64_t>(reader.u64());
    if (!expected || !reader.good()) return damaged();
    return position;
}

}  // namespace myst::ledger
