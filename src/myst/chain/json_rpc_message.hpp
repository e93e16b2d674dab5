// JSON-RPC 2.0 texts: building requests, and taking answers apart without trusting them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "myst/base/bytes.hpp"
#include "myst/base/error.hpp"

namespace myst::chain {

struct RpcCall {
    std::string method;
    boost::json::array params{};
    bool large = false;  ///< the answer may be larger than others, and take longer
};

/// An error object that the endpoint answered with. `message` is shortened and free of control characters.
struct RpcFault {
    std::int64_t code = 0;
    std::string message;
    Bytes data{};  ///< return data of a reverted call; empty if there is none
};

/// What came back for one call: a result, or the endpoint's refusal.
using RpcReply = tl::expected<boost::json::value, RpcFault>;

/// The refusal as an Error: "eth_call: endpoint error 3: execution reverted".
[[nodiscard]] Error to_error(const RpcFault& fault, std::string_view method);

[[nodiscard]] std::string encode_call(const RpcCall& call, std::uint64_t id);
/// Ids count up from `first_id` in the order of the calls.
[[nodiscard]] std::string encode_batch(const std::vector<RpcCall>& calls, std::uint64_t first_id);

/// Parses one JSON text that fills the input, nested at most `max_depth` deep; otherwise invalid_data.
[[nodiscard]] Result<boost::json::value> parse_rpc_text(std::string_view text, std::size_t max_depth);
/// Checks version and id. invalid_data for everything that is not exactly an answer to this id.
[[nodiscard]] Result<RpcReply> decode_reply(boost::json::value text, std::uint64_t id);
/// The replies in the order of the calls, whatever the order in the text. A missing, doubled or foreign id is
/// invalid_data. A single error object for the whole batch becomes an Error.
[[nodiscard]] Result<std::vector<RpcReply>> decode_batch(boost::json::value text, std::uint64_t first_id,
                                                         std::size_t count);

}  // namespace myst::chain
