// Our client and our full node against a relay that is not ours, over loopback connections. The relay is started by
// MYST_FOREIGN_RELAY, a Python program (run.py sets it); without it the tests are skipped.
#include <cstdlib>
#include <set>

#include <gmock/gmock.h>

#include "myst/db/light_network.hpp"
#include "myst/db/replication_fixtures.hpp"
#include "myst/sys/child_process.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

/// A fresh foreign relay for each test.
class ForeignRelay : public ::testing::Test {
protected:
    void SetUp() override {
        const auto program = variable("MYST_FOREIGN_RELAY");
        if (program.empty()) GTEST_SKIP() << "MYST_FOREIGN_RELAY names no relay; use tests/interop/run.py";
        sys::ChildSettings settings;
        settings.program = "/usr/bin/env";
        settings.arguments = {"python3", program};
        settings.environment = {"PATH=" + variable("PATH"), "HOME=" + variable("HOME")};
        settings.log_name = "foreign relay";
        auto started = sys::ChildProcess::start(settings);
        ASSERT_TRUE(started) << started.error().describe();
        relay_.emplace(std::move(*started));
        asio::io_context context;
        EXPECT_EQ(run_task(context, wait_for_url()), nullptr);
        ASSERT_TRUE(RelayUrl::parse(url_)) << relay_->last_output();
    }
    [[nodiscard]] RelayUrl url() const { return *RelayUrl::parse(url_); }
    /// A client that keeps a connection to the relay for as long as the test lives.
    std::unique_ptr<RelayClient> client() {
        auto made = std::make_unique<RelayClient>(world.loop.executor(), world.clock, world.rng, world.workers,
                                                  quick_client(url()));
        world.loop.group.spawn("client", made->run());
        return made;
    }
    std::unique_ptr<LightNetwork> light_node() {
        auto made = std::make_unique<LightNetwork>(world.loop.executor(), world.clock, world.rng, world.workers,
                                                   quick_set({url()}));
        world.loop.group.spawn("light node", made->run());
        return made;
    }

    World world;

private:
    Task<> wait_for_url() {
        co_await until([this] {
            const auto said = relay_->last_output();
            const auto begin = said.find("ws://");
            const auto end = said.find('\n', begin);
            if (begin == std::string::npos) return !relay_->running();
            url_ = said.substr(begin, end - begin);
            return true;
        });
    }
    std::optional<sys::ChildProcess> relay_;
    std::string url_;
};

std::vector<codec::Filter> proposals(std::string country = {}) {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kProposalKind};
    if (!country.empty()) {
        filters[0].tags['s'] = {"wireguard"};
        filters[0].tags['c'] = {std::move(country)};
    }
    return filters;
}

std::vector<Hash32> ids_of(const std::vector<SharedRecord>& records) {
    std::vector<Hash32> ids;
    for (const auto& record : records) ids.push_back(record->event().id);
    return ids;
}

Task<> publish(RelayClient* client, SharedRecord record) {
    auto answer = co_await client->publish(std::move(record));
    EXPECT_TRUE(answer) << answer.error().message;
}

Task<> publish_all(RelayClient* client, std::vector<SharedRecord> records) {
    for (std::size_t at = 0; at < records.size();) {
        TaskGroup together(co_await asio::this_coro::executor);
        for (std::size_t end = std::min(at + 100, records.size()); at < end; ++at) {
            together.spawn("publish", publish(client, records[at]));
        }
        co_await together.join();
    }
}

Task<std::vector<SharedRecord>> ask(RelayClient* client, std::vector<codec::Filter> filters, std::size_t limit) {
    auto found = co_await client->query(std::move(filters), limit);
    EXPECT_TRUE(found) << found.error().message;
    co_return found ? std::move(*found) : std::vector<SharedRecord>{};
}

Task<> finds(RelayClient* client, UnixTime now) {
    const auto german = Record::verify(make_proposal(key_of(1), now - seconds(1), "DE")).value();
    const auto dutch = Record::verify(make_proposal(key_of(2), now, "NL")).value();
    co_await publish(client, german);
    co_await publish(client, dutch);
    auto found = co_await ask(client, proposals("DE"), 10);
    EXPECT_THAT(ids_of(found), ElementsAre(german->event().id));
    found = co_await ask(client, proposals(), 10);
    EXPECT_THAT(ids_of(found), ElementsAre(dutch->event().id, german->event().id)) << "newest first";
    found = co_await ask(client, proposals(), 1);
    EXPECT_THAT(ids_of(found), ElementsAre(dutch->event().id));
    auto earlier = proposals();
    earlier[0].until = german->event().created_at;
    found = co_await ask(client, std::move(earlier), 10);
    EXPECT_THAT(ids_of(found), ElementsAre(german->event().id));
}

TEST_F(ForeignRelay, TakesProposalsAndFindsThemByFilters) {
    auto one = client();
    world.loop.run(finds(one.get(), world.now()));
}

Task<> replaces(RelayClient* client, LightNetwork* reader, UnixTime now) {
    const auto older = Record::verify(make_proposal(key_of(1), now - seconds(2), "DE", "old")).value();
    const auto newer = Record::verify(make_proposal(key_of(1), now - seconds(1), "DE", "new")).value();
    co_await publish(client, older);
    co_await publish(client, newer);
    auto found = co_await reader->query(proposals(), 10);
    EXPECT_TRUE(found) << found.error().message;
    if (found) {
        EXPECT_THAT(*found, ElementsAre(newer->event()));
    }
    // Withdrawn, as a provider does it: by a version that expires at once.
    std::vector<codec::Tag> tags = {{"d", "wireguard"}, expires(now + seconds(1))};
    co_await publish(client, make_record(key_of(1), kProposalKind, now, std::move(tags), "{}"));
    for (bool gone = false; !gone;) {
        found = co_await reader->query(proposals(), 10);
        EXPECT_TRUE(found);
        gone = !found || found->empty();
        co_await sleep_for(milliseconds(20));
    }
}

