#include "myst/chain/json_rpc.hpp"

#include <boost/json/serialize.hpp>

namespace myst::chain {
namespace {

constexpr std::size_t kMaxBatch = 1000;
constexpr unsigned kMaxDoublings = 6;

sys::HttpClient::Settings http_settings(const JsonRpcSettings& settings) {
    sys::HttpClient::Settings out;
    out.ca_file = settings.ca_file;
    return out;
}

Error status_error(unsigned status) {
    const auto text = "the endpoint answered with HTTP status " + std::to_string(status);
    if (status == 401 || status == 403) return {ErrorCode::permission_denied, text, "check the access key in the URL"};
    if (status == 429) return {ErrorCode::limit_exceeded, text, "ask less often or use another endpoint"};
    if (status == 413) return {ErrorCode::limit_exceeded, text};
    return {ErrorCode::unavailable, text, "check the endpoint's URL"};
}

bool transport_may_recover(ErrorCode code) {
    return code == ErrorCode::unavailable || code == ErrorCode::timeout || code == ErrorCode::io;
}

}  // namespace

bool is_idempotent(std::string_view method) {
    return method.starts_with("eth_") ? !method.starts_with("eth_send")
                                      : method.starts_with("net_") || method.starts_with("web3_");
}

JsonRpcClient::JsonRpcClient(JsonRpcSettings settings, Rng& rng)
    : settings_(std::move(settings)), rng_(rng), http_(http_settings(settings_)) {}

Task<JsonRpcClient::Attempt> JsonRpcClient::attempt(std::string body, bool replayable) {
    sys::HttpRequest request;
    request.method = "POST";
    request.url = settings_.url;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    request.body = std::move(body);
    request.timeout = settings_.timeout;
    request.max_response_bytes = settings_.max_bytes;
    request.mark = settings_.mark;
    request.replayable = replayable;
    auto response = co_await http_.request(std::move(request));
    if (!response) {
        const bool repeat = transport_may_recover(response.error().code);
        co_return Attempt{forward_error(response), repeat};
    }
    const auto status = response->status;
    auto text = parse_rpc_text(response->body, settings_.max_depth);
    // Error objects come with 4xx and 5xx from some endpoints; 429 and 5xx pass, so they are repeated.
    const bool overloaded = status == 429 || status >= 500;
    if (overloaded || (status != 200 && !text))
        co_return Attempt{tl::unexpected<Error>(status_error(status)), overloaded};
    const bool unreadable = !text;
    co_return Attempt{std::move(text), unreadable};
}

Task<> JsonRpcClient::wait_before(unsigned attempt) {
    const auto full = settings_.backoff * (std::int64_t{1} << std::min(attempt - 1, kMaxDoublings));
    std::array<std::uint8_t, 2> random{};
    rng_.fill(random);
    const auto share = (std::int64_t{random[0]} << 8 | random[1]) % 1024;
    co_await sleep_for(milliseconds(full.count() / 2 + full.count() / 2 * share / 1024));
}

Task<Result<RpcReply>> JsonRpcClient::exchange(RpcCall call) {
    const bool repeatable = is_idempotent(call.method);
    const unsigned attempts = repeatable ? settings_.retries + 1 : 1;
    Result<RpcReply> outcome = fail(ErrorCode::internal, "no attempt");
    for (unsigned number = 0; number < attempts; ++number) {
        if (number > 0) co_await wait_before(number);
        const auto id = next_id_++;
        auto body = encode_call(call, id);
        auto tried = co_await attempt(std::move(body), repeatable);
        if (tried.text) {
            outcome = decode_reply(*tried.text, id);
            if (outcome) co_return outcome;
            outcome = forward_error(outcome, call.method);
        } else {
            outcome = forward_error(tried.text, call.method);
            if (!tried.worth_repeating) co_return outcome;
        }
    }
    co_return outcome;
}

Task<Result<std::vector<Result<boost::json::value>>>> JsonRpcClient::batch(std::vector<RpcCall> calls) {
    if (calls.empty()) co_return std::vector<Result<boost::json::value>>{};
    if (calls.size() > kMaxBatch) co_return fail(ErrorCode::invalid_argument, "JSON-RPC batch: more than 1000 calls");
    const bool repeatable =
        std::all_of(calls.begin(), calls.end(), [](const RpcCall& each) { return is_idempotent(each.method); });
    const unsigned attempts = repeatable ? settings_.retries + 1 : 1;
    Result<std::vector<RpcReply>> replies = fail(ErrorCode::internal, "no attempt");
    for (unsigned number = 0; number < attempts && !replies; ++number) {
        if (number > 0) co_await wait_before(number);
        const auto first_id = next_id_;
        next_id_ += calls.size();
        auto body = encode_batch(calls, first_id);
        auto tried = co_await attempt(std::move(body), repeatable);
        if (tried.text) {
            replies = decode_batch(*tried.text, first_id, calls.size());
        } else {
            replies = forward_error(tried.text, "batch");
            if (!tried.worth_repeating) break;
        }
    }
    if (!replies) co_return forward_error(replies);
    std::vector<Result<boost::json::value>> results;
    results.reserve(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        auto& reply = (*replies)[i];
        if (reply) {
            results.emplace_back(std::move(*reply));
        } else {
            results.emplace_back(tl::unexpected<Error>(to_error(reply.error(), calls[i].method)));
        }
    }
    co_return results;
}

}  // namespace myst::chain
