#include "myst/db/record_hub.hpp"

#include <map>
#include <set>

#include <fmt/format.h>

#include "myst/base/log.hpp"
#include "myst/db/author_rate.hpp"
#include "myst/db/seen_ids.hpp"

namespace myst::db {
namespace {

/// Ids remembered to recognise repetitions; more than ten minutes of a very busy network.
constexpr std::size_t kSeenCapacity = 64 * 1024;

struct Follower {
    RecordHub::Callback callback;
    bool active = true;
    std::uint64_t last_delivery = 0;  ///< each record once, however many filters match
};

/// One filter of a follower, in the index.
struct Watch {
    std::shared_ptr<const codec::FilterMatcher> matcher;
    std::shared_ptr<Follower> follower;
};
using WatchIndex = std::multimap<std::string, Watch, std::less<>>;

std::string recipient_key(std::string_view value) {
    return fmt::format("p{}", value);
}

std::string kind_key(std::uint32_t kind) {
    return fmt::format("k{}", kind);
}

constexpr std::string_view kAnyKey = "*";

/// Where a filter stands in the index: with its recipients if it names any, else with its kinds.
std::vector<std::string> keys_of(const codec::Filter& filter) {
    std::vector<std::string> keys;
    if (const auto recipients = filter.tags.find('p'); recipients != filter.tags.end()) {
        for (const auto& value : recipients->second) keys.push_back(recipient_key(value));
    } else if (!filter.kinds.empty()) {
        for (const auto kind : filter.kinds) keys.push_back(kind_key(kind));
    } else {
        keys.emplace_back(kAnyKey);
    }
    return keys;
}

/// The places of the index where filters that match an event may stand.
std::vector<std::string> keys_of(const codec::Event& event) {
    std::set<std::string> keys;
    for (const auto& tag : event.tags) {
        if (tag.size() >= 2 && tag[0] == "p") keys.insert(recipient_key(tag[1]));
    }
    if (codec::classify_kind(event.kind) != codec::KindClass::ephemeral) {
        keys.insert(kind_key(event.kind));
        keys.emplace(kAnyKey);
    }
    return {keys.begin(), keys.end()};
}

/// One revocation of a key is enough, but whoever else writes much with that key must not keep it out.
constexpr PublishRate kRevocationRate{4, milliseconds(3'600'000)};

Receipt accepted_silently(std::string message) {
    Receipt receipt;
    receipt.accepted = true;
    receipt.message = std::move(message);
    return receipt;
}

Receipt refused(std::string message) {
    Receipt receipt;
    receipt.message = std::move(message);
    return receipt;
}

Receipt refused_for_now(std::string message) {
    auto receipt = refused(std::move(message));
    receipt.later = true;
    return receipt;
}

/// What the store's verdict means for the author. None: it was stored.
std::optional<Receipt> answer_to(const Result<PutOutcome>& outcome) {
    if (!outcome && outcome.error().code == ErrorCode::limit_exceeded) {
        return refused_for_now("rate-limited: " + outcome.error().message);
    }
    if (!outcome) {
        log::error("{}", outcome.error().describe());
        return refused_for_now("error: this relay cannot store records now");
    }
    switch (*outcome) {
        case PutOutcome::duplicate: return accepted_silently("duplicate: this record is here already");
        case PutOutcome::older: return refused("duplicate: a newer version of this record is here already");
        case PutOutcome::deleted: return refused("blocked: the author has deleted this record");
        case PutOutcome::revoked: return refused("blocked: the author has revoked this key");
        case PutOutcome::expired: return refused("invalid: the record has expired");
        case PutOutcome::stored:
        case PutOutcome::ephemeral: break;
    }
    return std::nullopt;
}

}  // namespace

struct RecordHub::State {
    State(RecordStore& record_store, const Clock& time, AdmissionPolicy admission, ports::ProviderRegistry* registry)
        : store(record_store), clock(time), policy(std::move(admission)), authors(registry, time) {}
    /// How often the author of a record may publish such.
    [[nodiscard]] AuthorRate& rate_of(Standing author, std::uint32_t kind) {
        if (kind == kRevocationKind) return revocations;
        return author == Standing::registered ? registered_rate : stranger_rate;
    }
    /// What the author of a record may do here.
    [[nodiscard]] Task<Standing> standing(NodeKey author) {
        if (policy.min_pow_bits == 0) co_return Standing::registered;
        co_return co_await authors.of(author);
    }
    RecordStore& store;
    const Clock& clock;
    const AdmissionPolicy policy;
    AuthorStanding authors;
    AuthorRate registered_rate{policy.registered_rate};
    AuthorRate stranger_rate{policy.stranger_rate};
    AuthorRate revocations{kRevocationRate};
    SeenIds stored{kSeenCapacity};     ///< what the store took
    SeenIds passed_on{kSeenCapacity};  ///< of kinds that are not stored
    [[nodiscard]] SeenIds& seen(const codec::Event& event) {
        return codec::classify_kind(event.kind) == codec::KindClass::ephemeral ? passed_on : stored;
    }
    WatchIndex watches;
    std::size_t followers = 0;
    std::uint64_t deliveries = 0;
};

namespace {

/// Holds the hub's state weakly, so that a handle may outlive the hub.
template <class State>
class FollowHandle final : public ports::Subscription {
public:
    FollowHandle(std::weak_ptr<State> state, std::shared_ptr<Follower> follower,
                 std::vector<WatchIndex::iterator> watches)
        : state_(std::move(state)), follower_(std::move(follower)), watches_(std::move(watches)) {}
    ~FollowHandle() override {
        follower_->active = false;
        const auto state = state_.lock();
        if (!state) return;
        for (const auto watch : watches_) state->watches.erase(watch);
        --state->followers;
    }

private:
    std::weak_ptr<State> state_;
    std::shared_ptr<Follower> follower_;
    std::vector<WatchIndex::iterator> watches_;
};

}  // namespace

RecordHub::RecordHub(RecordStore& store, const Clock& clock, AdmissionPolicy policy, ports::ProviderRegistry* registry)
    : state_(std::make_shared<State>(store, clock, std::move(policy), registry)) {}
RecordHub::~RecordHub() = default;

const AdmissionPolicy& RecordHub::policy() const {
    return state_->policy;
}

AuthorStanding& RecordHub::authors() {
    return state_->authors;
}

std::size_t RecordHub::followers() const {
    return state_->followers;
}

bool RecordHub::knows(const Hash32& id) const {
    return state_->stored.contains(id) || state_->passed_on.contains(id);
}

Task<Receipt> RecordHub::submit(SharedRecord record) {
    const auto& event = record->event();
    if (const auto refusal = check_admission(event, state_->policy, state_->clock.unix_now())) {
        co_return refused(refusal->message());
    }
    if (state_->seen(event).contains(event.id)) co_return accepted_silently("duplicate: this record is here already");
    if (codec::classify_kind(event.kind) != codec::KindClass::ephemeral) {
        auto answer = co_await keep(record);
        if (answer) co_return std::move(*answer);
    }
    if (!state_->seen(event).insert(event.id)) co_return accepted_silently("duplicate: this record is here already");
    // Among what was seen may be records that have just been deleted.
    if (event.kind == codec::kDeletionKind || event.kind == kRevocationKind) state_->stored = SeenIds(kSeenCapacity);
    Receipt receipt;
    receipt.accepted = true;
    receipt.fresh = true;
    deliver(record, receipt);
    co_return receipt;
}

Task<std::optional<Receipt>> RecordHub::keep(SharedRecord record) {
    const auto& event = record->event();
    const auto standing = co_await state_->standing(event.pubkey);
    const auto no_work = standing == Standing::stranger ? check_work(event, state_->policy) : std::nullopt;
    if (no_work) co_return refused(no_work->message());
    auto& rate = state_->rate_of(standing, event.kind);
    if (!rate.take(event.pubkey, state_->clock.now())) {
        co_return refused_for_now("rate-limited: this author publishes too often; try again in some minutes");
    }
    const auto outcome = co_await state_->store.put(record, state_->clock.unix_now(), standing);
    if (!outcome || *outcome != PutOutcome::stored) rate.give_back(event.pubkey);
    co_return answer_to(outcome);
}

void RecordHub::deliver(const SharedRecord& record, Receipt& receipt) {
    const auto& event = record->event();
    const auto delivery = ++state_->deliveries;
    // A callback may add or remove followers, so they are gathered first.
    std::vector<std::shared_ptr<Follower>> interested;
    for (const auto& key : keys_of(event)) {
        const auto [first, last] = state_->watches.equal_range(key);
        for (auto each = first; each != last; ++each) {
            auto& [matcher, follower] = each->second;
            if (follower->last_delivery == delivery) continue;
            ++receipt.compared;
            if (!matcher->matches(event)) continue;
            follower->last_delivery = delivery;
            interested.push_back(follower);
        }
    }
    for (const auto& follower : interested) {
        if (!follower->active) continue;
        follower->callback(record);
        ++receipt.delivered;
    }
}

std::unique_ptr<ports::Subscription> RecordHub::follow(std::vector<codec::Filter> filters, Callback callback) {
    auto follower = std::make_shared<Follower>();
    follower->callback = std::move(callback);
    std::vector<WatchIndex::iterator> watches;
    for (auto& filter : filters) {
        const auto matcher = std::make_shared<const codec::FilterMatcher>(std::move(filter));
        for (auto& key : keys_of(matcher->filter())) {
            watches.push_back(state_->watches.emplace(std::move(key), Watch{matcher, follower}));
        }
    }
    ++state_->followers;
    return std::make_unique<FollowHandle<State>>(state_, std::move(follower), std::move(watches));
}

Task<Result<std::vector<SharedRecord>>> RecordHub::query(std::vector<codec::Filter> filters, QueryLimits limits) {
    co_return co_await state_->store.query(std::move(filters), limits, state_->clock.unix_now());
}

Task<Result<std::vector<Hash32>>> RecordHub::find(std::vector<codec::Filter> filters, std::size_t limit) {
    co_return co_await state_->store.find(std::move(filters), limit, state_->clock.unix_now());
}

Task<Result<std::vector<SyncItem>>> RecordHub::items(codec::Filter filter, std::size_t limit) {
    co_return co_await state_->store.items(std::move(filter), limit, state_->clock.unix_now());
}

Task<Result<RecordPage>> RecordHub::load(std::vector<Hash32> ids, std::size_t max_bytes) {
    co_return co_await state_->store.load(std::move(ids), max_bytes);
}

Task<Result<std::size_t>> RecordHub::purge() {
    co_return co_await state_->store.purge(state_->clock.unix_now());
}

}  // namespace myst::db