TEST_F(ForeignRelay, KeepsOneVersionAndForgetsWhatIsWithdrawn) {
    auto author = client();
    auto reader = light_node();
    world.loop.run(replaces(author.get(), reader.get(), world.now()));
}

Task<> delivers(RelayClient* sender, LightNetwork* recipient, LightNetwork* other, UnixTime now) {
    std::vector<codec::Event> got;
    std::vector<codec::Event> overheard;
    const auto box =
        recipient->subscribe(envelopes_to(key_of(2).node_key()), [&](const auto& each) { got.push_back(each); });
    const auto wrong =
        other->subscribe(envelopes_to(key_of(3).node_key()), [&](const auto& each) { overheard.push_back(each); });
    // The subscription is not acknowledged, so the sender asks until the first one arrives.
    for (int i = 0; got.empty(); ++i) {
        const auto text = "first " + std::to_string(i);
        const auto envelope = make_envelope(key_of(1), key_of(2).node_key(), now, text);
        co_await publish(sender, Record::verify(envelope).value());
        co_await sleep_for(milliseconds(20));
    }
    got.clear();
    const auto envelope = make_envelope(key_of(1), key_of(2).node_key(), now, "second");
    co_await publish(sender, Record::verify(envelope).value());
    co_await until([&] { return !got.empty() && got.back() == envelope; });
    EXPECT_THAT(overheard, IsEmpty());
    auto stored = co_await ask(sender, envelopes_to(key_of(2).node_key()), 10);
    EXPECT_THAT(stored, IsEmpty()) << "an envelope is ephemeral";
}

TEST_F(ForeignRelay, PassesEnvelopesToTheirRecipient) {
    auto sender = client();
    auto recipient = light_node();
    auto other = light_node();
    world.loop.run(delivers(sender.get(), recipient.get(), other.get(), world.now()));
}

Task<> reads_in_pages(RelayClient* author, LightNetwork* reader, UnixTime now) {
    co_await publish_all(author, series(now, 0, 700));
    std::set<Hash32> seen;
    auto filters = proposals();
    for (bool more = true; more;) {
        auto page = co_await reader->query(filters, 200);
        EXPECT_TRUE(page) << page.error().message;
        if (!page || page->empty()) break;
        more = false;
        for (const auto& event : *page) more |= seen.insert(event.id).second;
        filters[0].until = page->back().created_at;
    }
    EXPECT_THAT(seen, SizeIs(700));
}

TEST_F(ForeignRelay, CanBeReadInPages) {
    auto author = client();
    auto reader = light_node();
    world.loop.run(reads_in_pages(author.get(), reader.get(), world.now()));
}

/// Asks for 100 ids at a time: the relay sends an answer's end a delayed ACK after its last record.
Task<> until_the_relay_has(RelayClient* client, std::vector<SharedRecord> records) {
    for (std::size_t at = 0; at < records.size(); at += 100) {
        std::vector<codec::Filter> filters(1);
        const auto count = std::min<std::size_t>(records.size() - at, 100);
        for (std::size_t i = 0; i < count; ++i) filters[0].ids.push_back(records[at + i]->event().id);
        for (std::size_t found = 0; found != count;) {
            const auto answer = co_await ask(client, filters, count);
            found = answer.size();
            if (found != count) co_await sleep_for(milliseconds(20));
        }
    }
}

Task<> reconciles(World* world, RelayClient* author, Follower* node) {
    const auto now = world->now();
    auto all = series(now, 0, 1'500, 1'500);
    // Too many for the fall-back of relays that cannot reconcile, the newest 500.
    std::vector<SharedRecord> theirs(all.begin(), all.begin() + 1'200);
    std::vector<SharedRecord> mine(all.begin() + 1'000, all.end());
    co_await publish_all(author, std::move(theirs));
    co_await put_all(*node->store, mine, now);
    world->loop.group.spawn("full node", node->network->run());
    co_await until_it_has(node->hub, 1'500);
    co_await until_the_relay_has(author, std::move(mine));
}

TEST_F(ForeignRelay, AndAFullNodeHaveTheSameRecordsAfterReconciliation) {
    auto author = client();
    Follower node(world, {url()});
    world.loop.run(reconciles(&world, author.get(), &node));
}

Task<> replicates(World* world, RelayClient* stranger, Follower* node) {
    world->loop.group.spawn("full node", node->network->run());
    co_await until([&] { return node->network->relays().front().connected; });
    const auto now = world->now();
    const auto own = make_proposal(key_of(1), now);
    auto report = co_await node->network->publish(own);
    EXPECT_TRUE(report) << report.error().message;
    auto records = std::vector{Record::verify(own).value()};
    co_await until_the_relay_has(stranger, std::move(records));
    co_await publish(stranger, Record::verify(make_proposal(key_of(2), now)).value());
    co_await until_it_has(node->hub, 2);
}

TEST_F(ForeignRelay, AndAFullNodePassEachOtherWhatIsNew) {
    auto stranger = client();
    Follower node(world, {url()});
    world.loop.run(replicates(&world, stranger.get(), &node));
}

}  // namespace
}  // namespace myst::db::test
