#include "myst/db/negentropy.hpp"

#include <algorithm>

#include "myst/crypto/sha256.hpp"

namespace myst::db {
namespace {

constexpr std::uint8_t kVersion = 0x61;
constexpr std::uint64_t kSkip = 0;
constexpr std::uint64_t kFingerprint = 1;
constexpr std::uint64_t kIdList = 2;
constexpr std::uint64_t kInfinity = UINT64_MAX;
/// Room that is kept for the range that is being written when a message becomes full, and for the one that closes it.
/// The largest has 16 bounds of 43 bytes, modes and fingerprints.
constexpr std::size_t kTail = 1500;

/// A bound with the part of its id that is sent.
struct SentBound {
    SyncBound at;
    std::size_t prefix = 0;
};

/// The shortest bound between two neighbours.
SentBound between(const SyncItem& before, const SyncItem& after) {
    if (before.time != after.time) return {{after.time, {}}, 0};
    const auto& a = before.id.bytes;
    const auto& b = after.id.bytes;
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin()).second;
    const auto prefix = static_cast<std::size_t>(differ - b.begin()) + 1;
    SentBound bound{{after.time, {}}, prefix};
    std::copy_n(b.begin(), prefix, bound.at.id.bytes.begin());
    return bound;
}

/// Adds to a number of 256 bits, least significant byte first; what overflows is lost.
void add_little_endian(std::array<std::uint8_t, Hash32::kSize>& sum,
                       const std::array<std::uint8_t, Hash32::kSize>& value) {
    unsigned carry = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
        carry += static_cast<unsigned>(sum[i]) + value[i];
        sum[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
}

void append_number(Bytes& out, std::uint64_t value) {
    std::array<std::uint8_t, 10> digits{};
    std::size_t count = 0;
    do {
        digits[count++] = static_cast<std::uint8_t>(value & 0x7f);
        value >>= 7;
    } while (value != 0);
    while (count > 1) out.push_back(static_cast<std::uint8_t>(digits[--count] | 0x80));
    out.push_back(digits[0]);
}

/// Writes ranges one after the other.
class Writer {
public:
    explicit Writer(std::size_t frame) : full_(frame - kTail) {}

    void skip(const SentBound& end) { head(end, kSkip); }
    void fingerprint(const SentBound& end, const SyncSet::Fingerprint& print) {
        head(end, kFingerprint);
        out_.insert(out_.end(), print.begin(), print.end());
    }
    void list(const SentBound& end, const SyncSet& set, std::size_t first, std::size_t last) {
        head(end, kIdList);
        append_number(out_, last - first);
        for (; first < last; ++first) {
            const auto& id = set[first].id.bytes;
            out_.insert(out_.end(), id.begin(), id.end());
        }
    }
    [[nodiscard]] bool full() const { return out_.size() > full_; }
    /// How many ids still fit.
    [[nodiscard]] std::size_t room() const { return full() ? 0 : (full_ - out_.size()) / Hash32::kSize + 1; }
    [[nodiscard]] Bytes take() { return std::move(out_); }

private:
    void head(const SentBound& end, std::uint64_t mode) {
        append_number(out_, end.at.time == kInfinity ? 0 : end.at.time - last_time_ + 1);
        last_time_ = end.at.time;
        append_number(out_, end.prefix);
        const auto& id = end.at.id.bytes;
        out_.insert(out_.end(), id.begin(), id.begin() + static_cast<std::ptrdiff_t>(end.prefix));
        append_number(out_, mode);
    }
    Bytes out_{kVersion};
    std::uint64_t last_time_ = 0;
    std::size_t full_;
};

/// Reads ranges. Remembers its first error, and gives nothing more after it.
class Reader {
public:
    explicit Reader(BytesView bytes) : rest_(bytes) {}
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] const std::optional<SyncError>& error() const { return error_; }
    void note(SyncError error) {
        if (!error_) error_ = error;
        rest_ = {};
    }

    BytesView take(std::uint64_t count) {
        if (count > rest_.size()) {
            note(SyncError::truncated);
            return {};
        }
        const auto taken = rest_.first(static_cast<std::size_t>(count));
        rest_ = rest_.subspan(static_cast<std::size_t>(count));
        return taken;
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (;;) {
            const auto digit = take(1);
            if (digit.empty()) return 0;
            if (value > (UINT64_MAX >> 7)) {
                note(SyncError::number);
                return 0;
            }
            value = (value << 7) | (digit[0] & 0x7fU);
            if (digit[0] < 0x80) return value;
        }
    }
    SentBound bound() {
        const auto coded = number();
        SentBound bound;
        const auto offset = coded == 0 ? kInfinity : coded - 1;
        bound.at.time = offset > kInfinity - last_.time ? kInfinity : last_.time + offset;
        bound.prefix = static_cast<std::size_t>(std::min<std::uint64_t>(number(), Hash32::kSize + 1));
        if (bound.prefix > Hash32::kSize) note(SyncError::bound);
        const auto prefix = take(bound.prefix);
        std::copy(prefix.begin(), prefix.end(), bound.at.id.bytes.begin());
        if (!error_ && bound.at < last_) note(SyncError::bound);
        last_ = bound.at;
        return bound;
    }
    /// The ids of a list, sorted.
    std::vector<Hash32> ids() {
        const auto count = number();
        if (count > rest_.size() / Hash32::kSize) {
            note(SyncError::truncated);
            return {};
        }
        std::vector<Hash32> ids(static_cast<std::size_t>(count));
        for (auto& id : ids) {
            const auto bytes = take(Hash32::kSize);
            std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
        }
        std::sort(ids.begin(), ids.end());
        return ids;
    }

private:
    BytesView rest_;
    SyncBound last_;
    std::optional<SyncError> error_;
};

/// Describes a range of which the two sides hold different things.
void divide(Writer& writer, const SyncSet& set, std::size_t first, std::size_t last, const SentBound& end) {
    const std::size_t count = last - first;
    if (count < 2 * kSyncBuckets) return writer.list(end, set, first, last);
    for (std::size_t bucket = 0; bucket < kSyncBuckets; ++bucket) {
        const std::size_t size = count / kSyncBuckets + (bucket < count % kSyncBuckets ? 1 : 0);
        const std::size_t next = first + size;
        writer.fingerprint(next == last ? end : between(set[next - 1], set[next]), set.fingerprint(first, next));
        first = next;
    }
}

/// One message read, and the next one written.
class Exchange {
public:
    Exchange(const SyncSet& set, BytesView message, std::size_t frame, SyncStep* learnt)
        : set_(set), reader_(message), writer_(frame), learnt_(learnt) {}

