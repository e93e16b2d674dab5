#include "myst/chain/json_rpc.hpp"

#include <boost/json/serialize.hpp>

#include "myst/base/backoff.hpp"

namespace myst::chain {
namespace {

constexpr std::size_t kMaxBatch = 1000;
constexpr int kLongestPause = 64;              // first pauses
constexpr std::size_t kLongText = 256U << 10;  // bytes; from there on reading it would hold up everything else

sys::HttpClient::Settings http_settings(const JsonRpcSettings& settings) {
    sys::HttpClient::Settings out;
    out.ca_file = settings.ca_file;
    return out;
}

/// A batch that is too much for a busy endpoint may be made smaller, a single call may not.
Error status_error(unsigned status, bool batch) {
    const auto text = "the endpoint answered with HTTP status " + std::to_string(status);
    if (status == 401 || status == 403) return {ErrorCode::permission_denied, text, "check the access key in the URL"};
    if (status == 429) {
        const auto code = batch ? ErrorCode::limit_exceeded : ErrorCode::unavailable;
        return {code, text, "ask less often or use another endpoint"};
    }
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

JsonRpcClient::JsonRpcClient(JsonRpcSettings settings, Rng& rng, WorkerPool* workers)
    : settings_(std::move(settings)), rng_(rng), workers_(workers), http_(http_settings(settings_)) {}

Task<Result<boost::json::value>> JsonRpcClient::parse(std::string text) {
    if (!workers_ || text.size() < kLongText) co_return parse_rpc_text(text, settings_.max_depth);
    auto work = [text = std::move(text), depth = settings_.max_depth] { return parse_rpc_text(text, depth); };
    co_return co_await workers_->run(std::move(work));
}

Task<JsonRpcClient::Attempt> JsonRpcClient::attempt(Question question) {
    sys::HttpRequest request;
    request.method = "POST";
    request.url = settings_.url;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    request.body = std::move(question.body);
    request.timeout = question.large ? settings_.large_timeout : settings_.timeout;
    request.max_response_bytes = question.large ? settings_.large_bytes : settings_.max_bytes;
    request.mark = settings_.mark;
    request.replayable = question.repeatable;
    auto response = co_await http_.request(std::move(request));
    if (!response) {
        const auto code = response.error().code;
        // Who could not say all of it within the longer time will not say it the next time.
        const bool repeat = transport_may_recover(code) && !(question.large && code == ErrorCode::timeout);
        co_return Attempt{forward_error(response), repeat};
    }
    const auto status = response->status;
    auto text = co_await parse(std::move(response->body));
    // Error objects come with 4xx and 5xx from some endpoints; 429 and 5xx pass, so they are repeated.
    const bool overloaded = status == 429 || status >= 500;
    if (overloaded || (status != 200 && !text))
        co_return Attempt{tl::unexpected<Error>(status_error(status, question.batch)), overloaded};
    const bool unreadable = !text;
    co_return Attempt{std::move(text), unreadable};
}

Task<> JsonRpcClient::wait_before(unsigned attempt) {
    const auto full = doubled(settings_.backoff, attempt - 1, settings_.backoff * kLongestPause);
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
        Question question{encode_call(call, id), repeatable, call.large, false};
        auto tried = co_await attempt(std::move(question));
        if (tried.text) {
            outcome = decode_reply(std::move(*tried.text), id);
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
        Question question{encode_batch(calls, first_id), repeatable, false, true};
        auto tried = co_await attempt(std::move(question));
        if (tried.text) {
            replies = decode_batch(std::move(*tried.text), first_id, calls.size());
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
