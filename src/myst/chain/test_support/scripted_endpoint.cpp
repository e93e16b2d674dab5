#include "myst/chain/test_support/scripted_endpoint.hpp"

#include "myst/chain/eth_json.hpp"

namespace myst::chain::testing {

namespace json = boost::json;

json::value header_json(const BlockHeader& header) {
    return {{"number", quantity(header.number)},
            {"hash", header.hash.hex0x()},
            {"parentHash", header.parent.hex0x()},
            {"timestamp", quantity(to_unix_seconds(header.time))},
            {"logsBloom", header.bloom.hex0x()}};
}

json::value log_json(const Log& log) {
    json::array topics;
    for (const auto& each : log.topics) topics.emplace_back(each.hex0x());
    return {{"address", log.address.hex0x()},
            {"topics", std::move(topics)},
            {"data", to_hex0x(log.data)},
            {"blockNumber", quantity(log.block_number)},
            {"blockHash", log.block_hash.hex0x()},
            {"logIndex", quantity(log.index)},
            {"removed", false}};
}

RpcReply ScriptedEndpoint::answer(const RpcCall& call) {
    if (call.method == "eth_chainId") return json::value(quantity(chain_.id));
    if (call.method == "eth_blockNumber") return json::value(quantity(chain_.height()));
    if (call.method == "eth_getBlockByNumber") {
        const auto number = as_u64(call.params.at(0)).value();
        if (number > chain_.height()) return json::value();
        return header_json(chain_.mutable_blocks().at(number).header);
    }
    if (call.method != "eth_getLogs") return tl::unexpected<RpcFault>(RpcFault{-32601, "no such method"});
    const auto& filter = call.params.at(0).as_object();
    const bool by_hash = filter.contains("blockHash");
    if (!by_hash && *as_u64(filter.at("toBlock")) - *as_u64(filter.at("fromBlock")) >= chain_.max_range) {
        return tl::unexpected<RpcFault>(RpcFault{-32005, "range too large"});
    }
    json::array logs;
    for (const auto& block : chain_.mutable_blocks()) {
        const auto number = block.header.number;
        const bool wanted = by_hash
                                ? filter.at("blockHash").as_string() == block.header.hash.hex0x()
                                : number >= *as_u64(filter.at("fromBlock")) && number <= *as_u64(filter.at("toBlock"));
        if (!wanted) continue;
        for (const auto& log : block.logs) logs.push_back(log_json(log));
    }
    return json::value(std::move(logs));
}

Task<Result<RpcReply>> ScriptedEndpoint::exchange(RpcCall call) {
    if (call.method == "eth_getBlockReceipts" && chain_.no_receipts) {
        co_return tl::unexpected<Error>(*chain_.no_receipts);
    }
    co_return answer(call);
}

Task<Result<std::vector<Result<json::value>>>> ScriptedEndpoint::batch(std::vector<RpcCall> calls) {
    std::vector<Result<json::value>> out;
    for (const auto& each : calls) {
        auto reply = answer(each);
        if (reply) {
            out.emplace_back(std::move(*reply));
        } else {
            out.emplace_back(tl::unexpected<Error>(to_error(reply.error(), each.method)));
        }
    }
    co_return out;
}

}  // namespace myst::chain::testing