    tl::expected<Bytes, SyncError> run() {
        const auto version = reader_.take(1);
        if (version.empty()) return tl::unexpected(SyncError::truncated);
        if (version[0] != kVersion) {
            const bool known = version[0] >= 0x60 && version[0] <= 0x6f;
            if (learnt_ != nullptr || !known) return tl::unexpected(SyncError::version);
            return writer_.take();
        }
        while (!reader_.at_end() && !ended_) range();
        if (reader_.error()) return tl::unexpected(*reader_.error());
        return writer_.take();
    }

private:
    void range() {
        const auto end = reader_.bound();
        const auto mode = reader_.number();
        if (reader_.error()) return;
        const std::size_t last = set_.find(first_, end.at);
        std::size_t done = last;
        if (mode == kSkip) {
            skipping_ = true;
        } else if (mode == kFingerprint) {
            const auto theirs = reader_.take(std::tuple_size_v<SyncSet::Fingerprint>);
            if (reader_.error()) return;
            const auto ours = set_.fingerprint(first_, last);
            if (std::equal(ours.begin(), ours.end(), theirs.begin())) {
                skipping_ = true;
            } else {
                flush_skip();
                divide(writer_, set_, first_, last, end);
            }
        } else if (mode == kIdList) {
            const auto theirs = reader_.ids();
            if (reader_.error()) return;
            if (learnt_ != nullptr) {
                learn(theirs, last);
            } else {
                flush_skip();
                done = answer_list(end, last);
            }
        } else {
            return reader_.note(SyncError::mode);
        }
        if (writer_.full()) {
            // All that this message does not speak of becomes one range, for the next round.
            const bool whole = done == last && end.at.time == kInfinity;
            if (!whole) writer_.fingerprint({{kInfinity, {}}, 0}, set_.fingerprint(done, set_.size()));
            ended_ = true;
        }
        first_ = last;
        before_ = end;
    }

