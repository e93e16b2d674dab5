#include "myst/db/replication.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "myst/base/at_exit.hpp"
#include "myst/base/log.hpp"
#include "myst/db/negentropy.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxRounds = 64;
constexpr std::size_t kMaxLearnt = 20'000;
constexpr std::size_t kMaxRuns = 64;  ///< one after the other
/// More than one run learns: else what it refuses last would push out what it refused first, and all be fetched again.
constexpr std::size_t kMaxRefused = 65'536;
static_assert(kMaxRefused > 2 * kMaxLearnt);
/// A REQ with so many ids stays below the limits of relays, beside the subscriptions of the same connection.
constexpr std::size_t kIdsPerFilter = 64;
constexpr std::size_t kFiltersPerPage = 5;
constexpr std::size_t kOfferedBytes = 16 * 1024;  ///< of records, on their way to the peer at a time
/// Relays end longer answers early; what is missing in a shorter one does not exist.
constexpr std::size_t kSurelyWhole = 1024 * 1024;
/// How long what another peer has been asked for is waited for, before this one is asked as well.
constexpr milliseconds kPatience{1'000};
constexpr milliseconds kLook{50};

codec::Filter filter_of(const std::vector<std::uint32_t>& kinds) {
    codec::Filter filter;
    filter.kinds = kinds;
    return filter;
}

/// Own records, newest first: who reads a peer cares for those most, and what a peer does not take must not stand
/// before them for ever. Those that come after `last` stand before all others.
std::vector<Hash32> newest_first(const SyncSet& set, const std::vector<Hash32>& ids,
                                 const std::optional<SyncItem>& last) {
    const std::unordered_set<Hash32, FixedBytesHash> wanted(ids.begin(), ids.end());
    std::vector<Hash32> sorted;
    std::vector<Hash32> had_their_turn;
    sorted.reserve(wanted.size());
    for (std::size_t i = set.size(); i > 0; --i) {
        const auto& item = set[i - 1];
        if (!wanted.contains(item.id)) continue;
        (last && !(item < *last) ? had_their_turn : sorted).push_back(item.id);
    }
    sorted.insert(sorted.end(), had_their_turn.begin(), had_their_turn.end());
    return sorted;
}

}  // namespace

Replication::Replication(asio::any_io_executor executor, RecordHub& hub, WorkerPool& workers, RelayClient& peer,
                         AskedIds& asked, Settings settings)
    : executor_(executor),
      hub_(hub),
      workers_(workers),
      peer_(peer),
      asked_(asked),
      settings_(std::move(settings)),
      wake_(executor),
      refused_(kMaxRefused) {}

Task<> Replication::run() {
    for (;;) {
        const bool woken = co_await wake_.wait(settings_.interval);
        // What is new here may be on its way to the peer, or come from it, by itself.
        if (woken && !fresh_) co_await sleep_for(settings_.settle);
        if (peer_.connected()) co_await bring_together(std::exchange(fresh_, false));
    }
}

Task<> Replication::bring_together(bool fresh) {
    for (std::size_t runs = 0; runs < kMaxRuns; ++runs) {
        auto again = co_await run_once();
        if (again && *again) continue;
        if (again) co_return;
        log::debug("relay {}: reconciliation: {}", peer_.status().url, again.error().message);
        const bool lost = again.error().code == ErrorCode::unavailable;
        if (fresh && runs == 0 && !lost) co_await fall_back();
        co_return;
    }
}

Task<Result<bool>> Replication::run_once() {
    auto difference = co_await compare();
    if (!difference) co_return forward_error(difference);
    bool whole = difference->whole;
    const std::size_t common = difference->own - std::min(difference->own, difference->only_here);
    if (difference->have.size() > settings_.max_offered) {
        difference->have.resize(settings_.max_offered);
        whole = false;
    }
    auto& need = difference->need;
    std::sort(need.begin(), need.end());
    if (fetched_last_) {
        std::rotate(need.begin(), std::upper_bound(need.begin(), need.end(), *fetched_last_), need.end());
    }
    const auto taken = co_await fetch(std::move(need));
    const auto given = co_await offer(std::move(difference->have));
    const bool no_room = enough(taken) || enough(given);
    if (whole && !no_room) in_common_ = common + taken.sum() + given.sum();
    if (taken.fresh + given.fresh > 0) {
        log::info("relay {}: reconciled: {} records taken, {} given", peer_.status().url, taken.fresh, given.fresh);
    }
    if (taken.sum() > 0 && on_taken) on_taken();
    co_return !whole && !no_room && taken.sum() + given.sum() > 0;
}

