#include "myst/api/gatekeeper.hpp"

#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/base/secret.hpp"

namespace myst::api {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::size_t kMaxTokenLength = 256;

Refusal refusal(unsigned status, ErrorCode code, std::string message, std::string cure) {
    return Refusal{status, Error{code, std::move(message), std::move(cure)}, {}};
}

}  // namespace

Gatekeeper::Gatekeeper(std::vector<std::string> hosts, TokenDigest token, GateLimits limits)
    : hosts_(std::move(hosts)), token_(token), limits_(limits) {}

std::optional<Refusal> Gatekeeper::check_source(const Credentials& credentials) const {
    if (credentials.host.size() != 1) {
        return refusal(400, ErrorCode::invalid_argument, "a request needs exactly one Host header", "");
    }
    const auto host = credentials.host.front();
    if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) {
        return refusal(421, ErrorCode::permission_denied, "this Host is not served",
                       "use the address in the file api-address, with its port");
    }
    if (credentials.origin.empty()) return std::nullopt;
    const bool same = credentials.origin.size() == 1 && credentials.origin.front() == "http://" + std::string(host);
    if (same) return std::nullopt;
    return refusal(403, ErrorCode::permission_denied, "requests from other web pages are refused", "");
}

std::optional<Refusal> Gatekeeper::check_token(const Credentials& credentials, MonotonicTime now) {
    if (credentials.authorization.size() != 1) return refuse_token(now);
    const auto value = credentials.authorization.front();
    if (!value.starts_with(kScheme) || value.size() > kMaxTokenLength) return refuse_token(now);
    const auto presented = digest_of_token(value.substr(kScheme.size()));
    if (!equal_constant_time(presented.digest.bytes, token_.digest.bytes)) return refuse_token(now);
    if (take_request(now)) return std::nullopt;
    return refusal(429, ErrorCode::limit_exceeded, "too many requests", "wait a second and ask less often");
}

Refusal Gatekeeper::refuse_token(MonotonicTime now) {
    auto result = refusal(401, ErrorCode::permission_denied, "the API token is missing or wrong",
                          "send \"Authorization: Bearer <content of the file api-token>\"");
    while (!bad_tokens_.empty() && now - bad_tokens_.front() >= std::chrono::minutes(1)) bad_tokens_.pop_front();
    if (bad_tokens_.size() < limits_.bad_tokens_per_minute) {
        bad_tokens_.push_back(now);
        if (bad_tokens_.size() == limits_.bad_tokens_per_minute) {
            log::warn("api: {} requests without a valid token within a minute", bad_tokens_.size());
        }
        return result;
    }
    result.delay = limits_.bad_token_delay;
    return result;
}

bool Gatekeeper::take_request(MonotonicTime now) {
    const auto per_request =
        milliseconds(1000) / static_cast<int>(std::max<std::size_t>(1, limits_.requests_per_second));
    const auto passed = std::chrono::duration_cast<milliseconds>(now - last_request_);
    last_request_ += passed;  // keeps the fraction of a millisecond for the next time
    debt_ = std::max(milliseconds(0), debt_ - passed);
    if (debt_ + per_request > per_request * static_cast<int>(limits_.burst)) return false;
    debt_ += per_request;
    return true;
}

}  // namespace myst::api
