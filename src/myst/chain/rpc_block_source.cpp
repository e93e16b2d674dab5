#include "myst/chain/rpc_block_source.hpp"

#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/chain/eth_json.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

constexpr unsigned kReceiptAttempts = 3;
constexpr std::size_t kMaxUnanswered = 1000;  // blocks remembered

tl::unexpected<Error> inconsistent(std::string why) {
    return fail(ErrorCode::unavailable, "the endpoint's blocks and logs do not fit together: " + std::move(why),
                "if this stays, use another endpoint");
}

RpcCall header_call(std::uint64_t number) {
    return {"eth_getBlockByNumber", {json::value(quantity(number)), json::value(false)}};
}

RpcCall logs_call(const Address& contract, std::uint64_t first, std::uint64_t last) {
    json::object filter{{"fromBlock", quantity(first)}, {"toBlock", quantity(last)}, {"address", contract.hex0x()}};
    RpcCall call{"eth_getLogs", {}};
    call.params.push_back(std::move(filter));
    return call;
}

/// The contract's logs of one block; those of one event if `topic` says which.
RpcCall block_logs_call(const Address& contract, const Hash32& block, const std::optional<Hash32>& topic = {}) {
    json::object filter{{"blockHash", block.hex0x()}, {"address", contract.hex0x()}};
    if (topic) {
        json::array topics;
        topics.emplace_back(topic->hex0x());
        filter["topics"] = std::move(topics);
    }
    RpcCall call{"eth_getLogs"};
    call.params.push_back(std::move(filter));
    return call;
}

Result<std::vector<Log>> as_logs(const json::value& value) {
    const auto* list = value.if_array();
    if (!list) return fail(ErrorCode::invalid_data, "the logs are not a list");
    std::vector<Log> logs;
    logs.reserve(list->size());
    for (const auto& each : *list) {
        auto log = as_log(each);
        if (!log) return forward_error(log);
        logs.push_back(std::move(*log));
    }
    return logs;
}

/// Headers in order, each the child of the one before.
Result<std::vector<Block>> as_chain(const std::vector<Result<json::value>>& replies, std::size_t count,
                                    std::uint64_t first) {
    std::vector<Block> blocks;
    blocks.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (!replies[i]) return tl::unexpected<Error>(replies[i].error());
        auto header = as_header(*replies[i]);
        if (!header) return forward_error(header, "eth_getBlockByNumber");
        if (header->number != first + i) return inconsistent("a header has another number than asked for");
        if (i > 0 && header->parent != blocks.back().header.hash) return inconsistent("the chain changed meanwhile");
        blocks.push_back({*header, {}});
    }
    return blocks;
}

/// Puts logs into their blocks.
Result<> distribute(std::vector<Log> logs, std::vector<Block>& blocks, const Address& contract) {
    const auto first = blocks.front().header.number;
    for (auto& log : logs) {
        if (log.address != contract) return inconsistent("a log is another contract's");
        if (log.block_number < first || log.block_number - first >= blocks.size()) {
            return inconsistent("a log lies outside the range");
        }
        auto& block = blocks[static_cast<std::size_t>(log.block_number - first)];
        if (log.block_hash != block.header.hash) return inconsistent("a log's block is not the header's");
        if (!block.logs.empty() && log.index <= block.logs.back().index) {
            return inconsistent("logs are doubled or out of order");
        }
        block.logs.push_back(std::move(log));
    }
    return {};
}

/// The bloom filter that the logs of these receipts make, and whether one of them is the contract's.
struct ReceiptLogs {
    Bloom bloom;
    bool ours = false;
};

/// What an endpoint says if an answer would be too long: each in its own words and with its own code.
bool may_be_too_many(const Result<RpcReply>& reply) {
    return reply ? !*reply : reply.error().code == ErrorCode::limit_exceeded;
}

Result<ReceiptLogs> scan_receipts(const json::value& receipts, const Address& contract) {
    const auto* list = receipts.if_array();
    if (!list) return fail(ErrorCode::invalid_data, "the receipts are not a list");
    ReceiptLogs out;
    for (const auto& receipt : *list) {
        auto logs_member = member(receipt, "logs");
        if (!logs_member) return forward_error(logs_member, "receipt");
        auto logs = as_logs(**logs_member);
        if (!logs) return forward_error(logs, "receipt");
        for (const auto& log : *logs) {
            bloom_add(out.bloom, log.address.view());
            for (const auto& topic : log.topics) bloom_add(out.bloom, topic.view());
            out.ours = out.ours || log.address == contract;
        }
    }
    return out;
}

}  // namespace

