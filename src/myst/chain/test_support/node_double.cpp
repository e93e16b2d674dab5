#include "myst/chain/test_support/node_double.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/base/check.hpp"
#include "myst/chain/eth_json.hpp"
#include "myst/codec/transaction.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain::testing {
namespace {

namespace json = boost::json;

tl::unexpected<RpcFault> fault(std::int64_t code, std::string message) {
    return tl::unexpected<RpcFault>(RpcFault{code, std::move(message)});
}

std::string hex_of(const Uint256& value) {
    return "0x" + value.str(0, std::ios_base::hex);
}

}  // namespace

NodeDouble::NodeDouble(std::uint64_t id) : chain_id(id) {
    add_block({});
}

std::string NodeDouble::handle(const std::string& request) {
    const auto parsed = json::parse(request);
    const auto one = [this](const json::value& call) {
        const std::string method(call.at("method").as_string());
        ++calls[method];
        const auto reply = answer(method, call.at("params").as_array());
        json::object out{{"jsonrpc", "2.0"}, {"id", call.at("id")}};
        if (reply) {
            out["result"] = *reply;
        } else {
            json::object error{{"code", reply.error().code}, {"message", reply.error().message}};
            if (!reply.error().data.empty()) error["data"] = to_hex0x(reply.error().data);
            out["error"] = std::move(error);
        }
        return json::value(std::move(out));
    };
    if (!parsed.is_array()) return json::serialize(one(parsed));
    json::array answers;
    for (const auto& each : parsed.as_array()) answers.push_back(one(each));
    return json::serialize(answers);
}

RpcReply NodeDouble::answer(const std::string& method, const json::array& params) {
    const auto text = [&params](std::size_t i) { return std::string(params.at(i).as_string()); };
    if (method == "eth_chainId") return json::value(quantity(chain_id));
    if (method == "eth_blockNumber") return json::value(quantity(blocks_.size() - 1));
    if (method == "eth_getBalance") return json::value(hex_of(balance));
    if (method == "eth_maxPriorityFeePerGas") return json::value("0x3b9aca00");
    if (method == "eth_sendRawTransaction") return take(text(0));
    if (method == "eth_getTransactionReceipt") return hide_receipts ? json::value() : receipt_json(text(0));
    if (method == "eth_getBlockByNumber") return header_json(*as_u64(params.at(0)));
    if (method == "eth_getTransactionByHash") {
        if (!knows(*Hash32::parse(text(0)))) return json::value();
        return json::value{{"hash", text(0)}};
    }
    if (method == "eth_getTransactionCount") {
        return json::value(quantity(static_cast<std::uint64_t>(static_cast<std::int64_t>(mined_count()) + count_lie)));
    }
    if (method == "eth_estimateGas") {
        if (estimate_fault) return tl::unexpected<RpcFault>(*estimate_fault);
        return json::value(quantity(gas));
    }
    if (method == "eth_feeHistory") {
        return json::value{{"baseFeePerGas", {quantity(base_fee), quantity(base_fee)}},
                           {"reward", json::array{json::value(json::array{"0x1"})}}};
    }
    return fault(-32601, "the method does not exist");
}

RpcReply NodeDouble::take(const std::string& raw) {
    received_.push_back(raw);
    const auto bytes = parse_hex(raw).value();
    const auto decoded = codec::decode_1559(bytes).value();
    Transaction transaction{decoded.nonce, crypto::keccak256(bytes), decoded.data, decoded.max_fee_per_gas,
                            decoded.max_priority_fee_per_gas};
    if (echo) return json::value(transaction.hash.hex0x());
    if (send_fault) return tl::unexpected<RpcFault>(*send_fault);
    if (decoded.chain_id != chain_id) return fault(-32000, "invalid chain id");
    if (transaction.nonce < mined_count()) return fault(-32000, "nonce too low");
    if (knows(transaction.hash)) return fault(-32000, "already known");
    const auto old = waiting_.find(transaction.nonce);
    // As geth and Parity: a tenth or an eighth more in both fields; the stricter of the two.
    if (old != waiting_.end() &&
        (transaction.max_fee * 8 < old->second.max_fee * 9 || transaction.priority * 8 < old->second.priority * 9)) {
        return fault(-32000, "replacement transaction underpriced");
    }
    const auto hash = transaction.hash.hex0x();
    waiting_.insert_or_assign(transaction.nonce, std::move(transaction));
    if (auto_mine) mine();
    return json::value(hash);
}

void NodeDouble::mine() {
    std::vector<Transaction> ready;
    for (auto next = mined_count(); waiting_.contains(next) && waiting_.at(next).max_fee >= base_fee; ++next) {
        ready.push_back(waiting_.at(next));
        waiting_.erase(next);
    }
    add_block(std::move(ready));
}

void NodeDouble::add_block(std::vector<Transaction> transactions) {
    MinedBlock block;
    if (!blocks_.empty()) block.parent = blocks_.back().hash;
    block.transactions = std::move(transactions);
    block.hash = crypto::keccak256(as_bytes("block " + std::to_string(blocks_.size()) + std::to_string(++salt_)));
    blocks_.push_back(std::move(block));
}

void NodeDouble::reorganise(std::size_t depth, bool keep) {
    std::vector<Transaction> lost;
    for (std::size_t i = 0; i < depth; ++i) {
        for (auto& each : blocks_.back().transactions) lost.push_back(std::move(each));
        blocks_.pop_back();
    }
    for (std::size_t i = 0; i <= depth; ++i) add_block({});
    if (!keep) return;
    for (auto& each : lost) waiting_.emplace(each.nonce, std::move(each));
}

void NodeDouble::use_nonce_elsewhere() {
    Transaction foreign{mined_count(), crypto::keccak256(as_bytes("foreign" + std::to_string(++salt_))), {}, {}, {}};
    waiting_.erase(foreign.nonce);
    add_block({foreign});
}

std::size_t NodeDouble::executions(const Bytes& data) const {
    std::size_t count = 0;
    for (const auto& block : blocks_) {
        for (const auto& each : block.transactions) count += each.data == data ? 1 : 0;
    }
    return count;
}

std::size_t NodeDouble::transactions() const {
    return mined_count();
}

std::uint64_t NodeDouble::mined_count() const {
    std::size_t count = 0;
    for (const auto& block : blocks_) count += block.transactions.size();
    return count;
}

bool NodeDouble::knows(const Hash32& hash) const {
    for (const auto& [nonce, each] : waiting_) {
        if (each.hash == hash) return true;
    }
    return !receipt_json(hash.hex0x()).is_null();
}

json::value NodeDouble::header_json(std::uint64_t number) const {
    if (number >= blocks_.size()) return {};
    const auto& block = blocks_[number];
    return {{"number", quantity(number)},
            {"hash", block.hash.hex0x()},
            {"parentHash", block.parent.hex0x()},
            {"timestamp", quantity(1'700'000'000 + number)},
            {"logsBloom", Bloom{}.hex0x()}};
}

json::value NodeDouble::receipt_json(const std::string& hash) const {
    for (std::size_t number = 0; number < blocks_.size(); ++number) {
        for (const auto& each : blocks_[number].transactions) {
            if (each.hash.hex0x() != hash) continue;
            return {{"transactionHash", hash},
                    {"blockHash", blocks_[number].hash.hex0x()},
                    {"blockNumber", quantity(number)},
                    {"status", revert ? "0x0" : "0x1"},
                    {"gasUsed", "0x5208"}};
        }
    }
    return {};
}

}  // namespace myst::chain::testing
