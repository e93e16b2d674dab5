// Proofs of keys (NIP-42), and what only recipients may read.
#include "myst/db/relay_auth.hpp"

#include <boost/asio/ip/tcp.hpp>

#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

const UnixTime kNow = at(1'700'000'000);

RelayUrl here() {
    return *RelayUrl::parse("ws://127.0.0.1");
}

/// A relay that keeps gift wraps, and hands out envelopes to proven recipients only.
RelayAccess strict() {
    return {here(), true};
}
AdmissionPolicy with_gift_wraps() {
    AdmissionPolicy policy;
    policy.kinds.push_back(codec::kGiftWrapKind);
    return policy;
}

struct Fault {
    const char* name;
    void (*change)(codec::Event& answer);
    const char* expected;  ///< empty: none
};

void PrintTo(const Fault& fault, std::ostream* out) {
    *out << fault.name;
}

class AuthFault : public ::testing::TestWithParam<Fault> {};

TEST_P(AuthFault, IsFound) {
    auto answer = answer_challenge(here(), "c0ffee", key_of(1), kNow, Hash32{});
    ASSERT_TRUE(codec::verify_event(answer));
    GetParam().change(answer);
    const auto fault = find_fault(answer, here(), "c0ffee", kNow);
    EXPECT_EQ(fault.value_or("").substr(0, std::string(GetParam().expected).size()), GetParam().expected);
    EXPECT_EQ(fault.has_value(), *GetParam().expected != '\0');
}

INSTANTIATE_TEST_SUITE_P(
    Answers, AuthFault,
    ::testing::Values(Fault{"None", [](codec::Event&) {}, ""},
                      Fault{"OtherPath", [](codec::Event& e) { e.tags[0][1] = "ws://127.0.0.1:80/x"; }, ""},
                      Fault{"TenMinutesOld", [](codec::Event& e) { e.created_at -= seconds(600); }, ""},
                      Fault{"Old", [](codec::Event& e) { e.created_at -= seconds(601); }, "the answer's time"},
                      Fault{"Early", [](codec::Event& e) { e.created_at += seconds(601); }, "the answer's time"},
                      Fault{"OtherKind", [](codec::Event& e) { e.kind = 1; }, "an AUTH message takes"},
                      Fault{"OtherChallenge", [](codec::Event& e) { e.tags[1][1] = "c0ffe"; }, "the challenge"},
                      Fault{"NoChallenge", [](codec::Event& e) { e.tags.pop_back(); }, "the challenge"},
                      Fault{"OtherRelay", [](codec::Event& e) { e.tags[0][1] = "ws://127.0.0.2"; },
                            "the answer is for another relay"},
                      Fault{"OtherPort", [](codec::Event& e) { e.tags[0][1] = "ws://127.0.0.1:81"; },
                            "the answer is for another relay"},
                      Fault{"NoRelay", [](codec::Event& e) { e.tags.erase(e.tags.begin()); },
                            "the answer is for another relay"}),
    [](const auto& each) { return std::string(each.param.name); });

std::string mailbox_req(const std::string& name, const NodeKey& owner, std::uint32_t kind = kEnvelopeKind) {
    codec::Filter filter;
    filter.kinds = {kind};
    filter.tags['p'] = {owner.hex()};
    return encode_req(name, {filter});
}

/// Reads the challenge and answers it with a key.
Task<std::string> read_challenge(WebSocket* socket) {
    const auto text = co_await hear(socket);
    const auto message = decode_relay_message(text, {});
    const auto* challenge = message ? std::get_if<RelayChallenge>(&*message) : nullptr;
    EXPECT_NE(challenge, nullptr) << text;
    co_return challenge != nullptr ? challenge->text : "";
}

Task<> prove(World& world, WebSocket* socket, std::string challenge, std::uint8_t key, std::string expected) {
    const auto answer = answer_challenge(here(), challenge, key_of(key), world.now(), Hash32{});
    co_await say(socket, encode_auth(codec::to_json(answer)));
    co_await expect_text(socket, encode_ok(answer.id, expected.empty(), expected));
}

Task<> mailboxes(World& world, TestRelay& relay) {
    relay.start();
    const auto own = key_of(1).node_key();
    const auto other = key_of(2).node_key();
    auto reader = co_await dial(relay.url());
    auto* socket = reader.get();
    const auto challenge = co_await read_challenge(socket);
    EXPECT_EQ(challenge.size(), 64U);
    const std::string reason = ": these records are for their recipients; prove your key and name it with #p";
    co_await say(socket, mailbox_req("a", own));
    co_await expect_text(socket, encode_closed("a", "auth-required" + reason));
    co_await prove(world, socket, "another", 1, "invalid: the challenge is another one");
    co_await prove(world, socket, challenge, 1, "");
    co_await say(socket, mailbox_req("a", own));
    co_await expect_text(socket, encode_eose("a"));
    co_await say(socket, mailbox_req("b", other));
    co_await expect_text(socket, encode_closed("b", "restricted" + reason));
    co_await say(socket, R"(["REQ","c",{"kinds":[20510]}])");
    co_await expect_text(socket, encode_closed("c", "restricted" + reason));
    // Nor both in one filter, nor his own in one and the other's in the next.
    const auto both = [&](const std::string& name, bool apart) {
        std::vector<codec::Filter> filters(apart ? 2 : 1);
        for (auto& filter : filters) filter.kinds = {kEnvelopeKind};
        filters.front().tags['p'].push_back(own.hex());
        filters.back().tags['p'].push_back(other.hex());
        return encode_req(name, filters);
    };
    co_await say(socket, both("b", false));
    co_await expect_text(socket, encode_closed("b", "restricted" + reason));
    co_await say(socket, both("b", true));
    co_await expect_text(socket, encode_closed("b", "restricted" + reason));
    // A filter that names no kind is no way round.
    co_await say(socket, R"(["REQ","d",{"#p":[")" + other.hex() + R"("]}])");
    co_await expect_text(socket, encode_eose("d"));
    const auto foreign = *Record::verify(make_envelope(key_of(3), other, world.now(), "x"));
    const auto mine = *Record::verify(make_envelope(key_of(3), own, world.now(), "y"));
    for (const auto& record : {foreign, mine}) {
        auto receipt = co_await relay.hub.submit(record);
        EXPECT_TRUE(receipt.accepted);
    }
    co_await expect_text(socket, encode_relay_event("a", mine->json()));
    co_await prove(world, socket, challenge, 2, "");
    co_await say(socket, mailbox_req("b", other));
    co_await expect_text(socket, encode_eose("b"));
}

Task<> many_keys(World& world, TestRelay& relay) {
    relay.start();
    auto reader = co_await dial(relay.url());
    auto* socket = reader.get();
    const auto challenge = co_await read_challenge(socket);
    for (std::uint8_t n = 1; n <= 16; ++n) co_await prove(world, socket, challenge, n, "");
    co_await prove(world, socket, challenge, 17, "rate-limited: too many keys on this connection");
    co_await prove(world, socket, challenge, 1, "");
    // Nobody proves a key that he does not hold.
    auto forged = answer_challenge(here(), challenge, key_of(18), world.now(), Hash32{});
    forged.pubkey = key_of(1).node_key();
    forged.id = codec::event_id(forged);
    co_await say(socket, encode_auth(codec::to_json(forged)));
    const auto refusal = encode_ok(forged.id, false, "invalid: ");
    co_await expect_start(socket, refusal.substr(0, refusal.size() - 2));
}

TEST(RelayAuth, AConnectionProvesAFewKeysAndOnlyThoseThatItHolds) {
    World world;
    TestRelay relay(world, {}, 0, false, strict());
    world.loop.run(many_keys(world, relay));
}

Task<> no_url(World& world, TestRelay& relay) {
    relay.start();
    auto reader = co_await dial(relay.url());
    co_await say(reader.get(), mailbox_req("a", key_of(1).node_key(), codec::kGiftWrapKind));
    co_await expect_text(reader.get(), encode_closed("a", "blocked: this relay cannot tell recipients from others"));
    std::ignore = world;
}

TEST(RelayAuth, WithoutAUrlNobodyReadsGiftWraps) {
    World world;
    TestRelay relay(world, {}, 0, false, {}, with_gift_wraps());
    world.loop.run(no_url(world, relay));
}

TEST(RelayAuth, EnvelopesMayBeKeptForTheirRecipients) {
    World world;
    TestRelay relay(world, {}, 0, false, strict());
    world.loop.run(mailboxes(world, relay));
}

SharedRecord gift(UnixTime now, std::uint8_t to) {
    return make_record(key_of(9), codec::kGiftWrapKind, now - seconds(1'000),
                       {{"p", key_of(to).node_key().hex()}, expires(now + seconds(86'400))}, "sealed");
}

Task<> gifts(World& world, TestRelay& relay) {
    relay.start();
    const auto mine = gift(world.now(), 1);
    const auto foreign = gift(world.now(), 2);
    for (const auto& record : {mine, foreign}) {
        auto receipt = co_await relay.hub.submit(record);
        EXPECT_TRUE(receipt.accepted) << receipt.message;
    }
    auto reader = co_await dial(relay.url());
    auto* socket = reader.get();
    const auto challenge = co_await read_challenge(socket);
    // Neither by everything nor by id: a stranger does not even learn that they are there.
    co_await say(socket, R"(["REQ","all",{}])");
    co_await expect_text(socket, encode_eose("all"));
    co_await say(socket, R"(["REQ","id",{"ids":[")" + foreign->event().id.hex() + R"("]}])");
    co_await expect_text(socket, encode_eose("id"));
    co_await say(socket, mailbox_req("mine", key_of(1).node_key(), codec::kGiftWrapKind));
    co_await expect_start(socket, R"(["CLOSED","mine","auth-required:)");
    co_await prove(world, socket, challenge, 1, "");
    co_await say(socket, mailbox_req("mine", key_of(1).node_key(), codec::kGiftWrapKind));
    co_await expect_text(socket, encode_relay_event("mine", mine->json()));
    co_await expect_text(socket, encode_eose("mine"));
    co_await say(socket, R"(["REQ","id",{"ids":[")" + foreign->event().id.hex() + R"("]}])");
    co_await expect_text(socket, encode_eose("id"));
    co_await say(socket, R"(["NEG-OPEN","n",{"kinds":[1059]},"61"])");
    co_await expect_start(socket, R"(["NEG-ERR","n","restricted:)");
    co_await say(socket, R"(["NEG-OPEN","n",{"ids":[")" + foreign->event().id.hex() + R"("]},"61"])");
    co_await expect_start(socket, R"(["NEG-ERR","n","restricted:)");
}

TEST(RelayAuth, GiftWrapsAreForTheirRecipients) {
    World world;
    TestRelay relay(world, {}, 0, false, {here(), false}, with_gift_wraps());
    world.loop.run(gifts(world, relay));
}

Task<> unasked(World& world, TestRelay& relay) {
    relay.start();
    auto reader = co_await dial(relay.url());
    auto* socket = reader.get();
    co_await prove(world, socket, "", 1, "invalid: this relay asks nobody who he is");
    const auto event = answer_challenge(here(), "x", key_of(1), world.now(), Hash32{});
    co_await say(socket, encode_event(codec::to_json(event)));
    co_await expect_text(socket,
                         encode_ok(event.id, false, "invalid: a proof of a key is not for others; send it as AUTH"));
    co_await say(socket, mailbox_req("a", key_of(1).node_key()));
    co_await expect_text(socket, encode_eose("a"));
}

TEST(RelayAuth, WithoutAUrlNobodyIsAsked) {
    World world;
    TestRelay relay(world);
    world.loop.run(unasked(world, relay));
}

/// A free port of the loopback address, which only a relay that shares it can use meanwhile.
struct ReservedPort {
    explicit ReservedPort(World& world) : socket(world.loop.context, asio::ip::tcp::v4()) {
        socket.set_option(asio::socket_base::reuse_address(true));
        socket.bind({asio::ip::address_v4::loopback(), 0});
    }
    [[nodiscard]] std::uint16_t number() const { return socket.local_endpoint().port(); }
    [[nodiscard]] RelayAccess strict() const { return {loopback_url(number()), true}; }
    asio::ip::tcp::socket socket;
};

struct Reader {
    Reader(World& world, RelayUrl url, std::shared_ptr<const ports::MailboxKeys> keys) {
        auto settings = quick_client(std::move(url));
        settings.mailboxes = std::move(keys);
        client = std::make_unique<RelayClient>(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    }
    std::unique_ptr<RelayClient> client;
};

Task<> read_mailboxes(World& world, TestRelay& relay, Reader& reader, std::shared_ptr<ports::MailboxKeys> keys) {
    relay.start();
    const auto node = keys->hold(key_of(1));
    std::vector<std::string> got;
    const auto take = [&got](const SharedRecord& record) { got.push_back(record->event().content); };
    codec::Filter first;
    first.kinds = {kEnvelopeKind};
    first.tags['p'] = {key_of(1).node_key().hex()};
    auto second = first;
    second.tags['p'] = {key_of(2).node_key().hex()};
    // The first is there before the connection, and so before the challenge; the second asks with another key later.
    const auto before = reader.client->subscribe({first}, take);
    world.loop.group.spawn("client", reader.client->run());
    co_await until([&] { return relay.hub.followers() == 1; });
    const auto session = keys->hold(key_of(2));
    const auto after = reader.client->subscribe({second}, take);
    co_await until([&] { return relay.hub.followers() == 2; });
    auto to_first = make_envelope(key_of(3), key_of(1).node_key(), world.now(), "first");
    auto to_second = make_envelope(key_of(3), key_of(2).node_key(), world.now(), "second");
    for (auto* event : {&to_first, &to_second}) {
        auto receipt = co_await relay.hub.submit(*Record::verify(*event));
        EXPECT_EQ(receipt.delivered, 1U);
    }
    co_await until([&] { return got.size() == 2; });
    EXPECT_EQ(got, (std::vector<std::string>{"first", "second"}));
    EXPECT_TRUE(reader.client->connected());
}

TEST(RelayAuth, OurClientProvesTheKeysOfItsMailboxes) {
    World world;
    const ReservedPort port(world);
    TestRelay relay(world, {}, port.number(), false, port.strict());
    auto keys = std::make_shared<ports::MailboxKeys>();
    Reader reader(world, relay.url(), keys);
    world.loop.run(read_mailboxes(world, relay, reader, keys));
}

Task<> come_back(World& world, TestRelay& relay, Reader& reader, const ReservedPort& port) {
    relay.start();
    codec::Filter filter;
    filter.kinds = {kEnvelopeKind};
    filter.tags['p'] = {key_of(1).node_key().hex()};
    const auto following = reader.client->subscribe({filter}, [](const SharedRecord&) {});
    world.loop.group.spawn("client", reader.client->run());
    co_await until([&] { return relay.hub.followers() == 1; });
    co_await relay.stop();
    TestRelay again(world, {}, port.number(), false, port.strict());
    again.start();
    co_await until([&] { return again.hub.followers() == 1; });
    co_await again.stop();
}

TEST(RelayAuth, OurClientProvesItsKeysAnewInEveryConnection) {
    World world;
    const ReservedPort port(world);
    TestRelay relay(world, {}, port.number(), false, port.strict());
    auto keys = std::make_shared<ports::MailboxKeys>();
    const auto held = keys->hold(key_of(1));
    Reader reader(world, relay.url(), keys);
    world.loop.run(come_back(world, relay, reader, port));
}

Task<> refused(World& world, TestRelay& relay, Reader& reader) {
    relay.start();
    codec::Filter filter;
    filter.kinds = {kEnvelopeKind};
    filter.tags['p'] = {key_of(1).node_key().hex()};
    const auto following = reader.client->subscribe({filter}, [](const SharedRecord&) {});
    world.loop.group.spawn("client", reader.client->run());
    co_await until([&] { return reader.client->status().last_error.find("auth-required") != std::string::npos; });
}

TEST(RelayAuth, AClientWithoutTheKeySaysWhatTheRelayWants) {
    World world;
    TestRelay relay(world, {}, 0, false, strict());
    Reader reader(world, relay.url(), std::make_shared<ports::MailboxKeys>());
    world.loop.run(refused(world, relay, reader));
}

TEST(RelayAuth, AClientWhoseProofIsRefusedDoesNotProveItForEver) {
    World world;
    // It calls itself otherwise than the client calls it.
    TestRelay relay(world, {}, 0, false, strict());
    auto keys = std::make_shared<ports::MailboxKeys>();
    const auto held = keys->hold(key_of(1));
    Reader reader(world, relay.url(), keys);
    world.loop.run(refused(world, relay, reader));
}

}  // namespace
}  // namespace myst::db::test