Task<Result<std::uint64_t>> RpcBlockSource::chain_id() {
    auto reply = co_await client_.call("eth_chainId");
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<std::uint64_t>> RpcBlockSource::head_number() {
    auto reply = co_await client_.call("eth_blockNumber");
    if (!reply) co_return forward_error(reply);
    co_return as_u64(*reply);
}

Task<Result<BlockHeader>> RpcBlockSource::header(std::uint64_t number) {
    auto request = header_call(number);
    auto reply = co_await client_.call(std::move(request.method), std::move(request.params));
    if (!reply) co_return forward_error(reply);
    auto header = as_header(*reply);
    if (!header) co_return forward_error(header, "eth_getBlockByNumber");
    if (header->number != number) co_return inconsistent("a header has another number than asked for");
    co_return header;
}

Task<Result<std::vector<Block>>> RpcBlockSource::blocks(std::uint64_t first, std::uint64_t last) {
    if (first == last) co_return co_await tip(first);
    std::vector<RpcCall> calls;
    for (auto number = first; number <= last; ++number) calls.push_back(header_call(number));
    const auto count = calls.size();
    calls.push_back(logs_call(contract_, first, last));
    auto replies = co_await client_.batch(std::move(calls));
    if (!replies) co_return forward_error(replies);
    auto blocks = as_chain(*replies, count, first);
    if (!blocks) co_return forward_error(blocks);
    if (!replies->back()) co_return tl::unexpected<Error>(replies->back().error());
    auto logs = as_logs(*replies->back());
    if (!logs) co_return forward_error(logs, "eth_getLogs");
    if (auto placed = distribute(std::move(*logs), *blocks, contract_); !placed) co_return forward_error(placed);
    for (auto& block : *blocks) {
        auto confirmed = co_await confirm(block);
        if (!confirmed) co_return forward_error(confirmed);
    }
    co_return blocks;
}

Task<Result<RpcBlockSource::Extract>> RpcBlockSource::extract(std::uint64_t first, std::uint64_t last) {
    if (first == last) co_return co_await extract_one(first);
    std::vector<RpcCall> calls;
    calls.push_back(header_call(last));
    calls.push_back(logs_call(contract_, first, last));
    auto replies = co_await client_.batch(std::move(calls));
    if (!replies) co_return forward_error(replies);
    for (auto& each : *replies) {
        if (!each) co_return forward_error(each);
    }
    auto header = as_header(*replies->front());
    if (!header) co_return forward_error(header, "eth_getBlockByNumber");
    auto logs = as_logs(*replies->back());
    if (!logs) co_return forward_error(logs, "eth_getLogs");
    co_return Extract{*header, std::move(*logs)};
}

/// A block cannot be asked for in halves.
Task<Result<RpcBlockSource::Extract>> RpcBlockSource::extract_one(std::uint64_t number) {
    auto found = co_await header(number);
    if (!found) co_return forward_error(found);
    auto logs = co_await logs_of(found->hash);
    if (!logs) co_return forward_error(logs);
    co_return Extract{*found, std::move(*logs)};
}

Task<Result<std::vector<Block>>> RpcBlockSource::tip(std::uint64_t number) {
    auto found = co_await header(number);
    if (!found) co_return forward_error(found);
    auto logs = co_await logs_of(found->hash);
    if (!logs) co_return forward_error(logs);
    std::vector<Block> blocks;
    blocks.push_back({*found, {}});
    if (auto placed = distribute(std::move(*logs), blocks, contract_); !placed) co_return forward_error(placed);
    auto confirmed = co_await confirm(blocks.front());
    if (!confirmed) co_return forward_error(confirmed);
    co_return blocks;
}

Task<Result<std::vector<Log>>> RpcBlockSource::logs_of(Hash32 block) {
    auto request = block_logs_call(contract_, block);
    auto reply = co_await client_.exchange(std::move(request));
    if (!reply && reply.error().code == ErrorCode::limit_exceeded) {
        auto larger = block_logs_call(contract_, block);
        larger.large = true;
        reply = co_await client_.exchange(std::move(larger));
    }
    if (may_be_too_many(reply)) {
        auto parts = co_await logs_by_topic(block);
        if (parts) co_return parts;
    }
    if (!reply) co_return forward_error(reply);
    if (!*reply) co_return tl::unexpected<Error>(to_error(reply->error(), "eth_getLogs"));
    auto logs = as_logs(**reply);
    if (!logs) co_return forward_error(logs, "eth_getLogs");
    co_return logs;
}

/// The logs of each event on their own, put in order.
Task<Result<std::vector<Log>>> RpcBlockSource::logs_by_topic(Hash32 block) {
    std::vector<Log> all;
    for (const auto& topic : event_topics()) {
        auto request = block_logs_call(contract_, block, topic);
        request.large = true;
        auto reply = co_await client_.exchange(std::move(request));
        if (!reply) co_return forward_error(reply);
        if (!*reply) co_return tl::unexpected<Error>(to_error(reply->error(), "eth_getLogs"));
        auto logs = as_logs(**reply);
        if (!logs) co_return forward_error(logs, "eth_getLogs");
        std::move(logs->begin(), logs->end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const Log& a, const Log& b) { return a.index < b.index; });
    co_return all;
}

bool RpcBlockSource::bloom_admits(const Bloom& bloom) const {
    if (!bloom_has(bloom, contract_.view())) return false;
    const auto& topics = event_topics();
    return std::any_of(topics.begin(), topics.end(), [&](const Hash32& each) { return bloom_has(bloom, each.view()); });
}

Task<Result<>> RpcBlockSource::confirm(Block& block) {
    const auto& header = block.header;
    if (header.bloom.is_zero()) co_return Result<>{};
    const bool admits = bloom_admits(header.bloom);
    if (!block.logs.empty()) {
        if (!admits) co_return inconsistent(fmt::format("block {} has logs that its bloom rules out", header.number));
        co_return Result<>{};
    }
    if (!admits) co_return Result<>{};
    auto again = co_await logs_of(header.hash);
    if (!again) co_return forward_error(again);
    if (!again->empty()) {
        co_return inconsistent(fmt::format("logs of block {} were left out", header.number));
    }
    co_return co_await confirm_by_receipts(header);
}

Task<Result<>> RpcBlockSource::confirm_by_receipts(BlockHeader header) {
    std::string why = "no answer";
    if (!gives_no_receipts(header.hash)) {
        RpcCall request{"eth_getBlockReceipts"};
        request.params.emplace_back(header.hash.hex0x());
        request.large = true;
        auto reply = co_await client_.exchange(std::move(request));
        if (reply && *reply) co_return co_await compare_receipts(header, std::move(**reply));
        why = reply ? reply->error().message : reply.error().message;
        const bool none = reply || reply.error().code == ErrorCode::limit_exceeded;
        if (unanswered_.size() >= kMaxUnanswered) unanswered_.clear();
        if (!none) ++unanswered_[header.hash];
        if (!none && !gives_no_receipts(header.hash)) co_return forward_error(reply);
    }
    log::warn("chain: the endpoint gives no receipts of block {} ({}); its empty list of logs is believed",
              header.number, why);
    co_return Result<>{};
}

bool RpcBlockSource::gives_no_receipts(const Hash32& block) const {
    const auto found = unanswered_.find(block);
    return found != unanswered_.end() && found->second >= kReceiptAttempts;
}

Task<Result<>> RpcBlockSource::compare_receipts(BlockHeader header, json::value receipts) {
    auto scan = [receipts = std::move(receipts), contract = contract_] { return scan_receipts(receipts, contract); };
    Result<ReceiptLogs> scanned;
    if (workers_) {
        scanned = co_await workers_->run(std::move(scan));
    } else {
        scanned = scan();
    }
    if (!scanned) co_return forward_error(scanned, "eth_getBlockReceipts");
    if (scanned->ours || scanned->bloom != header.bloom) {
        co_return inconsistent(fmt::format("logs of block {} are missing", header.number));
    }
    unanswered_.erase(header.hash);
    co_return Result<>{};
}

}  // namespace myst::chain
