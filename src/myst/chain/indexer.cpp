#include "myst/chain/indexer.hpp"

#include <algorithm>

#include "myst/base/backoff.hpp"
#include "myst/base/log.hpp"

namespace myst::chain {
namespace {

using ports::IndexState;

constexpr std::uint64_t kGrowAfter = 32;  ///< ranges, until a larger one is tried again

}  // namespace

Indexer::Indexer(IndexerSettings settings, BlockSource& source, WorkerPool& pool)
    : settings_(std::move(settings)),
      source_(source),
      pool_(pool),
      batch_(std::max<std::uint64_t>(settings_.batch, 1)) {}

Task<Result<>> Indexer::open() {
    if (store_) co_return Result<>{};
    auto work = [path = settings_.path, depth = settings_.reorg_limit] { return ChainStore::open(path, depth); };
    auto opened = co_await pool_.run(std::move(work));
    if (!opened) co_return forward_error(opened);
    store_ = std::move(*opened);
    auto head = co_await query([](ChainStore& store) { return store.head(); });
    if (!head) co_return forward_error(head);
    status_.head = *head;
    co_return Result<>{};
}

Task<Result<>> Indexer::run() {
    auto opened = co_await open();
    if (!opened) halt(std::move(opened.error()));
    while (status_.state != IndexState::halted) {
        auto step = co_await advance();
        if (alarm_) {
            halt(*alarm_);  // whatever the step has just found
            break;
        }
        if (!step) {
            note_failure(std::move(step.error()));
        } else {
            failures_ = 0;
            if (*step == Step::halt || *step == Step::progressed) continue;
        }
        const auto longest = std::max(settings_.backoff_limit, settings_.poll);
        co_await sleep_for(doubled(settings_.poll, failures_, longest));
    }
    co_return tl::unexpected<Error>(*status_.problem);
}

Task<Result<Indexer::Step>> Indexer::advance() {
    const auto now = std::chrono::steady_clock::now();
    if (!identity_checked_ || now - *identity_checked_ >= settings_.identity_check) {
        auto same = co_await check_identity();
        if (!same) co_return forward_error(same);
        if (status_.state == IndexState::halted) co_return Step::halt;
    }
    auto endpoint_head = co_await source_.head_number();
    if (!endpoint_head) co_return forward_error(endpoint_head);
    status_.endpoint_head = *endpoint_head;
    const bool longer = status_.head ? *endpoint_head > status_.head->number : *endpoint_head >= settings_.start_block;
    if (longer) co_return co_await extend(*endpoint_head);
    if (status_.head) co_return co_await compare(*endpoint_head);
    status_.state = IndexState::following;
    status_.problem.reset();
    co_return Step::idle;
}

/// Chain id and genesis as configured and as remembered. A difference halts; a failure to ask is an error.
Task<Result<>> Indexer::check_identity() {
    auto id = co_await source_.chain_id();
    if (!id) co_return forward_error(id);
    if (*id != settings_.identity.chain_id) {
        halt({ErrorCode::failed_precondition,
              fmt::format("the endpoint serves chain {}, configured is {}", *id, settings_.identity.chain_id),
              "correct the endpoint's URL or the chain id"});
        co_return Result<>{};
    }
    auto genesis = co_await source_.header(0);
    if (!genesis) co_return forward_error(genesis, "genesis block");
    const StoreIdentity identity{settings_.identity, genesis->hash, settings_.start_block};
    auto claim = [identity](ChainStore& store) { return store.claim(identity); };
    auto claimed = co_await query(std::move(claim));
    if (!claimed) {
        halt(std::move(claimed.error()));
        co_return Result<>{};
    }
    identity_checked_ = std::chrono::steady_clock::now();
    co_return Result<>{};
}

/// The endpoint knows blocks above ours.
Task<Result<Indexer::Step>> Indexer::extend(std::uint64_t endpoint_head) {
    shorter_ = 0;
    const auto first = status_.head ? status_.head->number + 1 : settings_.start_block;
    auto blocks = co_await fetch(first, endpoint_head);
    if (!blocks) co_return forward_error(blocks);
    if (status_.head && blocks->front().header.parent != status_.head->hash) {
        co_return co_await reorganise(endpoint_head);
    }
    co_return co_await replace(first, std::move(*blocks));
}

/// The endpoint's head is not above ours: the same block, a replaced one, or an endpoint that is behind.
Task<Result<Indexer::Step>> Indexer::compare(std::uint64_t endpoint_head) {
    const auto ours = *status_.head;
    auto read = [endpoint_head](ChainStore& store) { return store.hash_at(endpoint_head); };
    auto kept = co_await query(std::move(read));
    if (!kept) co_return halt(std::move(kept.error()));
    if (!*kept) {
        co_return fail(ErrorCode::unavailable,
                       fmt::format("the endpoint is at block {}, far behind block {}", endpoint_head, ours.number),
                       "wait until the endpoint has caught up, or use another one");
    }
    auto theirs = co_await source_.header(endpoint_head);
    if (!theirs) co_return forward_error(theirs);
    if (theirs->hash != **kept) co_return co_await reorganise(endpoint_head);
    status_.state = IndexState::following;
    status_.caught_up = true;
    status_.problem.reset();
    if (endpoint_head == ours.number) {
        shorter_ = 0;
        co_return Step::idle;
    }
    // Most likely an endpoint behind a load balancer that lags; nothing it says contradicts the tables.
    if (++shorter_ < settings_.believe_shorter_after) co_return Step::idle;
    shorter_ = 0;
    ++status_.reorganisations;
    log::info("chain: the chain got shorter, from block {} to {}", ours.number, endpoint_head);
    co_return co_await replace(endpoint_head + 1, {});
}

Task<Result<Indexer::Step>> Indexer::reorganise(std::uint64_t endpoint_head) {
    // Another chain looks like a deep reorganisation, but deserves its own message.
    auto same = co_await check_identity();
    if (!same) co_return forward_error(same);
    if (status_.state == IndexState::halted) co_return Step::halt;
    const auto ours = *status_.head;
    auto first = co_await first_differing(std::min(ours.number, endpoint_head));
    if (!first) co_return forward_error(first);
    if (!*first) {
        co_return halt({ErrorCode::failed_precondition,
                        fmt::format("the chain was reorganised deeper than {} blocks below the highest one, now {}",
                                    settings_.reorg_limit, ours.number),
                        "check the endpoint against another one; if it is right, delete chain.db"});
    }
    auto blocks = co_await fetch(**first, endpoint_head);
    if (!blocks) co_return forward_error(blocks);
    ++status_.reorganisations;
    log::info("chain: reorganisation from block {} on, the head was {}", **first, ours.number);
    co_return co_await replace(**first, std::move(*blocks));
}

/// Lowest block at which the endpoint's chain differs from ours, looking down from `highest`, where it may or may not
/// differ. None if it is too low to be undone.
Task<Result<std::optional<std::uint64_t>>> Indexer::first_differing(std::uint64_t highest) {
    auto floor = co_await query([](ChainStore& store) { return store.undo_floor(); });
    if (!floor) co_return forward_error(floor);
    const auto lowest = std::max(*floor, settings_.start_block);
    for (auto first = highest + 1; first >= lowest; --first) {
        if (first == settings_.start_block) co_return first;  // nothing is indexed below
        auto read = [below = first - 1](ChainStore& store) { return store.hash_at(below); };
        auto kept = co_await query(std::move(read));
        if (!kept) co_return forward_error(kept);
        auto theirs = co_await source_.header(first - 1);
        if (!theirs) co_return forward_error(theirs);
        if (*kept && theirs->hash == **kept) co_return first;
    }
    co_return std::nullopt;
}

Task<Result<std::vector<Block>>> Indexer::fetch(std::uint64_t first, std::uint64_t endpoint_head) {
    for (;;) {
        const auto last = std::min(endpoint_head, first + batch_ - 1);
        if (endpoint_head - first > 2) status_.state = IndexState::catching_up;
        auto blocks = co_await source_.blocks(first, last);
        const bool too_much = !blocks && blocks.error().code == ErrorCode::limit_exceeded && batch_ > 1;
        if (!too_much) {
            // What was too much may have been a busy moment.
            if (blocks && ++granted_ % kGrowAfter == 0)
                batch_ = std::min(batch_ * 2, std::max<std::uint64_t>(settings_.batch, 1));
            co_return blocks;
        }
        batch_ /= 2;
        log::info("chain: the endpoint wants smaller ranges; asking for {} blocks at once", batch_);
    }
}

Task<Result<Indexer::Step>> Indexer::replace(std::uint64_t first, std::vector<Block> blocks) {
    auto write = [first, blocks = std::move(blocks)](ChainStore& store) { return store.replace_from(first, blocks); };
    auto head = co_await query(std::move(write));
    if (head) {
        contradictions_ = 0;
        note_progress(*head);
        co_return Step::progressed;
    }
    // The transaction is rolled back. A lying or confused endpoint may do better next time; a full disk will not.
    const bool endpoint_fault = head.error().code == ErrorCode::invalid_data;
    if (endpoint_fault && ++contradictions_ < settings_.contradictions) co_return forward_error(head);
    co_return halt(std::move(head.error()));
}

Indexer::Step Indexer::halt(Error error) {
    log::error("chain: the index has halted: {}", error.describe());
    status_.state = IndexState::halted;
    status_.problem = std::move(error);
    return Step::halt;
}

void Indexer::raise_alarm(Error reason) {
    alarm_ = reason;
    halt(std::move(reason));
}

void Indexer::note_failure(Error error) {
    if (failures_++ == 0) log::warn("chain: {}", error.describe());
    status_.state = IndexState::unreachable;
    status_.problem = std::move(error);
}

void Indexer::note_progress(std::optional<ports::BlockRef> head) {
    status_.head = head;
    status_.problem.reset();
    const bool behind = !head || head->number < status_.endpoint_head;
    status_.state = behind ? IndexState::catching_up : IndexState::following;
    status_.caught_up = status_.caught_up || !behind;
}

Task<Result<Hash32>> Indexer::dump_hash() {
    co_return co_await query([](ChainStore& store) { return store.dump_hash(); });
}

}  // namespace myst::chain
