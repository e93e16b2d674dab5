#include "myst/db/envelope_carrier.hpp"

#include <algorithm>

#include "myst/base/at_exit.hpp"
#include "myst/base/log.hpp"
#include "myst/base/random_below.hpp"
#include "myst/db/publishing.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::db {

using detail::Errand;

namespace {

constexpr std::size_t kMaxMessage = 32 * 1024;    ///< an envelope has less than 16 KiB
constexpr std::size_t kMaxReceived = 128 * 1024;  ///< from one relay
constexpr std::size_t kMaxLookups = 4;

std::vector<codec::Filter> addressed_to(const NodeKey& key, std::uint32_t kind) {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kind};
    filters[0].tags['p'] = {key.hex()};
    return filters;
}

}  // namespace

/// One envelope and its ways. Shared with subscriptions.
struct detail::Errand {
    Errand(const asio::any_io_executor& executor, SharedRecord sent, ports::EnvelopeExchange from)
        : changed(executor),
          envelope(std::move(sent)),
          filters(addressed_to(from.key.node_key(), envelope->event().kind)),
          is_answer(std::move(from.is_answer)),
          limit(from.limit),
          key(keys->hold(std::move(from.key))) {}

    void take(const codec::Event& event) {
        if (answered || !is_answer(event)) return;
        answered = true;
        changed.notify();
    }
    void note(const std::string& reason) { reasons += "; " + reason; }
    void end_way() {
        --ways;
        changed.notify();
    }
    [[nodiscard]] Result<> outcome() const {
        if (answered) return {};
        if (taken) return fail(ErrorCode::timeout, "no answer came" + reasons);
        return fail(ErrorCode::unavailable, "no relay took the envelope" + reasons,
                    "check the relay addresses and the network");
    }

    EventSignal changed;
    const SharedRecord envelope;
    const std::vector<codec::Filter> filters;
    const std::function<bool(const codec::Event&)> is_answer;
    const milliseconds limit;
    /// What may be proven to a relay that is called for this: one key, and no other.
    const std::shared_ptr<ports::MailboxKeys> keys = std::make_shared<ports::MailboxKeys>();
    const std::unique_ptr<ports::MailboxKeys::Held> key;
    std::size_t ways = 0;  ///< by which the answer may still come
    bool taken = false;    ///< by a relay
    bool answered = false;
    std::string reasons;  ///< why one did not take it
};

namespace {

Task<> wait_for_end(std::shared_ptr<Errand> errand) {
    while (!errand->answered && errand->ways > 0) co_await errand->changed.wait();
}

Task<> own_way(ports::RecordNetwork& own, std::shared_ptr<Errand> errand) {
    const AtExit ended([errand] { errand->end_way(); });
    auto publishing = own.publish(errand->envelope->event());
    auto published = co_await std::move(publishing);
    if (published) {
        errand->taken = true;
        co_await sleep_for(errand->limit);
    } else {
        errand->note(published.error().message);
    }
}

/// A call of one relay.
struct Visit {
    RelayClient relay;
    TaskGroup tasks;
    std::string failure{};
    bool taken = false;
};

Task<> connect(Visit* visit) {
    std::ignore = co_await visit->relay.connect_once();
    visit->tasks.cancel();
}

/// The subscription for the answer was sent before. What the relay says to a question after it shows that it is in
/// force, or that it was sent again with the proof that the relay wants.
Task<Result<std::string>> hand_over(RelayClient* relay, std::shared_ptr<Errand> errand) {
    auto asking = relay->query(errand->filters, 1);
    std::ignore = co_await std::move(asking);
    auto publishing = relay->publish(errand->envelope);
    co_return co_await std::move(publishing);
}

Task<> leave_envelope(Visit* visit, std::shared_ptr<Errand> errand, milliseconds limit) {
    auto limited = with_timeout(hand_over(&visit->relay, errand), limit, "it did not answer");
    auto taken = co_await std::move(limited);
    visit->taken = taken.has_value();
    if (taken) {
        errand->taken = true;
        co_await sleep_for(errand->limit);
    } else {
        visit->failure = taken.error().message;
    }
    visit->tasks.cancel();
}

}  // namespace

EnvelopeCarrier::EnvelopeCarrier(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers,
                                 RelayClient::Settings client, Settings settings)
    : executor_(std::move(executor)),
      clock_(clock),
      rng_(rng),
      workers_(workers),
      client_(std::move(client)),
      settings_(std::move(settings)) {}

