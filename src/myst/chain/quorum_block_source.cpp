#include "myst/chain/quorum_block_source.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/log_digest.hpp"

namespace myst::chain {
namespace {

using Extract = RpcBlockSource::Extract;

/// A range as two endpoints are compared by: its last block and its logs.
struct Print {
    Hash32 last;
    UnixTime time{};
    Hash32 logs;
    bool operator==(const Print&) const = default;
};

Print print_of(const Extract& extract) {
    return {extract.last.hash, extract.last.time, digest_of(extract.logs)};
}

Print print_of(const std::vector<Block>& blocks) {
    std::vector<Log> logs;
    for (const auto& block : blocks) logs.insert(logs.end(), block.logs.begin(), block.logs.end());
    return {blocks.back().header.hash, blocks.back().header.time, digest_of(logs)};
}

std::string range_name(const std::vector<Block>& blocks) {
    return fmt::format("blocks {} to {}", blocks.front().header.number, blocks.back().header.number);
}

}  // namespace

QuorumBlockSource::QuorumBlockSource(EndpointPool& pool, const Address& contract, WorkerPool* workers) : pool_(pool) {
    for (std::size_t i = 0; i < pool_.size(); ++i) {
        singles_.push_back(std::make_unique<RpcBlockSource>(pool_.member(i), contract, workers));
    }
}

Task<Result<std::uint64_t>> QuorumBlockSource::chain_id() {
    auto reply = co_await pool_.call("eth_chainId");
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<BlockHeader>> QuorumBlockSource::header(std::uint64_t number) {
    boost::json::array params{quantity(number), false};
    auto reply = co_await pool_.call("eth_getBlockByNumber", std::move(params));
    if (!reply) co_return forward_error(reply);
    auto header = as_header(*reply);
    if (!header) co_return forward_error(header, "eth_getBlockByNumber");
    if (header->number != number) co_return fail(ErrorCode::invalid_data, "a header has another number than asked for");
    co_return header;
}

Task<Result<std::vector<Block>>> QuorumBlockSource::blocks(std::uint64_t first, std::uint64_t last) {
    auto order = co_await pool_.usable();
    if (!order) co_return forward_error(order);
    Error why{ErrorCode::unavailable, "no endpoint gave the blocks"};
    std::optional<Error> limited;
    for (const auto origin : *order) {
        auto blocks = co_await singles_[origin]->blocks(first, last);
        if (!blocks) {
            if (blocks.error().code == ErrorCode::limit_exceeded && last > first) {
                limited = std::move(blocks).error();  // half of the range may be had from it
                continue;
            }
            auto& endpoint = pool_.member(origin);
            if (endpoint.health().failures_in_a_row == 0) endpoint.note_failure(blocks.error());
            why = std::move(blocks).error().in(endpoint.name());
            continue;
        }
        auto others = *order;
        std::erase(others, origin);
        auto confirmed = co_await confirm(origin, *blocks, std::move(others));
        if (confirmed) co_return blocks;
        why = std::move(confirmed).error();
    }
    if (limited) co_return tl::unexpected<Error>(std::move(*limited));
    co_return tl::unexpected<Error>(std::move(why));
}

/// Whether enough others have the same. Those that differ are blamed only then: otherwise the origin may be wrong.
Task<Result<>> QuorumBlockSource::confirm(std::size_t origin, const std::vector<Block>& blocks,
                                          std::vector<std::size_t> others) {
    const auto needed = pool_.settings().quorum - 1;
    if (needed == 0) co_return Result<>{};
    const auto print = print_of(blocks);
    const auto agrees = [print](const Answer<Result<Extract>>& each) {
        return each.value && print_of(*each.value) == print;
    };
    Inquiry<Result<Extract>> inquiry;
    inquiry.order = std::move(others);
    inquiry.ask = [this, first = blocks.front().header.number, last = blocks.back().header.number](std::size_t i) {
        return singles_[i]->extract(first, last);
    };
    inquiry.wanted = [agrees, needed](const std::vector<Answer<Result<Extract>>>& answers) {
        const auto same = static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), agrees));
        return needed - std::min(needed, same);
    };
    inquiry.patience = pool_.settings().patience;
    const auto answers = co_await gather(std::move(inquiry));
    std::size_t same = 0;
    std::vector<std::size_t> different;
    std::string reasons;
    for (const auto& each : answers) {
        const auto& name = pool_.member(each.endpoint).name();
        if (agrees(each)) {
            ++same;
        } else if (each.value) {
            different.push_back(each.endpoint);
            reasons += fmt::format("; {} has other ones", name);
        } else {
            reasons += fmt::format("; {}: {}", name, each.value.error().message);
        }
    }
    const auto about = range_name(blocks);
    if (same < needed) {
        co_return fail(
            ErrorCode::unavailable,
            fmt::format("too few Ethereum endpoints have the {} of {}{}", about, pool_.member(origin).name(), reasons),
            "compare the endpoints with one you trust; with more in chain.endpoints the majority decides");
    }
    for (const auto i : different) pool_.member(i).note_disagreement(about, pool_.settings().distrust);
    co_return Result<>{};
}

}  // namespace myst::chain