Task<Result<Replication::Difference>> Replication::compare() {
    auto items = co_await hub_.items(filter_of(settings_.kinds), settings_.max_items + 1);
    if (!items) co_return forward_error(items);
    if (items->size() > settings_.max_items) {
        co_return fail(ErrorCode::limit_exceeded, "there are too many records here to compare them");
    }
    auto work = [items = std::move(*items)] {
        auto set = std::make_shared<const SyncSet>(items);
        auto first = sync_open(*set);
        return std::pair(std::move(set), std::move(first));
    };
    auto job = workers_.run(std::move(work));
    auto [set, first] = co_await std::move(job);
    auto name = peer_.sync_name();
    auto opening = peer_.sync_open(name, filter_of(settings_.kinds), std::move(first));
    auto answer = co_await std::move(opening);
    if (!answer) co_return forward_error(answer);
    auto conversation = converse(std::move(name), std::move(set), std::move(*answer));
    co_return co_await std::move(conversation);
}

Task<Replication::Difference> Replication::converse(std::string name, std::shared_ptr<const SyncSet> set,
                                                    Bytes answer) {
    const AtExit close([this, name] { peer_.sync_close(name); });
    Difference difference;
    difference.own = set->size();
    for (std::size_t round = 0; round < kMaxRounds; ++round) {
        auto work = [set, bytes = std::move(answer)] { return sync_step(*set, bytes); };
        auto job = workers_.run(std::move(work));
        auto step = co_await std::move(job);
        if (!step) {
            log::debug("relay {}: reconciliation: {}", peer_.status().url, to_string(step.error()));
            break;
        }
        difference.only_here += step->have.size();
        learn(difference, *step);
        difference.whole = !step->next;
        if (difference.whole || difference.have.size() + difference.need.size() >= kMaxLearnt) break;
        auto asking = peer_.sync_next(name, std::move(*step->next));
        auto next = co_await std::move(asking);
        if (!next) {
            log::debug("relay {}: reconciliation: {}", peer_.status().url, next.error().message);
            break;
        }
        answer = std::move(*next);
    }
    auto sorting = workers_.run(
        [set, have = std::move(difference.have), last = offered_last_] { return newest_first(*set, have, last); });
    difference.have = co_await std::move(sorting);
    co_return difference;
}

void Replication::learn(Difference& difference, const SyncStep& step) {
    const auto add = [this](std::vector<Hash32>& to, const std::vector<Hash32>& from, std::size_t most) {
        for (const auto& id : from) {
            if (to.size() < most && !refused_.contains(id)) to.push_back(id);
        }
    };
    // Own records are not more than are here, and the newest of them must be among these.
    add(difference.have, step.have, difference.own);
    add(difference.need, step.need, kMaxLearnt);
}

Task<Replication::Moved> Replication::fetch(std::vector<Hash32> need) {
    Moved moved;
    auto patience = kPatience;
    fetched_last_.reset();
    while (!need.empty() && peer_.connected()) {
        auto page = next_page(need, patience <= milliseconds(0), moved);
        if (!page.empty()) {
            const auto last = page.back();
            const auto taken = co_await fetch_page(std::move(page));
            moved.fresh += taken.fresh;
            moved.other += taken.other;
            moved.turned_away += taken.turned_away;
            if (!enough(moved)) continue;
            fetched_last_ = last;
            break;
        }
        if (!need.empty()) {
            patience -= kLook;
            co_await sleep_for(kLook);
        }
    }
    co_return moved;
}

