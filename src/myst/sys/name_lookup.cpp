#include "myst/sys/name_lookup.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace myst::sys {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using Addresses = std::vector<asio::ip::address>;

Addresses addresses_in(const tcp::resolver::results_type& results) {
    Addresses addresses;
    for (const auto& each : results) {
        const auto address = each.endpoint().address();
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
    }
    return addresses;
}

/// A lookup that its waiter can leave: getaddrinfo itself cannot be interrupted.
struct Lookup {
    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {
        done.expires_at(asio::steady_timer::time_point::max());
    }
    tcp::resolver resolver;
    asio::steady_timer done;
    error_code ec;
    Addresses addresses;
    bool ended = false;

    void take(const error_code& outcome, const tcp::resolver::results_type& results) {
        ec = outcome;
        addresses = addresses_in(results);
        ended = true;
        done.cancel();
    }
};

}  // namespace

Task<Result<Addresses>> look_up(std::string host) {
    error_code not_literal;
    const auto literal = asio::ip::make_address(host, not_literal);
    if (!not_literal) co_return Addresses(1, literal);
    const auto executor = co_await asio::this_coro::executor;
    auto lookup = std::make_shared<Lookup>(executor);
    lookup->resolver.async_resolve(host, "",
                                   [lookup](const error_code& ec, const auto& results) { lookup->take(ec, results); });
    while (!lookup->ended) {
        std::ignore = co_await lookup->done.async_wait(no_throw);
        if (!lookup->ended) co_await unwind_if_cancelled();
    }
    if (lookup->ec) co_return fail(ErrorCode::unavailable, "name lookup: " + lookup->ec.message());
    co_return std::move(lookup->addresses);
}

namespace {

/// A question to the side thread, which its asker can leave.
struct SideQuestion {
    explicit SideQuestion(const asio::any_io_executor& executor) : answered(executor) {
        answered.expires_at(asio::steady_timer::time_point::max());
    }
    asio::steady_timer answered;
    std::optional<Result<Addresses>> answer;
};

/// Runs on the side thread.
Result<Addresses> resolve_by_system(const std::string& host) {
    asio::io_context context;
    tcp::resolver resolver(context);
    error_code ec;
    const auto results = resolver.resolve(host, "", ec);
    if (ec) return fail(ErrorCode::unavailable, "name lookup: " + ec.message());
    return addresses_in(results);
}

}  // namespace

class SideLookup::Impl {
public:
    explicit Impl(Resolve resolve) : resolve_(std::move(resolve)) {}
    ~Impl() { thread_.join(); }

    Task<Result<Addresses>> look_up(std::string host) {
        if (busy_.exchange(true)) co_return fail(ErrorCode::limit_exceeded, "name lookup: another one is under way");
        const auto executor = co_await asio::this_coro::executor;
        auto question = std::make_shared<SideQuestion>(executor);
        asio::post(thread_, [this, executor, question, host = std::move(host)]() mutable {
            auto answer = resolve_(host);
            busy_.store(false);
            asio::post(executor, [question = std::move(question), answer = std::move(answer)]() mutable {
                question->answer = std::move(answer);
                question->answered.cancel();
            });
        });
        while (!question->answer) {
            std::ignore = co_await question->answered.async_wait(no_throw);
            if (!question->answer) co_await unwind_if_cancelled();
        }
        co_return std::move(*question->answer);
    }

private:
    const Resolve resolve_;
    std::atomic<bool> busy_ = false;
    asio::thread_pool thread_{1};  ///< last member: joined before the others go
};

SideLookup::SideLookup() : SideLookup(resolve_by_system) {}
SideLookup::SideLookup(Resolve resolve) : impl_(std::make_unique<Impl>(std::move(resolve))) {}
SideLookup::~SideLookup() = default;

Task<Result<Addresses>> SideLookup::look_up(std::string host) {
    error_code not_literal;
    const auto literal = asio::ip::make_address(host, not_literal);
    if (!not_literal) co_return Addresses(1, literal);
    auto asking = impl_->look_up(std::move(host));
    co_return co_await std::move(asking);
}

}  // namespace myst::sys
