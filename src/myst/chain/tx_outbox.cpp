#include "myst/chain/tx_outbox.hpp"

#include <algorithm>

#include "myst/base/backoff.hpp"
#include "myst/base/failpoint.hpp"
#include "myst/base/log.hpp"

namespace myst::chain {
namespace {

constexpr std::size_t kMaxKey = 200;
constexpr std::size_t kMaxPurpose = 200;
constexpr std::size_t kMaxData = 128 * 1024;

Result<> check_intent(const ports::TxIntent& intent) {
    if (intent.key.empty() || intent.key.size() > kMaxKey) {
        return fail(ErrorCode::invalid_argument, "a transaction's key must have 1 to 200 characters");
    }
    if (intent.purpose.size() > kMaxPurpose || intent.data.size() > kMaxData) {
        return fail(ErrorCode::invalid_argument, "intent " + intent.key + ": purpose or data is too long");
    }
    return {};
}

}  // namespace

TxOutbox::TxOutbox(OutboxSettings settings, crypto::PrivateKey key, RpcCaller& client, WorkerPool& pool,
                   asio::any_io_executor executor, const Clock& clock)
    : settings_(std::move(settings)),
      key_(std::move(key)),
      rpc_(client, key_.address()),
      clock_(clock),
      file_(settings_.path, settings_.chain_id, key_.address(), pool),
      fees_({settings_.fees, settings_.fee_sample}, key_.address(), rpc_, file_, clock),
      work_(executor),
      changed_(executor) {
    changed_.expires_at(asio::steady_timer::time_point::max());
}

Task<Result<ports::TxOutcome>> TxOutbox::submit(ports::TxIntent intent) {
    if (auto valid = check_intent(intent); !valid) co_return forward_error(valid);
    auto opened = co_await open();
    if (!opened) co_return forward_error(opened);
    if (status_.halted) co_return tl::unexpected<Error>(*status_.problem);
    auto add = [intent, limit = settings_.max_open](OutboxStore& store) { return store.add(intent, limit); };
    auto seen = changes_;
    auto entry = co_await on_store(std::move(add));
    if (!entry) co_return forward_error(entry);
    failpoint("outbox: intent stored");
    work_.notify();
    for (;;) {
        if (entry->state == TxState::mined) co_return entry->outcome;
        if (entry->state == TxState::closed) co_return tl::unexpected<Error>(*entry->refusal);
        if (status_.halted) {
            auto reason = co_await give_up(std::move(*entry));
            co_return tl::unexpected<Error>(std::move(reason));
        }
        // A change during the read above would not be announced again.
        if (seen == changes_) std::ignore = co_await changed_.async_wait(no_throw);
        co_await unwind_if_cancelled();
        seen = changes_;
        auto find = [key = intent.key](OutboxStore& store) { return store.find(key); };
        entry = co_await on_store(std::move(find));
        if (!entry) co_return forward_error(entry);
    }
}

/// After a halt: the caller is told that its wish failed, so what is not signed must not be sent by a later run.
Task<Error> TxOutbox::give_up(OutboxEntry entry) {
    const Error reason = *status_.problem;
    auto write = [id = entry.id, reason](OutboxStore& store) { return store.set_given_up(id, reason); };
    auto closed = co_await on_store(std::move(write));
    if (!closed && closed.error().code != ErrorCode::failed_precondition) log::error("{}", closed.error().describe());
    co_return reason;
}

Task<Result<std::optional<ports::TxIntent>>> TxOutbox::open_intent(ports::TxKind kind) {
    auto opened = co_await open();
    if (!opened) co_return forward_error(opened);
    auto find = [kind](OutboxStore& store) { return store.find_open(std::string(to_string(kind))); };
    auto entry = co_await on_store(std::move(find));
    if (!entry) co_return forward_error(entry);
    if (!*entry) co_return std::nullopt;
    co_return std::move((*entry)->intent);
}

Task<Result<>> TxOutbox::run() {
    status_ = {};
    tracking_.clear();
    watched_head_ = ~std::uint64_t{0};
    bool started = false;
    while (!status_.halted) {
        Result<> done;
        if (started) {
            done = co_await round();
        } else {
            done = co_await start();
        }
        if (status_.halted) break;
        if (!done) {
            ++failures_;
            note(std::move(done.error()));
        } else {
            failures_ = 0;
            status_.problem.reset();
            if (std::exchange(started, true) == false) continue;
        }
        co_await fees_.sample();
        const auto longest = std::max(settings_.backoff_limit, settings_.poll);
        std::ignore = co_await work_.wait(doubled(settings_.poll, failures_, longest));
    }
    co_return tl::unexpected<Error>(*status_.problem);
}

/// File and chain must be the ones configured before anything is signed or sent.
Task<Result<>> TxOutbox::start() {
    auto opened = co_await open();
    if (!opened) {
        halt(std::move(opened.error()));
        co_return Result<>{};
    }
    auto id = co_await rpc_.chain_id();
    if (!id) co_return forward_error(id);
    if (*id != settings_.chain_id) {
        halt({ErrorCode::failed_precondition,
              fmt::format("the endpoint serves chain {}, configured is {}", *id, settings_.chain_id),
              "correct the endpoint's URL or the chain id"});
    }
    co_return Result<>{};
}

/// One look at every unfinished intent. A failure with one of them ends the round; the order is by age, so that
/// nonces are sent in order.
Task<Result<>> TxOutbox::round() {
    auto entries = co_await on_store([](OutboxStore& store) { return store.unfinished(); });
    if (!entries) {
        halt(std::move(entries.error()));
        co_return Result<>{};
    }
    status_.unfinished = static_cast<std::size_t>(std::count_if(
        entries->begin(), entries->end(), [](const OutboxEntry& each) { return each.state < TxState::mined; }));
    if (entries->empty()) co_return Result<>{};
    auto head = co_await rpc_.block_number();
    if (!head) co_return forward_error(head);
    for (auto& entry : *entries) {
        Result<> done;
        switch (entry.state) {
            case TxState::stored: done = co_await prepare(std::move(entry)); break;
            case TxState::is_signed: done = co_await follow(std::move(entry), *head); break;
            case TxState::mined:
                if (*head != watched_head_) done = co_await watch_mined(std::move(entry), *head);
                break;
            case TxState::closed: break;
        }
        if (!done) co_return done;
        if (status_.halted) co_return Result<>{};
    }
    watched_head_ = *head;
    co_return Result<>{};
}

/// A signed transaction: mined, waiting, or to be sent (again).
Task<Result<>> TxOutbox::follow(OutboxEntry entry, std::uint64_t head) {
    auto found = co_await find_outcome(entry.versions);
    if (!found) co_return forward_error(found);
    if (!*found) co_return co_await push(std::move(entry));
    const auto& outcome = **found;
    if (head + 1 < outcome.block.number + settings_.confirmations) co_return Result<>{};
    failpoint("outbox: seen in a block");
    const bool settled = head >= outcome.block.number + settings_.settled_depth;
    auto write = [id = entry.id, outcome, settled](OutboxStore& store) {
        return store.set_mined(id, outcome, settled);
    };
    auto stored = co_await on_store(std::move(write));
    if (!stored) {
        halt(std::move(stored.error()));
        co_return Result<>{};
    }
    failpoint("outbox: outcome stored");
    tracking_.erase(entry.id);
    log::info("transaction mined in block {}: {} ({})", outcome.block.number, entry.name(),
              outcome.succeeded ? "succeeded" : "reverted");
    wake_submitters();
    co_return Result<>{};
}

/// The block of the one version that was mined, if one was; the newest is the likeliest.
Task<Result<std::optional<ports::TxOutcome>>> TxOutbox::find_outcome(std::vector<codec::SignedTransaction> versions) {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
        auto receipt = co_await rpc_.receipt(version->hash);
        if (!receipt) co_return forward_error(receipt);
        if (!*receipt) continue;
        const auto& mined = **receipt;
        co_return ports::TxOutcome{version->hash, mined.block, mined.succeeded, mined.gas_used};
    }
    co_return std::nullopt;
}

