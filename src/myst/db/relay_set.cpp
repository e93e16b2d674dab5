#include "myst/db/relay_set.hpp"

#include <algorithm>

#include "myst/base/log.hpp"
#include "myst/db/version_filter.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::db {
namespace {

/// One relay's answer to something that all were asked.
template <class T>
struct Answer {
    std::string relay;
    std::optional<Result<T>> outcome;
};

/// Questions under way; shared with the asking tasks, which may outlast the wait.
template <class T>
struct Round {
    explicit Round(const asio::any_io_executor& executor) : changed(executor) {}
    EventSignal changed;
    std::vector<Answer<T>> answers;
    std::size_t open = 0;
    bool succeeded = false;
};

template <class T>
Task<> ask_one(std::shared_ptr<Round<T>> round, std::size_t index, Task<Result<T>> question) {
    auto outcome = co_await std::move(question);
    round->succeeded = round->succeeded || outcome.has_value();
    round->answers[index].outcome = std::move(outcome);
    --round->open;
    round->changed.notify();
}

/// Until everyone has answered, or `grace` after the first success, or `limit`.
template <class T>
Task<> wait_for_answers(std::shared_ptr<Round<T>> round, milliseconds grace, milliseconds limit) {
    auto deadline = std::chrono::steady_clock::now() + limit;
    bool in_grace = false;
    while (round->open > 0) {
        if (round->succeeded && !in_grace) {
            in_grace = true;
            deadline = std::min(deadline, std::chrono::steady_clock::now() + grace);
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) co_return;
        std::ignore = co_await round->changed.wait(left);
    }
}

/// Whether these filters name kinds, and none whose records are only for those who follow them at the moment.
bool is_public(const std::vector<codec::Filter>& filters) {
    return std::all_of(filters.begin(), filters.end(), [](const codec::Filter& filter) {
        return !filter.kinds.empty() && std::none_of(filter.kinds.begin(), filter.kinds.end(), [](std::uint32_t kind) {
            return codec::classify_kind(kind) == codec::KindClass::ephemeral;
        });
    });
}

}  // namespace

/// Ends the subscription when it is destroyed.
class RelaySet::Handle final : public ports::Subscription {
public:
    explicit Handle(std::shared_ptr<Live> live) : live_(std::move(live)) {}

private:
    std::shared_ptr<Live> live_;
};

RelaySet::RelaySet(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers, Settings settings)
    : executor_(executor),
      clock_(clock),
      rng_(rng),
      workers_(workers),
      settings_(std::move(settings)),
      tasks_(executor) {
    for (const auto& url : settings_.relays) {
        auto client = settings_.client;
        client.url = url;
        std::ignore = add(std::move(client), Trust::configured);
    }
}

std::shared_ptr<RelayClient> RelaySet::add(RelayClient::Settings settings, Trust trust) {
    auto client = std::make_shared<RelayClient>(executor_, clock_, rng_, workers_, std::move(settings));
    client->on_connected([this, trust, weak = std::weak_ptr<RelayClient>(client)] {
        const auto connected = weak.lock();
        if (!connected) return;
        if (trust == Trust::configured && !kept_.empty()) tasks_.spawn("own records to a relay", send_kept(weak));
        if (on_connected_) on_connected_(*connected);
    });
    clients_.push_back(client);
    if (trust == Trust::found) found_.insert(client.get());
    for (const auto& each : live_) {
        if (const auto live = each.lock()) subscribe_at(*client, *live, trust);
    }
    return client;
}

void RelaySet::subscribe_at(RelayClient& client, Live& live, Trust trust) {
    if (trust == Trust::found && !is_public(live.filters)) return;
    live.parts.emplace(&client, client.subscribe(live.filters, live.callback));
}

RelaySet::Trust RelaySet::trust_in(const RelayClient& client) const {
    return found_.contains(&client) ? Trust::found : Trust::configured;
}

void RelaySet::remove(const RelayClient& client) {
    for (const auto& each : live_) {
        if (const auto live = each.lock()) live->parts.erase(&client);
    }
    found_.erase(&client);
    std::erase_if(clients_, [&](const auto& each) { return each.get() == &client; });
}

Task<> RelaySet::run() {
    for (const auto& client : clients_) tasks_.spawn("relay client", client->run());
    co_await tasks_.join();
}

std::vector<RelayClient*> RelaySet::chosen(Absent absent) {
    std::vector<RelayClient*> connected;
    std::vector<RelayClient*> all;
    for (const auto& client : clients_) {
        if (trust_in(*client) == Trust::found) continue;
        all.push_back(client.get());
        if (client->connected()) connected.push_back(client.get());
    }
    return connected.empty() && absent == Absent::wait_for ? all : connected;
}

