// What strangers send to a relay to forge, roll back, fill or exhaust it, and the answer that each refusal gets.
#include <cstdlib>
#include <random>

#include "myst/codec/proof_of_work.hpp"
#include "myst/db/record_table.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

constexpr unsigned kBits = 8;

/// Takes work from strangers, and everybody's mailboxes are guarded.
class HostileInput : public ::testing::Test {
protected:
    static AdmissionPolicy policy() {
        AdmissionPolicy policy;
        policy.min_pow_bits = kBits;
        return policy;
    }
    static RelayLimits limits() {
        RelayLimits limits;
        limits.messages_per_second = 100'000;
        limits.burst = 100'000;
        return limits;
    }
    World world;
    TestRelay relay{world, limits(), 0, false, {*RelayUrl::parse("ws://127.0.0.1"), true}, policy()};
};

/// With the work that the relay asks for.
codec::Event mined(codec::Event event, const crypto::PrivateKey& key) {
    event.pubkey = key.node_key();
    EXPECT_TRUE(codec::add_work(event, kBits, 0, 1U << 20));
    codec::sign_event(event, key, Hash32{});
    return event;
}

Task<std::unique_ptr<WebSocket>> enter(TestRelay& relay) {
    auto socket = co_await dial(relay.url());
    co_await expect_start(socket.get(), R"(["AUTH",)");
    co_return socket;
}

/// Sends an event and expects an OK with this verdict.
Task<> send_event(WebSocket* socket, codec::Event event, bool accepted, std::string message) {
    co_await say(socket, encode_event(codec::to_json(event)));
    const auto text = co_await hear(socket);
    const auto expected = encode_ok(event.id, accepted, message);
    EXPECT_EQ(text.substr(0, expected.size() - 2), expected.substr(0, expected.size() - 2));
}

/// The connection still serves.
Task<> expect_service(WebSocket* socket) {
    co_await say(socket, R"(["REQ","still",{"kinds":[30510]}])");
    for (;;) {
        const auto text = co_await hear(socket);
        EXPECT_FALSE(text.starts_with("closed:")) << text;
        if (text == encode_eose("still") || text.starts_with("closed:")) co_return;
    }
}