Task<Result<>> TxOutbox::refuse(OutboxEntry entry, Error why) {
    log::warn("transaction not sent: {}", why.describe());
    estimates_.erase(entry.id);
    tracking_.erase(entry.id);
    auto write = [id = entry.id, why = std::move(why)](OutboxStore& store) { return store.set_closed(id, why); };
    auto stored = co_await on_store(std::move(write));
    if (!stored && stored.error().code != ErrorCode::failed_precondition) halt(std::move(stored.error()));
    wake_submitters();
    co_return Result<>{};
}

/// A mined transaction whose block may still be replaced.
Task<Result<>> TxOutbox::watch_mined(OutboxEntry entry, std::uint64_t head) {
    auto found = co_await find_outcome(entry.versions);
    if (!found) co_return forward_error(found);
    Result<> stored;
    if (!*found) {
        // An endpoint that is behind does not know the block yet; one that has a block there has lost ours.
        if (head < entry.outcome.block.number) co_return Result<>{};
        log::warn("a reorganisation dropped a transaction, sending it again: {}", entry.name());
        auto write = [id = entry.id](OutboxStore& store) { return store.set_unmined(id); };
        stored = co_await on_store(std::move(write));
        failpoint("outbox: outcome taken back");
        if (stored) co_return co_await send(std::move(entry));
    } else {
        const auto outcome = **found;
        const bool settled = head >= outcome.block.number + settings_.settled_depth;
        if (!settled && outcome.block.hash == entry.outcome.block.hash) co_return Result<>{};
        auto write = [id = entry.id, outcome, settled](OutboxStore& store) {
            return store.set_mined(id, outcome, settled);
        };
        stored = co_await on_store(std::move(write));
        failpoint("outbox: outcome stored again");
    }
    if (!stored) halt(std::move(stored.error()));
    co_return Result<>{};
}

void TxOutbox::wake_submitters() {
    ++changes_;
    changed_.cancel();
}

void TxOutbox::halt(Error error) {
    log::error("transactions have halted: {}", error.describe());
    status_.halted = true;
    status_.problem = std::move(error);
    wake_submitters();
}

void TxOutbox::note(Error problem) {
    const bool known = status_.problem && status_.problem->code == problem.code;
    if (!known) log::warn("transactions wait: {}", problem.describe());
    status_.problem = std::move(problem);
}

}  // namespace myst::chain
