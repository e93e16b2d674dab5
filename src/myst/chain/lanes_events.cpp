#include "myst/chain/lanes_events.hpp"

#include "myst/codec/abi.hpp"
#include "myst/codec/voucher.hpp"

namespace myst::chain {
namespace {

using codec::abi::Decoder;

constexpr std::size_t kMaxEntries = 65'536;
constexpr std::uint64_t kMaxTime = (std::uint64_t{1} << 40) - 1;

tl::unexpected<Error> bad(std::string_view why) {
    return fail(ErrorCode::invalid_data, "event of the lanes contract: " + std::string(why));
}

/// Reads the indexed and then the other fields of one log. After the first failure it hands out zeros; `finish`
/// reports the failure.
class Reader {
public:
    explicit Reader(const Log& log) : log_(log), data_(log.data) {}

    Address indexed_address() {
        if (topic_ >= log_.topics.size()) return fail_with<Address>("a topic is missing");
        return keep(codec::abi::address_from_word(log_.topics[topic_++]));
    }
    Amount amount() { return keep_word(data_.amount()); }
    Uint256 uint() { return keep_word(data_.uint()); }
    Hash32 word() { return keep_word(data_.word()); }
    UnixTime time() {
        const auto value = keep_word(data_.u64());
        if (value > kMaxTime) return fail_with<UnixTime>("a time has more than 40 bits");
        return UnixTime(seconds(static_cast<std::int64_t>(value)));
    }
    std::uint32_t epoch() {
        const auto value = keep_word(data_.u64());
        if (value > codec::kMaxEpoch) return fail_with<std::uint32_t>("an epoch has more than 24 bits");
        return static_cast<std::uint32_t>(value);
    }
    std::vector<Hash32> words() {
        auto list = keep_word(data_.word_array(kMaxEntries));
        tail_words_ = 1 + list.size();
        return list;
    }
    /// The event, if everything was read and nothing was left over.
    template <class Event>
    Result<LanesEvent> finish(Event event) {
        if (error_) return tl::unexpected<Error>(std::move(*error_).in("event of the lanes contract"));
        if (topic_ != log_.topics.size()) return bad("it has a topic too many");
        if (log_.data.size() != (head_words_ + tail_words_) * 32) return bad("its data has the wrong size");
        return LanesEvent(std::move(event));
    }

private:
    template <class T>
    T keep(Result<T> value) {
        if (value) return std::move(*value);
        if (!error_) error_ = std::move(value.error());
        return T{};
    }
    template <class T>
    T keep_word(Result<T> value) {
        ++head_words_;
        return keep(std::move(value));
    }
    template <class T>
    T fail_with(const char* why) {
        if (!error_) error_ = Error{ErrorCode::invalid_data, why};
        return T{};
    }

    const Log& log_;
    Decoder data_;
    std::size_t topic_ = 1;
    std::size_t head_words_ = 0;
    std::size_t tail_words_ = 0;
    std::optional<Error> error_;
};

/// A number of at most 64 bits made of bytes [from, to) of a word, big-endian.
std::uint64_t bits(const Hash32& word, std::size_t from, std::size_t to) {
    std::uint64_t value = 0;
    for (auto i = from; i < to; ++i) value = value << 8 | word.bytes[i];
    return value;
}

Amount amount_at(const Hash32& word, std::size_t from) {
    return *Amount::from_wide(static_cast<Uint128>(bits(word, from, from + 4)) << 64 | bits(word, from + 4, from + 12));
}

/// Two words: 0^0 | from_free (12 bytes) | signer (20); epoch (3) | release_at (5) | cap (12) | paid (12).
SettledItem item_of(const Hash32& head, const Hash32& lane) {
    SettledItem item;
    item.signer = *Address::from(head.view().subspan(12));
    item.from_free = amount_at(head, 0);
    item.lane.epoch = static_cast<std::uint32_t>(bits(lane, 0, 3));
    item.lane.release_at = UnixTime(seconds(static_cast<std::int64_t>(bits(lane, 3, 8))));
    item.lane.cap = amount_at(lane, 8);
    item.lane.paid = amount_at(lane, 20);
    return item;
}

Result<LanesEvent> settled(Reader& reader) {
    Settled event;
    event.provider = reader.indexed_address();
    event.amount = reader.uint();
    event.fee = reader.uint();
    const auto words = reader.words();
    if (words.size() % 2 != 0) return bad("a settlement has half an entry");
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) event.items.push_back(item_of(words[i], words[i + 1]));
    return reader.finish(std::move(event));
}

using Decode = Result<LanesEvent> (*)(Reader&);

/// Topic and decoder of an event. Braced initialisers are evaluated from left to right, which is the order of the
/// fields in the log.
struct Entry {
    Hash32 topic;
    Decode decode;
};

const std::vector<Entry>& entries() {
    using codec::abi::event_topic;
    using R = Reader;
    static const std::vector<Entry> kEntries = {
        {event_topic("Deposited(address,address,uint96,uint96)"),
         [](R& r) {
             return r.finish(Deposited{r.indexed_address(), r.indexed_address(), r.amount(), r.amount()});
         }},
        {event_topic("OwnerSet(address,address)"),
         [](R& r) {
             return r.finish(OwnerSet{r.indexed_address(), r.indexed_address()});
         }},
        {event_topic("Settled(address,uint256,uint256,uint256[])"), settled},
        {event_topic("ReleaseRequested(address,address,uint40)"),
         [](R& r) {
             return r.finish(ReleaseRequested{r.indexed_address(), r.indexed_address(), r.time()});
         }},
        {event_topic("Released(address,address,uint96,uint24)"),
         [](R& r) {
             return r.finish(Released{r.indexed_address(), r.indexed_address(), r.amount(), r.epoch()});
         }},
        {event_topic("ExitRequested(address,uint96,uint40)"),
         [](R& r) {
             return r.finish(ExitRequested{r.indexed_address(), r.amount(), r.time()});
         }},
        {event_topic("AccountExitingUsed(address,uint96)"),
         [](R& r) {
             return r.finish(AccountExitingUsed{r.indexed_address(), r.amount()});
         }},
        {event_topic("Withdrawn(address,address,uint96)"),
         [](R& r) {
             return r.finish(Withdrawn{r.indexed_address(), r.indexed_address(), r.amount()});
         }},
        {event_topic("Registered(address,bytes32,uint96)"),
         [](R& r) {
             return r.finish(Registered{r.indexed_address(), NodeKey{r.word().bytes}, r.amount()});
         }},
        {event_topic("UnregisterRequested(address,uint40)"),
         [](R& r) {
             return r.finish(UnregisterRequested{r.indexed_address(), r.time()});
         }},
        {event_topic("Unregistered(address,uint96)"),
         [](R& r) {
             return r.finish(Unregistered{r.indexed_address(), r.amount()});
         }},
    };
    return kEntries;
}

}  // namespace

Result<LanesEvent> decode_event(const Log& log) {
    if (log.topics.empty()) return bad("it has no topic");
    for (const auto& entry : entries()) {
        if (entry.topic != log.topics.front()) continue;
        Reader reader(log);
        return entry.decode(reader);
    }
    return bad("unknown topic " + log.topics.front().hex0x());
}

const std::vector<Hash32>& event_topics() {
    static const std::vector<Hash32> kTopics = [] {
        std::vector<Hash32> topics;
        for (const auto& entry : entries()) topics.push_back(entry.topic);
        return topics;
    }();
    return kTopics;
}

}  // namespace myst::chain
