#include "myst/chain/json_rpc_message.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/base/printable.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

constexpr std::size_t kMessageLimit = 200;

tl::unexpected<Error> bad(std::string why) {
    return fail(ErrorCode::invalid_data, "the endpoint's answer " + std::move(why), "check the endpoint's URL");
}

json::object call_object(const RpcCall& call, std::uint64_t id) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"method", call.method}, {"params", call.params}};
}

std::optional<std::uint64_t> id_of(const json::object& reply) {
    const auto* id = reply.if_contains("id");
    if (!id) return std::nullopt;
    if (const auto* value = id->if_uint64()) return *value;
    if (const auto* value = id->if_int64(); value && *value >= 0) return static_cast<std::uint64_t>(*value);
    return std::nullopt;
}

/// Revert data comes as a string, or as an object with a member `data`, depending on the client.
Bytes fault_data(const json::value& data) {
    const auto* text = data.if_string();
    if (const auto* object = data.if_object(); object && object->if_contains("data")) {
        text = object->at("data").if_string();
    }
    if (!text || text->size() > 8192) return {};
    auto bytes = parse_hex(std::string_view(*text));
    return bytes ? std::move(*bytes) : Bytes{};
}

Result<RpcFault> decode_fault(const json::value& value) {
    const auto* object = value.if_object();
    if (!object) return bad("has an error that is not an object");
    RpcFault fault;
    if (const auto* code = object->if_contains("code"); code && code->if_int64()) fault.code = *code->if_int64();
    const auto* message = object->if_contains("message");
    if (message && message->if_string()) fault.message = printable(*message->if_string(), kMessageLimit);
    if (const auto* data = object->if_contains("data")) fault.data = fault_data(*data);
    return fault;
}

/// The reply without a look at its id. Takes the result out of it.
Result<RpcReply> decode_body(json::object& reply) {
    const auto* version = reply.if_contains("jsonrpc");
    if (!version || !version->if_string() || *version->if_string() != "2.0") return bad("is not JSON-RPC 2.0");
    auto* result = reply.if_contains("result");
    const auto* error = reply.if_contains("error");
    // Some clients send a null next to the member that counts.
    if (error && error->is_null()) error = nullptr;
    if (error && result && result->is_null()) result = nullptr;
    if ((result != nullptr) == (error != nullptr)) return bad("has neither or both of result and error");
    if (result) return RpcReply(std::move(*result));
    auto fault = decode_fault(*error);
    if (!fault) return forward_error(fault);
    return RpcReply(tl::unexpected<RpcFault>(std::move(*fault)));
}

}  // namespace

Error to_error(const RpcFault& fault, std::string_view method) {
    ErrorCode code = ErrorCode::unavailable;
    if (fault.code == 3) code = ErrorCode::failed_precondition;
    if (fault.code <= -32600 && fault.code >= -32602) code = ErrorCode::invalid_argument;
    if (fault.code == -32005) code = ErrorCode::limit_exceeded;
    return Error{code, std::string(method) + ": endpoint error " + std::to_string(fault.code) + ": " + fault.message};
}

std::string encode_call(const RpcCall& call, std::uint64_t id) {
    return json::serialize(call_object(call, id));
}

std::string encode_batch(const std::vector<RpcCall>& calls, std::uint64_t first_id) {
    json::array batch;
    batch.reserve(calls.size());
    for (const auto& call : calls) batch.push_back(call_object(call, first_id++));
    return json::serialize(batch);
}

Result<json::value> parse_rpc_text(std::string_view text, std::size_t max_depth) {
    json::parse_options options;
    options.max_depth = max_depth;
    boost::system::error_code ec;
    auto value = json::parse(text, ec, {}, options);
    if (ec == json::error::too_deep) return bad("is nested too deeply");
    if (ec) return bad("is not JSON: " + ec.message());
    return value;
}

Result<RpcReply> decode_reply(json::value text, std::uint64_t id) {
    auto* reply = text.if_object();
    if (!reply) return bad("is not an object");
    // An endpoint that could not read the request answers with id null.
    const bool about_request = reply->if_contains("error") && reply->if_contains("id") && reply->at("id").is_null();
    if (!about_request && id_of(*reply) != id) return bad("is for another request");
    return decode_body(*reply);
}

Result<std::vector<RpcReply>> decode_batch(json::value text, std::uint64_t first_id, std::size_t count) {
    if (auto* refusal = text.if_object()) {
        auto body = decode_body(*refusal);
        if (!body) return forward_error(body);
        if (!*body) return tl::unexpected<Error>(to_error(body->error(), "batch"));
        return bad("is a single result for a batch");
    }
    auto* list = text.if_array();
    if (!list || list->size() != count) return bad("does not have one entry for each call");
    std::vector<std::optional<RpcReply>> found(count);
    for (auto& each : *list) {
        auto* reply = each.if_object();
        const auto id = reply ? id_of(*reply) : std::nullopt;
        if (!id || *id < first_id || *id - first_id >= count) return bad("has an entry for another request");
        auto& place = found[static_cast<std::size_t>(*id - first_id)];
        if (place) return bad("has two entries for one call");
        auto body = decode_body(*reply);
        if (!body) return forward_error(body);
        place = std::move(*body);
    }
    std::vector<RpcReply> replies;
    replies.reserve(count);
    for (auto& each : found) replies.push_back(std::move(*each));
    return replies;
}

}  // namespace myst::chain