std::vector<Hash32> Replication::next_page(std::vector<Hash32>& need, bool impatient, Moved& moved) const {
    constexpr std::size_t kPage = kIdsPerFilter * kFiltersPerPage;
    std::vector<Hash32> page;
    std::erase_if(need, [&](const Hash32& id) {
        const bool known = hub_.knows(id);
        if (known) ++moved.other;
        if (known || page.size() >= kPage || (asked_.contains(id) && !impatient)) return known;
        page.push_back(id);
        return true;
    });
    return page;
}

Task<Replication::Moved> Replication::fetch_page(std::vector<Hash32> ids) {
    std::vector<codec::Filter> filters;
    for (std::size_t next = 0; next < ids.size(); next += kIdsPerFilter) {
        auto& filter = filters.emplace_back();
        const auto first = ids.begin() + static_cast<std::ptrdiff_t>(next);
        filter.ids.assign(first, first + static_cast<std::ptrdiff_t>(std::min(kIdsPerFilter, ids.size() - next)));
    }
    asked_.add(ids);
    const AtExit answered([this, &ids] { asked_.remove(ids); });
    auto asking = peer_.query(std::move(filters), ids.size());
    auto found = co_await std::move(asking);
    if (!found) {
        log::debug("relay {}: fetching records: {}", peer_.status().url, found.error().message);
        co_return Moved{};
    }
    std::size_t bytes = 0;
    std::set<Hash32> missing(ids.begin(), ids.end());
    for (const auto& record : *found) {
        bytes += record->json().size();
        missing.erase(record->event().id);
    }
    if (bytes < kSurelyWhole) {
        for (const auto& id : missing) std::ignore = refused_.insert(id);
    }
    co_return co_await take(std::move(*found));
}

Task<Replication::Moved> Replication::take(std::vector<SharedRecord> records) {
    Moved moved;
    TaskGroup group(executor_);
    for (auto& record : records) group.spawn("a record of a peer", take_one(std::move(record), &moved));
    co_await group.join();
    co_return moved;
}

Task<> Replication::take_one(SharedRecord record, Moved* moved) {
    const Hash32 id = record->event().id;
    auto receipt = co_await hub_.submit(std::move(record));
    if (receipt.fresh) {
        ++moved->fresh;
    } else if (receipt.accepted) {
        ++moved->other;
    } else if (receipt.later) {
        ++moved->turned_away;
    } else {
        std::ignore = refused_.insert(id);
    }
}

Task<Replication::Moved> Replication::offer(std::vector<Hash32> have) {
    Offered offered;
    offered_last_.reset();
    while (peer_.connected() && !offered.failed) {
        offered.moved.other += std::erase_if(have, [this](const Hash32& id) { return peer_.has_shown(id); });
        if (have.empty()) break;
        auto page = co_await hub_.load(have, kOfferedBytes);
        if (!page) {
            log::error("{}", page.error().describe());
            break;
        }
        have.erase(have.begin(), have.begin() + static_cast<std::ptrdiff_t>(page->taken));
        co_await unwind_if_cancelled();
        TaskGroup group(executor_);
        SyncItem last;
        for (auto& text : page->texts) {
            auto record = Record::restore(std::move(text));
            if (!record) continue;
            const auto& event = (*record)->event();
            last = {to_unix_seconds(event.created_at), event.id};
            group.spawn("a record for a peer", offer_one(std::move(*record), &offered));
        }
        co_await group.join();
        if (!enough(offered.moved)) continue;
        offered_last_ = last;
        break;
    }
    co_return offered.moved;
}

Task<> Replication::offer_one(SharedRecord record, Offered* offered) {
    const Hash32 id = record->event().id;
    auto publishing = peer_.publish(std::move(record));
    auto published = co_await std::move(publishing);
    if (published) {
        ++offered->moved.fresh;
    } else if (published.error().code == ErrorCode::permission_denied) {
        std::ignore = refused_.insert(id);
    } else if (published.error().code == ErrorCode::limit_exceeded) {
        ++offered->moved.turned_away;
    } else {
        offered->failed = true;
    }
}

Task<> Replication::fall_back() {
    std::vector<codec::Filter> filters{filter_of(settings_.kinds)};
    auto asking = peer_.query(std::move(filters), settings_.max_fallback);
    auto found = co_await std::move(asking);
    if (found) std::ignore = co_await take(std::move(*found));
}

}  // namespace myst::db