    /// Sends the own ids of a range, as many as fit; returns the first that was left out.
    std::size_t answer_list(const SentBound& end, std::size_t last) {
        const std::size_t fits = std::min(last - first_, writer_.room());
        const std::size_t next = first_ + fits;
        const SentBound cut = next == last ? end : SentBound{set_[next], Hash32::kSize};
        writer_.list(cut, set_, first_, next);
        return next;
    }

    void learn(const std::vector<Hash32>& theirs, std::size_t last) {
        skipping_ = true;
        std::vector<Hash32> ours;
        ours.reserve(last - first_);
        for (std::size_t i = first_; i < last; ++i) ours.push_back(set_[i].id);
        std::sort(ours.begin(), ours.end());
        std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(learnt_->have));
        std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(), std::back_inserter(learnt_->need));
    }

    void flush_skip() {
        if (skipping_) writer_.skip(before_);
        skipping_ = false;
    }

    const SyncSet& set_;
    Reader reader_;
    Writer writer_;
    SyncStep* learnt_;
    std::size_t first_ = 0;
    SentBound before_;
    bool skipping_ = false;
    bool ended_ = false;
};

}  // namespace

std::string_view to_string(SyncError error) {
    switch (error) {
        case SyncError::truncated: return "truncated";
        case SyncError::number: return "number out of range";
        case SyncError::version: return "unknown protocol version";
        case SyncError::bound: return "bad bound";
        case SyncError::mode: return "unknown mode";
    }
    return "unknown";
}

SyncSet::SyncSet(std::vector<SyncItem> items) : items_(std::move(items)) {
    std::sort(items_.begin(), items_.end());
    items_.erase(std::unique(items_.begin(), items_.end()), items_.end());
}

std::size_t SyncSet::find(std::size_t from, const SyncBound& bound) const {
    const auto begin = items_.begin() + static_cast<std::ptrdiff_t>(from);
    return static_cast<std::size_t>(std::lower_bound(begin, items_.end(), bound) - items_.begin());
}

SyncSet::Fingerprint SyncSet::fingerprint(std::size_t first, std::size_t last) const {
    std::array<std::uint8_t, Hash32::kSize> sum{};
    for (std::size_t i = first; i < last; ++i) add_little_endian(sum, items_[i].id.bytes);
    Bytes count;
    append_number(count, last - first);
    const Hash32 hash = crypto::sha256({BytesView(sum), BytesView(count)});
    Fingerprint print{};
    std::copy_n(hash.bytes.begin(), print.size(), print.begin());
    return print;
}

Bytes sync_open(const SyncSet& set, std::size_t frame) {
    Writer writer(frame);
    divide(writer, set, 0, set.size(), {{kInfinity, {}}, 0});
    return writer.take();
}

tl::expected<Bytes, SyncError> sync_answer(const SyncSet& set, BytesView message, std::size_t frame) {
    return Exchange(set, message, frame, nullptr).run();
}

tl::expected<SyncStep, SyncError> sync_step(const SyncSet& set, BytesView answer, std::size_t frame) {
    SyncStep step;
    auto next = Exchange(set, answer, frame, &step).run();
    if (!next) return tl::unexpected(next.error());
    if (next->size() > 1) step.next = std::move(*next);
    return step;
}

}  // namespace myst::db
