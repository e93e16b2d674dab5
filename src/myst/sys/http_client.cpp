#include "myst/sys/http_client.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>

#include "myst/runtime/timeout.hpp"
#include "myst/sys/http_connection.hpp"
#include "myst/sys/tls_client.hpp"

namespace myst::sys {

using detail::HttpConnection;

std::optional<std::string_view> HttpResponse::header(std::string_view name) const {
    for (const auto& [each, value] : headers) {
        if (boost::beast::iequals(each, name)) return value;
    }
    return std::nullopt;
}

struct HttpClient::State {
    explicit State(Settings chosen) : settings(std::move(chosen)) {}

    Settings settings;
    std::shared_ptr<asio::ssl::context> tls;  ///< made for the first https request
    std::vector<std::unique_ptr<HttpConnection>> idle;

    Result<> prepare_tls();
    std::unique_ptr<HttpConnection> take_idle(const HttpUrl& url, std::uint32_t mark);
    void put_back(std::unique_ptr<HttpConnection> connection);
    static Task<Result<HttpResponse>> exchange(std::shared_ptr<State> self, HttpRequest request, HttpUrl url);
};

namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kPunctuation.find(c) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && byte != '\t') || byte == 0x7f;
    });
}

Result<> check_request(const HttpRequest& request) {
    if (!is_token(request.method)) return fail(ErrorCode::invalid_argument, "HTTP request: the method is malformed");
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name) || !is_field_value(value)) {
            return fail(ErrorCode::invalid_argument, "HTTP request: a header has characters that are not allowed");
        }
    }
    return {};
}

bool may_replay(const HttpRequest& request) {
    return request.replayable || request.method == "GET" || request.method == "HEAD";
}

}  // namespace

Result<> HttpClient::State::prepare_tls() {
    if (tls) return {};
    auto context = make_tls_context(settings.ca_file);
    if (!context) return forward_error(context);
    tls = std::move(*context);
    return {};
}

std::unique_ptr<HttpConnection> HttpClient::State::take_idle(const HttpUrl& url, std::uint32_t mark) {
    const auto oldest = std::chrono::steady_clock::now() - settings.max_idle_age;
    std::erase_if(idle, [&](auto& each) { return each->last_used < oldest || !each->looks_alive(); });
    const auto found = std::find_if(idle.begin(), idle.end(), [&](auto& each) { return each->serves(url, mark); });
    if (found == idle.end()) return nullptr;
    auto connection = std::move(*found);
    idle.erase(found);
    return connection;
}

void HttpClient::State::put_back(std::unique_ptr<HttpConnection> connection) {
    if (settings.max_idle == 0) return;
    if (idle.size() >= settings.max_idle) idle.erase(idle.begin());
    connection->last_used = std::chrono::steady_clock::now();
    idle.push_back(std::move(connection));
}

Task<Result<HttpResponse>> HttpClient::State::exchange(std::shared_ptr<State> self, HttpRequest request, HttpUrl url) {
    if (url.tls) {
        if (auto ready = self->prepare_tls(); !ready) co_return forward_error(ready);
    }
    auto connection = self->take_idle(url, request.mark);
    if (connection) {
        auto trip = co_await connection->exchange(url, request);
        if (trip.reusable) self->put_back(std::move(connection));
        if (trip.response || trip.answered || !may_replay(request)) co_return std::move(trip.response);
    }
    auto opened = co_await HttpConnection::open(url, request.mark, self->tls);
    if (!opened) co_return forward_error(opened);
    auto trip = co_await (*opened)->exchange(url, request);
    if (trip.reusable) self->put_back(std::move(*opened));
    co_return std::move(trip.response);
}

HttpClient::HttpClient() : HttpClient(Settings{}) {}
HttpClient::HttpClient(Settings settings) : state_(std::make_shared<State>(std::move(settings))) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Task<Result<HttpResponse>> HttpClient::request(HttpRequest request) {
    const auto state = state_;
    if (auto valid = check_request(request); !valid) co_return forward_error(valid);
    auto url = parse_http_url(request.url);
    if (!url) co_return forward_error(url);
    const auto limit = request.timeout;
    auto what = url->place() + ": no answer within " + std::to_string(limit.count()) + " ms";
    co_return co_await with_timeout(State::exchange(state, std::move(request), std::move(*url)), limit,
                                    std::move(what));
}

void HttpClient::close_idle() {
    state_->idle.clear();
}

Task<Result<HttpResponse>> http_request(HttpRequest request) {
    HttpClient::Settings settings;
    settings.max_idle = 0;
    HttpClient client(std::move(settings));
    co_return co_await client.request(std::move(request));
}

}  // namespace myst::sys