TEST(HostileRecord, OfTenThousandForgeriesNoneIsTaken) {
    const auto genuine = make_proposal(key_of(1), at(1'700'000'000));
    const auto text = encode_event(codec::to_json(genuine));
    std::mt19937 random(7);
    std::size_t taken = 0;
    std::size_t decoded = 0;
    for (int i = 0; i < 10'000; ++i) {
        auto forged = text;
        // A digit, a letter or a bit somewhere else.
        const auto place = random() % forged.size();
        forged[place] =
            i % 2 == 0 ? static_cast<char>(forged[place] ^ (1 << random() % 7)) : "0123456789abcdef"[random() % 16];
        const auto message = decode_client_message(forged, {});
        if (!message || !std::holds_alternative<EventMessage>(*message)) continue;
        ++decoded;
        if (std::get<EventMessage>(*message).record->event() != genuine) ++taken;
    }
    EXPECT_EQ(taken, 0U);
    EXPECT_LT(decoded, 1'000U) << "only what changes nothing, such as the same digit again, may pass";
}

TEST(HostileRecord, AnOldVersionDoesNotComeBackAfterTheNewestHasExpired) {
    const auto now = at(1'700'000'000);
    auto table = RecordTable::open(":memory:", {}).value();
    const auto version = [&](std::int64_t offset, std::int64_t life) {
        return make_record(key_of(1), kProposalKind, now + seconds(offset),
                           {{"d", "wireguard"}, expires(now + seconds(offset + life))});
    };
    const auto old = version(0, 86'400);
    const auto newest = version(10, 60);
    ASSERT_EQ(table.put({old}, now)->front(), PutOutcome::stored);
    ASSERT_EQ(table.put({newest}, now)->front(), PutOutcome::stored);
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    for (std::int64_t later = 70; later < 86'400; later += 8'000) {
        const auto then = now + seconds(later);
        ASSERT_TRUE(table.purge(then));
        EXPECT_EQ(table.put({old}, then)->front(), PutOutcome::older) << later;
        EXPECT_TRUE(table.find({filter}, 10, then)->empty());
    }
    EXPECT_EQ(table.put({old}, now + seconds(86'400))->front(), PutOutcome::expired);
}

Task<> from_the_future(World& world, TestRelay& relay) {
    relay.start();
    auto client = co_await enter(relay);
    for (const std::int64_t ahead : {120LL, 86'400LL, (1LL << 53) - 1 - world.now().time_since_epoch().count()}) {
        auto event = make_proposal(key_of(1), world.now() + seconds(ahead));
        co_await send_event(client.get(), std::move(event), false, "invalid: created_at is too far in the future");
    }
    co_await expect_service(client.get());
}

TEST_F(HostileInput, NothingIsTakenFromTheFuture) {
    world.loop.run(from_the_future(world, relay));
}

Task<> oversize(World& world, TestRelay& relay) {
    relay.start();
    auto client = co_await enter(relay);
    const auto proposal = [&](std::string content) {
        return make_event(key_of(1), kProposalKind, world.now(), {{"d", "x"}, expires(world.now() + seconds(60))},
                          std::move(content));
    };
    co_await send_event(client.get(), proposal(std::string(8 * 1024 + 1, 'x')), false,
                        "invalid: the content of the proposal is too large");
    auto tags = std::vector<codec::Tag>(65, codec::Tag{"d", "x"});
    co_await send_event(client.get(), make_event(key_of(1), kProposalKind, world.now(), std::move(tags)), false,
                        "invalid: too many tags");
    auto large = make_event(key_of(1), kProposalKind, world.now(),
                            {{"a", std::string(4'000, 'x')},
                             {"b", std::string(4'000, 'x')},
                             {"c", std::string(4'000, 'x')},
                             {"d", std::string(4'000, 'x')},
                             {"e", std::string(4'000, 'x')}});
    co_await send_event(client.get(), std::move(large), false, "invalid: the tags are too large");
    co_await say(client.get(), encode_event(codec::to_json(proposal(std::string(64 * 1024 + 1, 'x')))));
    co_await expect_start(client.get(), R"(["NOTICE","invalid: )");
    co_await expect_service(client.get());
    co_await say(client.get(), std::string(128 * 1024 + 1, ' '));
    co_await expect_start(client.get(), "closed: ");
}

TEST_F(HostileInput, NothingTooLargeIsTaken) {
    world.loop.run(oversize(world, relay));
}

Task<> flood(World& world, TestRelay& relay) {
    relay.start();
    auto client = co_await enter(relay);
    // Junk where the offers are, from many keys: without work, and with it from one key.
    for (int i = 0; i < 500; ++i) {
        auto junk =
            make_proposal(key_of(static_cast<std::uint8_t>(10 + i % 200)), world.now(), "DE", std::to_string(i));
        co_await send_event(client.get(), std::move(junk), false, "pow: difficulty 0 is less than 8");
    }
    for (std::size_t i = 0; i < 50; ++i) {
        std::vector<codec::Tag> tags = {{"d", "service-" + std::to_string(i)}, {"s", "wireguard"}};
        tags.push_back(expires(world.now() + seconds(3600)));
        auto junk = mined(make_event(key_of(2), kProposalKind, world.now(), std::move(tags)), key_of(2));
        const bool fits = i < StoreLimits{}.stranger.names;
        co_await send_event(client.get(), std::move(junk), fits,
                            fits ? "" : "rate-limited: this author has too many names of this kind here");
    }
    auto offer = mined(make_proposal(key_of(1), world.now()), key_of(1));
    co_await send_event(client.get(), offer, true, "");
    co_await say(client.get(), R"(["REQ","offers",{"kinds":[30510],"#s":["wireguard"]}])");
    std::size_t found = 0;
    for (;;) {
        const auto text = co_await hear(client.get());
        if (text == encode_eose("offers")) break;
        EXPECT_TRUE(text.starts_with(R"(["EVENT")")) << text;
        if (!text.starts_with(R"(["EVENT")")) break;
        ++found;
    }
    EXPECT_EQ(found, 1 + StoreLimits{}.stranger.names) << "nothing else was kept";
}

TEST_F(HostileInput, AFloodOfStrangersDoesNotHideAnOffer) {
    world.loop.run(flood(world, relay));
}

/// A proposal of the service that everybody asks for; nobody has its author's key, as nobody checks what the store
/// holds.
SharedRecord junk(UnixTime now, std::uint32_t n) {
    codec::Event event;
    event.kind = kProposalKind;
    event.created_at = now - seconds(n / 200);
    event.tags = {{"d", "wireguard"}, {"s", "wireguard"}, {"c", "DE"}, expires(now + seconds(3600))};
    for (std::size_t i = 0; i < 4; ++i) {
        event.pubkey.bytes[i] = event.id.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
    }
    return Record::restore(codec::to_json(event)).value();
}

struct Answer {
    std::size_t records = 0;
    std::size_t bytes = 0;
    std::int64_t oldest = INT64_MAX;
    bool has_it = false;
};

Task<Answer> ask(WebSocket* socket, codec::Filter filter, Hash32 wanted) {
    std::vector<codec::Filter> filters(1);
    filters[0] = std::move(filter);
    co_await say(socket, encode_req("q", filters));
    Answer answer;
    for (;;) {
        const auto text = co_await hear(socket);
        if (!text.starts_with(R"(["EVENT")")) {
            EXPECT_EQ(text, encode_eose("q"));
            co_return answer;
        }
        ++answer.records;
        answer.bytes += text.size();
        const auto place = text.find(R"("created_at":)");
        answer.oldest = std::min<std::int64_t>(answer.oldest, std::strtoll(text.c_str() + place + 13, nullptr, 10));
        answer.has_it = answer.has_it || text.find(wanted.hex()) != std::string::npos;
    }
}

Task<> look_in_junk(World& world, TestRelay& relay) {
    relay.start();
    const auto now = world.now();
    const auto offer = make_record(key_of(1), kProposalKind, now - seconds(100),
                                   {{"d", "wireguard"}, {"s", "wireguard"}, {"c", "DE"}, expires(now + seconds(3600))});
    const auto id = offer->event().id;
    TaskGroup puts(world.loop.executor());
    const auto put = [](RecordStore& store, SharedRecord record, UnixTime time) -> Task<> {
        auto outcome = co_await store.put(std::move(record), time);
        EXPECT_TRUE(outcome && *outcome == PutOutcome::stored);
    };
    puts.spawn("offer", put(*relay.store, offer, now));
    for (std::uint32_t n = 1; n <= 5'000; ++n) puts.spawn("junk", put(*relay.store, junk(now, n), now));
    co_await puts.join();
    auto client = co_await enter(relay);
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    filter.tags['s'] = {"wireguard"};
    // As consumers do: page after page, each within the relay's bounds.
    std::size_t pages = 0;
    for (bool found = false; !found && pages < 20; ++pages) {
        const auto answer = co_await ask(client.get(), filter, id);
        EXPECT_LE(answer.records, 500U);
        EXPECT_LE(answer.bytes, 4U * 1024 * 1024);
        found = answer.has_it;
        filter.until = at(answer.oldest);
    }
    EXPECT_LT(pages, 20U) << "a consumer gives up then";
    EXPECT_GT(pages, 10U) << "the junk is in front of it";
    // Whoever knows the author is not kept busy by others at all.
    codec::Filter by_author;
    by_author.kinds = {kProposalKind};
    by_author.authors = {key_of(1).node_key()};
    const auto answer = co_await ask(client.get(), by_author, id);
    EXPECT_TRUE(answer.has_it);
    EXPECT_EQ(answer.records, 1U);
}

TEST_F(HostileInput, FiveThousandJunkRecordsDoNotHideTheRightOne) {
    world.loop.run(look_in_junk(world, relay));
}

Task<> deep(TestRelay& relay) {
    relay.start();
    auto client = co_await enter(relay);
    auto* socket = client.get();
    const std::string nested = std::string(30'000, '[') + std::string(30'000, ']');
    const std::string objects = [] {
        std::string text;
        for (int i = 0; i < 10'000; ++i) text += R"({"a":)";
        return text + "1" + std::string(10'000, '}');
    }();
    for (const auto& bomb : {nested, objects}) {
        for (const auto* before : {R"(["EVENT",)", R"(["AUTH",)", R"(["REQ","x",)", R"(["NEG-OPEN","x",)", "["}) {
            co_await say(socket, before + bomb + "]");
            co_await expect_start(socket, R"(["NOTICE","invalid: )");
        }
    }
    co_await expect_service(socket);
}

TEST_F(HostileInput, DeepJsonIsRefusedAndTheConnectionGoesOn) {
    world.loop.run(deep(relay));
}

/// One refusal of each kind, in the order of the table in docs/records.md.
Task<> refusals(World& world, TestRelay& relay) {
    relay.start();
    auto client = co_await enter(relay);
    auto* socket = client.get();
    const auto now = world.now();
    const auto key = key_of(1);
    const auto offer = mined(make_proposal(key, now), key);
    co_await send_event(socket, make_event(key, kProposalKind, now), false, "invalid: a proposal must carry");
    co_await send_event(socket, make_event(key, 1, now), false, "blocked: this relay does not keep kind 1");
    co_await send_event(socket, make_proposal(key, now), false, "pow: difficulty 0 is less than 8");
    co_await send_event(socket, offer, true, "");
    co_await send_event(socket, offer, true, "duplicate: this record is here already");
    co_await send_event(socket, mined(make_proposal(key, now - seconds(9)), key), false, "duplicate: a newer version");
    const auto unwanted = mined(make_proposal(key_of(2), now), key_of(2));
    const auto wish = mined(make_event(key_of(2), kDeletionKind, now, {{"e", unwanted.id.hex()}}), key_of(2));
    co_await send_event(socket, wish, true, "");
    co_await send_event(socket, unwanted, false, "blocked: the author has deleted this record");
    std::vector<codec::Filter> nothing(1);
    nothing[0].limit = 0;
    for (int i = 0; i < 17; ++i) co_await say(socket, encode_req("s" + std::to_string(i), nothing));
    for (int i = 0; i < 16; ++i) co_await expect_text(socket, encode_eose("s" + std::to_string(i)));
    co_await expect_start(socket, R"(["CLOSED","s16","rate-limited: )");
    co_await say(socket, R"(["REQ","s0",{"kinds":[20510]}])");
    co_await expect_start(socket, R"(["CLOSED","s0","auth-required: )");
    co_await say(socket, R"(["NEG-OPEN","n",{"kinds":[1059]},"61"])");
    co_await expect_start(socket, R"(["NEG-ERR","n","restricted: )");
}

TEST_F(HostileInput, EveryRefusalSaysWhatItIs) {
    world.loop.run(refusals(world, relay));
}

}  // namespace
}  // namespace myst::db::test