Task<ports::PublishReport> RelaySet::publish(SharedRecord record, Absent absent) {
    auto round = std::make_shared<Round<std::string>>(executor_);
    const auto asked = chosen(absent);
    round->open = asked.size();
    for (auto* client : asked) round->answers.push_back({client->status().url, std::nullopt});
    for (std::size_t i = 0; i < asked.size(); ++i) {
        tasks_.spawn("publishing", ask_one<std::string>(round, i, asked[i]->publish(record)));
    }
    ports::PublishReport report;
    for (const auto& client : clients_) {
        if (trust_in(*client) == Trust::found) continue;
        if (std::find(asked.begin(), asked.end(), client.get()) != asked.end()) continue;
        report.rejected.emplace_back(client->status().url, "not connected");
    }
    co_await wait_for_answers<std::string>(round, settings_.grace, settings_.client.answer_timeout);
    for (const auto& answer : round->answers) {
        if (!answer.outcome) {
            report.rejected.emplace_back(answer.relay, "no answer in time");
        } else if (*answer.outcome) {
            report.accepted.push_back(answer.relay);
        } else {
            report.rejected.emplace_back(answer.relay, answer.outcome->error().message);
        }
    }
    co_return report;
}

void RelaySet::keep(const SharedRecord& record) {
    const auto address = address_of(record->event());
    if (!address) return;
    std::erase_if(kept_,
                  [now = clock_.unix_now()](const auto& entry) { return is_expired(entry.second->event(), now); });
    if (kept_.size() >= settings_.max_kept && !kept_.contains(*address)) {
        log::warn("relays: more than {} own records; one will not be sent again after a reconnect", settings_.max_kept);
        return;
    }
    kept_.insert_or_assign(*address, record);
}

Task<> RelaySet::send_kept(std::weak_ptr<RelayClient> relay) {
    std::vector<SharedRecord> records;
    for (const auto& [address, record] : kept_) {
        if (!is_expired(record->event(), clock_.unix_now())) records.push_back(record);
    }
    for (auto& record : records) {
        const auto client = relay.lock();
        if (!client) co_return;
        auto publishing = client->publish(std::move(record));
        auto sent = co_await std::move(publishing);
        if (!sent) log::debug("relay {}: own record: {}", client->status().url, sent.error().message);
    }
}

Task<Result<std::vector<SharedRecord>>> RelaySet::query(std::vector<codec::Filter> filters, std::size_t limit) {
    using Records = std::vector<SharedRecord>;
    auto round = std::make_shared<Round<Records>>(executor_);
    const auto asked = chosen(Absent::wait_for);
    round->open = asked.size();
    for (auto* client : asked) round->answers.push_back({client->status().url, std::nullopt});
    for (std::size_t i = 0; i < asked.size(); ++i) {
        tasks_.spawn("query", ask_one<Records>(round, i, asked[i]->query(filters, limit)));
    }
    co_await wait_for_answers<Records>(round, settings_.grace, settings_.client.answer_timeout);
    Records all;
    std::string reasons;
    for (auto& answer : round->answers) {
        if (answer.outcome && *answer.outcome) {
            auto& records = **answer.outcome;
            std::move(records.begin(), records.end(), std::back_inserter(all));
        } else {
            reasons += "; " + (answer.outcome ? answer.outcome->error().message : answer.relay + ": no answer in time");
        }
    }
    if (!round->succeeded) {
        co_return fail(ErrorCode::unavailable, "no relay answered" + reasons,
                       "check the relay addresses and the network");
    }
    co_return merge_answers(std::move(all), clock_.unix_now(), limit);
}

std::unique_ptr<ports::Subscription> RelaySet::subscribe(std::vector<codec::Filter> filters,
                                                         RelayClient::Callback callback) {
    auto live = std::make_shared<Live>(Live{std::move(filters), std::move(callback)});
    for (const auto& client : clients_) subscribe_at(*client, *live, trust_in(*client));
    std::erase_if(live_, [](const std::weak_ptr<Live>& each) { return each.expired(); });
    live_.push_back(live);
    return std::make_unique<Handle>(std::move(live));
}

std::vector<RelayUrl> RelaySet::reached() const {
    std::vector<RelayUrl> result;
    for (const auto& client : clients_) {
        if (client->connected() && trust_in(*client) == Trust::configured) result.push_back(client->url());
    }
    return result;
}

std::vector<ports::RelayStatus> RelaySet::status() const {
    std::vector<ports::RelayStatus> result;
    for (const auto& client : clients_) result.push_back(client->status());
    return result;
}

}  // namespace myst::db
