// Shared by the tests of replication: a fixed series of records, nodes that can be compared, a relay that lies.
#pragma once

#include <set>

#include "myst/db/fake_relay.hpp"
#include "myst/db/full_network.hpp"

namespace myst::db::test {

/// Proposals `from` up to, not including, `to` of a fixed series, a second apart and each of an author of its own; all
/// within `span` seconds, after which the times are the same again.
inline std::vector<SharedRecord> series(UnixTime now, std::uint16_t from, std::uint16_t to,
                                        std::uint16_t span = 1'000) {
    std::vector<SharedRecord> records;
    for (; from < to; ++from) {
        std::array<std::uint8_t, 32> bytes{};
        bytes[0] = 1;
        bytes[30] = static_cast<std::uint8_t>(from >> 8);
        bytes[31] = static_cast<std::uint8_t>(from);
        const auto key = crypto::PrivateKey::from(bytes).value();
        records.push_back(Record::verify(make_proposal(key, now - seconds(from % span))).value());
    }
    return records;
}

inline std::size_t bytes_of(const std::vector<SharedRecord>& records) {
    std::size_t bytes = 0;
    for (const auto& record : records) bytes += record->json().size();
    return bytes;
}

inline Task<> put_all(RecordStore& store, std::vector<SharedRecord> records, UnixTime now) {
    for (auto& record : records) {
        auto outcome = co_await store.put(std::move(record), now);
        EXPECT_TRUE(outcome && *outcome == PutOutcome::stored);
    }
}

/// What a node has, in a form that can be compared.
inline Task<std::vector<SyncItem>> content_of(RecordHub& hub) {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    auto items = co_await hub.items(filter, 100'000);
    EXPECT_TRUE(items);
    if (!items) co_return std::vector<SyncItem>{};
    std::sort(items->begin(), items->end());
    co_return std::move(*items);
}

inline Task<> until_it_has(RecordHub& hub, std::size_t count) {
    for (;;) {
        const auto content = co_await content_of(hub);
        if (content.size() >= count) co_return;
        co_await sleep_for(milliseconds(10));
    }
}

/// A store and its hub with the network of a node, without a relay of its own.
struct Follower {
    Follower(World& world, std::vector<RelayUrl> peers, milliseconds interval = milliseconds(300'000),
             milliseconds answer_timeout = milliseconds(10'000), AdmissionPolicy policy = {}, StoreLimits limits = {})
        : store(open_store(limits)), hub(*store, world.clock, std::move(policy)) {
        FullNetwork::Settings settings;
        settings.peers = quick_set(std::move(peers));
        settings.peers.client.answer_timeout = answer_timeout;
        settings.reconcile_interval = interval;
        network =
            std::make_unique<FullNetwork>(world.loop.executor(), hub, world.clock, world.rng, world.workers, settings);
    }
    std::unique_ptr<SqliteRecordStore> store;
    RecordHub hub;
    std::unique_ptr<FullNetwork> network;
};

/// A relay that answers as a test says.
struct OddRelay {
    explicit OddRelay(World& world) : acceptor(listen_on_loopback(world)) {}
    asio::ip::tcp::acceptor acceptor;
    std::string to_neg_open;           ///< "$" stands for the name
    std::vector<SharedRecord> stored;  ///< handed out to every query
    bool forges = false;               ///< what it hands out has another content than was signed
    bool mute = false;                 ///< never answers a query
    std::string to_event;              ///< why no record is taken; empty: all are
    int opened = 0;                    ///< NEG-OPENs
    int offered = 0;                   ///< EVENTs
    std::vector<UnixTime> order;       ///< of the EVENTs, as they came
    int queries = 0;                   ///< other than subscriptions
    std::set<Hash32> asked;            ///< the ids in those
    [[nodiscard]] RelayUrl url() const { return url_of(acceptor); }
    Task<> run() {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        auto receiving = receive(std::move(socket));
        const auto client = co_await std::move(receiving);
        EXPECT_TRUE(client);
        if (client) co_await serve(client.get());
    }
    Task<> serve(WebSocket* client) {
        for (;;) {
            auto text = co_await client->read();
            if (!text) co_return;
            auto message = decode_client_message(*text, {});
            EXPECT_TRUE(message) << *text;
            if (!message) continue;
            if (auto* open = std::get_if<NegOpenMessage>(&*message)) {
                ++opened;
                auto answer = to_neg_open;
                const auto place = answer.find('$');
                if (place != std::string::npos) answer.replace(place, 1, open->name);
                if (!answer.empty()) co_await say(client, std::move(answer));
            } else if (auto* event = std::get_if<EventMessage>(&*message)) {
                ++offered;
                order.push_back(event->record->event().created_at);
                co_await say(client, encode_ok(event->record->event().id, to_event.empty(), to_event));
            } else if (auto* req = std::get_if<ReqMessage>(&*message)) {
                co_await answer_req(client, std::move(*req));
            }
        }
    }
    Task<> answer_req(WebSocket* client, ReqMessage req) {
        const bool query = req.subscription.starts_with('q');
        if (query) ++queries;
        for (const auto& filter : req.filters) asked.insert(filter.ids.begin(), filter.ids.end());
        for (std::size_t i = 0; query && i < stored.size(); ++i) {
            const auto& event = stored[i]->event();
            const auto wanted = [&](const codec::Filter& filter) { return filter.matches(event); };
            if (std::none_of(req.filters.begin(), req.filters.end(), wanted)) continue;
            auto text = stored[i]->json();
            if (forges) text.replace(text.find("test"), 4, "fake");
            co_await say(client, encode_relay_event(req.subscription, text));
        }
        if (query && mute) co_return;
        co_await say(client, encode_eose(req.subscription));
    }
};

}  // namespace myst::db::test