Task<Result<>> EnvelopeCarrier::carry(ports::RecordNetwork& own, std::vector<RelayUrl> reached,
                                      ports::EnvelopeExchange exchange) {
    auto verifying = verify_own(workers_, exchange.envelope);
    auto envelope = co_await std::move(verifying);
    if (!envelope) co_return forward_error(envelope);
    co_await unwind_if_cancelled();
    const auto relays = choose(std::move(exchange.relays), reached);
    auto errand = std::make_shared<Errand>(executor_, std::move(*envelope), std::move(exchange));
    const auto subscription =
        own.subscribe(errand->filters, [errand](const codec::Event& event) { errand->take(event); });
    TaskGroup ways(executor_);
    errand->ways = 1 + relays.size();
    ways.spawn("envelope", own_way(own, errand));
    for (const auto& url : relays) ways.spawn("envelope to a relay of an offer", visit(url, errand));
    auto waiting = with_children(wait_for_end(errand), ways, [] {});
    co_await std::move(waiting);
    co_return errand->outcome();
}

std::vector<RelayUrl> EnvelopeCarrier::choose(std::vector<std::string> named, const std::vector<RelayUrl>& reached) {
    const auto most = std::min(settings_.visits, settings_.all_visits - std::min(settings_.all_visits, visits_));
    std::vector<RelayUrl> chosen;
    while (!named.empty() && chosen.size() < most) {
        std::swap(named[random_below(rng_, named.size())], named.back());
        auto url = RelayUrl::parse(named.back());
        named.pop_back();
        if (!url || std::find(reached.begin(), reached.end(), *url) != reached.end()) continue;
        const auto literal = literal_of(*url);
        if (!may_connect(url->port) || (literal && !may_connect(*literal, settings_.scope))) continue;
        // One of a network, so that an offer cannot send its readers to one host several times.
        const bool is_near = std::any_of(chosen.begin(), chosen.end(), [group = group_of(*url)](const RelayUrl& other) {
            return group_of(other) == group;
        });
        if (!is_near) chosen.push_back(std::move(*url));
    }
    return chosen;
}

Task<> EnvelopeCarrier::visit(RelayUrl url, std::shared_ptr<Errand> errand) {
    ++visits_;
    const AtExit ended([this, errand] {
        --visits_;
        errand->end_way();
    });
    LookUp look = settings_.look_up;
    if (!look) look = [this](std::string host) { return look_up(std::move(host)); };
    auto looking = permitted_address(std::move(look), url, settings_.scope, settings_.step);
    auto address = co_await std::move(looking);
    if (!address) {
        errand->note(url.text() + ": " + address.error().message);
        co_return;
    }
    co_await unwind_if_cancelled();
    Visit visit{{executor_, clock_, rng_, workers_, visitor(url, *address, *errand)}, TaskGroup(executor_)};
    const auto subscription =
        visit.relay.subscribe(errand->filters, [errand](const SharedRecord& record) { errand->take(record->event()); });
    visit.tasks.spawn("connection", connect(&visit));
    visit.tasks.spawn("envelope", leave_envelope(&visit, errand, settings_.step));
    co_await visit.tasks.join();
    if (visit.taken) co_return;
    errand->note(url.text() + ": " + (visit.failure.empty() ? visit.relay.status().last_error : visit.failure));
}

RelayClient::Settings EnvelopeCarrier::visitor(RelayUrl url, asio::ip::address address, const Errand& errand) const {
    auto settings = client_;
    settings.url = std::move(url);
    settings.socket.address = address;
    settings.socket.max_message_bytes = kMaxMessage;
    settings.socket.handshake_timeout = settings_.step;
    settings.mailboxes = errand.keys;
    settings.answer_timeout = settings_.step;
    settings.max_received = kMaxReceived;
    settings.self_check = nullptr;
    settings.known = nullptr;
    return settings;
}

Task<Result<std::vector<asio::ip::address>>> EnvelopeCarrier::look_up(std::string host) {
    for (std::size_t i = 0; i < kMaxLookups; ++i) {
        if (i == names_.size()) names_.push_back(std::make_unique<sys::SideLookup>());
        auto asking = names_[i]->look_up(host);
        auto addresses = co_await std::move(asking);
        const bool busy = !addresses && addresses.error().code == ErrorCode::limit_exceeded;
        if (!busy) co_return addresses;
    }
    co_return fail(ErrorCode::limit_exceeded, "name lookup: too many are under way");
}

}  // namespace myst::db
