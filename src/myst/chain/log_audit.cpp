#include "myst/chain/log_audit.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/log.hpp"
#include "myst/base/random_below.hpp"
#include "myst/chain/log_digest.hpp"

namespace myst::chain {

LogAudit::LogAudit(LogAuditSettings settings, Indexer& indexer, std::vector<Auditor> auditors, Rng& rng)
    : settings_(settings), indexer_(indexer), auditors_(std::move(auditors)), rng_(rng) {}

Task<> LogAudit::run() {
    if (auditors_.size() < 2) co_return;
    for (;;) {
        co_await sleep_for(settings_.pause);
        if (indexer_.status().state != ports::IndexState::following) continue;
        auto found = co_await next_of_cycle();
        if (found && judge(*found)) co_return;
        found = co_await newest();
        if (found && judge(*found)) co_return;
    }
}

Task<Result<std::vector<LogAudit::Finding>>> LogAudit::next_of_cycle() {
    if (plan_.empty()) plan();
    if (plan_.empty()) co_return std::vector<Finding>{};
    const auto item = plan_.back();
    plan_.pop_back();
    if (plan_.empty()) ++cycles_;
    co_return co_await compare(item);
}

Task<Result<std::vector<LogAudit::Finding>>> LogAudit::newest() {
    const auto head = indexer_.head();
    if (!head) co_return std::vector<Finding>{};
    const auto start = indexer_.settings().start_block;
    const auto first = head->number - std::min(head->number - start, settings_.range - 1);
    const Item item{first, head->number, turn_++ % auditors_.size()};
    co_return co_await compare(item);
}

/// All ranges with all endpoints, shuffled.
void LogAudit::plan() {
    const auto head = indexer_.head();
    if (!head) return;
    for (auto first = indexer_.settings().start_block; first <= head->number; first += settings_.range) {
        const auto last = std::min(head->number, first + settings_.range - 1);
        for (std::size_t auditor = 0; auditor < auditors_.size(); ++auditor) plan_.push_back({first, last, auditor});
    }
    for (auto left = plan_.size(); left > 1; --left) std::swap(plan_[left - 1], plan_[random_below(rng_, left)]);
}

Task<Result<std::vector<LogAudit::Finding>>> LogAudit::compare(Item item) {
    auto blocks = co_await differing(item);
    if (!blocks) co_return forward_error(blocks);
    std::vector<Finding> findings;
    for (const auto block : *blocks) {
        auto cleared = co_await is_cleared(block);
        if (!cleared) co_return forward_error(cleared);
        findings.push_back({block, item.auditor, *cleared});
    }
    ++compared_;
    co_return findings;
}

Task<Result<LogAudit::Blocks>> LogAudit::differing(Item item) {
    auto theirs = co_await auditors_[item.auditor].source.blocks(item.first, item.last);
    if (!theirs) co_return forward_error(theirs);
    auto read = [item](ChainStore& store) { return store.applied(item.first, item.last); };
    auto ours = co_await indexer_.query(std::move(read));
    if (!ours) co_return forward_error(ours);
    Blocks blocks;
    for (std::size_t i = 0; i < ours->size(); ++i) {
        const auto& block = (*theirs)[i];
        const auto& applied = (*ours)[i];
        if (applied.hash && *applied.hash != block.header.hash) co_return Blocks{};
        if (applied.digest != digest_of(block.logs)) blocks.push_back(block.header.number);
    }
    co_return blocks;
}

/// Asks all about one block. unavailable while those that do not answer could clear it.
Task<Result<bool>> LogAudit::is_cleared(std::uint64_t block) {
    if (settings_.quorum < 2) co_return false;
    std::size_t same = 0;
    std::size_t silent = 0;
    for (std::size_t auditor = 0; auditor < auditors_.size(); ++auditor) {
        const Item item{block, block, auditor};
        auto blocks = co_await differing(item);
        if (!blocks) ++silent;
        if (blocks && blocks->empty()) ++same;
    }
    if (same < settings_.quorum && same + silent >= settings_.quorum) {
        co_return fail(ErrorCode::unavailable, fmt::format("too few endpoints tell of the logs of block {}", block));
    }
    co_return same >= settings_.quorum;
}

bool LogAudit::judge(const std::vector<Finding>& findings) {
    for (const auto& each : findings) {
        const auto& auditor = auditors_[each.auditor];
        if (each.cleared) {
            auditor.blame(fmt::format("the logs of block {}", each.block));
            continue;
        }
        indexer_.raise_alarm({ErrorCode::failed_precondition,
                              fmt::format("the logs of block {} that were applied are not those of endpoint {}",
                                          each.block, auditor.name),
                              "compare the endpoints with one you trust; remove the wrong one from chain.endpoints, or "
                              "delete chain.db if the others were wrong"});
        return true;
    }
    return false;
}

}  // namespace myst::chain
