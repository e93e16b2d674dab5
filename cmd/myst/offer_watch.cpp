#include "offer_watch.hpp"

#include <csignal>
#include <ctime>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/asio/signal_set.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "myst/crypto/strict_json.hpp"
#include "reply_values.hpp"
#include "request.hpp"
#include "views.hpp"

namespace myst::console {
namespace {

namespace json = boost::json;

/// What was shown, and prints what is different.
class Shown {
public:
    explicit Shown(const Options& options) : options_(options) {}

    void take(const json::value& event, const std::string& text) {
        if (options_.json) {
            fmt::print("{}\n", text);
        } else {
            show(event);
        }
        std::fflush(stdout);
    }

private:
    void show(const json::value& event) {
        const auto kind = text_at(event, "event");
        if (kind == "proposal") show_offer(at(event, "proposal"));
        if (kind == "proposal_gone") show_gone(event);
        if (kind == "proposals_complete") show_first();
    }
    void show_offer(const json::value& offer) {
        auto line = offer_line(offer);
        if (!is_complete_) first_.push_back(offer);
        auto [place, is_new] = lines_.try_emplace(name_of(offer), line);
        if (!is_new && place->second == line) return;
        place->second = std::move(line);
        show_change(is_new ? '+' : '*', place->second);
    }
    void show_gone(const json::value& event) {
        const auto place = lines_.find(name_of(event));
        if (place == lines_.end()) return;
        show_change('-', place->second);
        lines_.erase(place);
    }
    void show_first() {
        is_complete_ = true;
        const json::object page{{"proposals", std::move(first_)}, {"next", nullptr}};
        fmt::print("{}", view_of(options_, page));
    }
    void show_change(char what, const std::string& line) const {
        if (!is_complete_) return;
        fmt::print("{:%H:%M:%S}  {}  {}\n", fmt::localtime(std::time(nullptr)), what, line);
    }
    static std::string name_of(const json::value& value) {
        return text_at(value, "provider") + " " + text_at(value, "service");
    }

    const Options& options_;
    json::array first_;
    bool is_complete_ = false;
    std::map<std::string, std::string> lines_;
};

/// The failure that an event tells, if it tells one.
std::optional<Failure> failure_in(const json::value& event) {
    if (text_at(event, "event") != "error") return std::nullopt;
    return failure_of(event);
}

}  // namespace

Task<Outcome<>> watch_offers(Options options, ApiClient& api) {
    auto message = subscription_of(options);
    if (!message) co_return tl::unexpected<Failure>(std::move(message).error());
    auto events = co_await api.open_events();
    if (!events) co_return tl::unexpected<Failure>(std::move(events).error());
    auto& socket = **events;
    bool is_interrupted = false;
    const auto executor = co_await asio::this_coro::executor;
    asio::signal_set signals(executor, SIGINT, SIGTERM);
    signals.async_wait([&is_interrupted, &socket](const boost::system::error_code& ec, int) {
        if (ec) return;  // the watch is over
        is_interrupted = true;
        socket.abort();
    });
    auto sending = socket.write(std::make_shared<const std::string>(std::move(*message)));
    auto sent = co_await std::move(sending);
    if (!sent) co_return tl::unexpected<Failure>(lost_daemon(std::move(sent.error())));
    Shown shown(options);
    for (;;) {
        auto text = co_await socket.read();
        if (is_interrupted) co_return Outcome<>{};
        if (!text) co_return tl::unexpected<Failure>(lost_daemon(std::move(text.error())));
        const auto event = crypto::parse_json(*text, kMaxEventBytes);
        if (!event) co_return give_up(Exit::failure, event.error());
        if (auto failure = failure_in(*event)) co_return tl::unexpected<Failure>(std::move(*failure));
        shown.take(*event, *text);
    }
}

}  // namespace myst::console
