#include "myst/db/relay_message.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "myst/db/db_fixtures.hpp"
#include "myst/db/json_array.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const UnixTime kNow = at(1'700'000'000);
const MessageLimits kLimits;

TEST(SplitJsonArray, TakesTheElementsApart) {
    auto parts = split_json_array(R"( [ "a,]\"" , {"x":[1,2]} ,3 ] )", 8);
    ASSERT_TRUE(parts) << parts.error().message;
    EXPECT_THAT(*parts, ElementsAre(R"("a,]\"")", R"({"x":[1,2]})", "3"));
}

TEST(SplitJsonArray, RefusesWhatIsNoArray) {
    for (const char* text : {"", "[", "]", "{}", "[1", "1]", "[1]]", "[[1]", "[1,]", "[,1]", "[]", "[\"]", "[\"\\]",
                             "[}", "[1]x", "[{]}]]", "null"}) {
        EXPECT_FALSE(split_json_array(text, 8)) << text;
    }
    EXPECT_FALSE(split_json_array("[1,2,3]", 2)) << "too many elements";
    EXPECT_FALSE(split_json_array(std::string(100'000, '['), 8)) << "a depth bomb";
    EXPECT_FALSE(split_json_array(std::string(50'000, '[') + std::string(50'000, ']'), 8)) << "a closed depth bomb";
}

TEST(ClientMessage, AnEventIsVerified) {
    const auto event = make_proposal(key_of(1), kNow);
    auto message = decode_client_message(encode_event(codec::to_json(event)), kLimits);
    ASSERT_TRUE(message);
    ASSERT_TRUE(std::holds_alternative<EventMessage>(*message));
    EXPECT_EQ(std::get<EventMessage>(*message).record->event(), event);
}

TEST(ClientMessage, AForgedEventIsAnsweredWithItsId) {
    auto event = make_proposal(key_of(1), kNow);
    event.content += " ";
    auto message = decode_client_message(encode_event(codec::to_json(event)), kLimits);
    ASSERT_FALSE(message);
    EXPECT_THAT(message.error().reply, StartsWith(R"(["OK",")" + event.id.hex() + R"(",false,"invalid: )"));
    event = make_proposal(key_of(1), kNow);
    event.sig.bytes[0] ^= 1;
    message = decode_client_message(encode_event(codec::to_json(event)), kLimits);
    ASSERT_FALSE(message);
    EXPECT_THAT(message.error().reply, HasSubstr("signature"));
}

TEST(ClientMessage, AReconciliationKeepsItsMessage) {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    const Bytes bytes{0x61, 0x00, 0x00, 0x02, 0x00};
    auto message = decode_client_message(encode_neg_open("n\"1", filter, bytes), kLimits);
    ASSERT_TRUE(message);
    const auto& open = std::get<NegOpenMessage>(*message);
    EXPECT_EQ(open.name, "n\"1");
    EXPECT_EQ(open.filter, filter);
    EXPECT_EQ(open.message, bytes);
    message = decode_client_message(encode_neg_message("n", bytes), kLimits);
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<NegMessage>(*message).message, bytes);
    message = decode_client_message(encode_neg_close("n"), kLimits);
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<NegCloseMessage>(*message).name, "n");
    auto reply = decode_relay_message(encode_neg_message("n", bytes), kLimits);
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<NegMessage>(*reply).message, bytes);
    reply = decode_relay_message(R"(["NEG-ERR","n","blocked: too big",1000])", kLimits);
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<RelayNegError>(*reply).message, "blocked: too big");
    EXPECT_FALSE(decode_relay_message(R"(["NEG-MSG","n","0x61"])", kLimits));
}

TEST(ClientMessage, ARequestKeepsItsFilters) {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    filter.tags['c'] = {"DE"};
    filter.limit = 5;
    const std::vector<codec::Filter> filters(2, filter);
    auto message = decode_client_message(encode_req("a \"name\"", filters), kLimits);
    ASSERT_TRUE(message);
    const auto& req = std::get<ReqMessage>(*message);
    EXPECT_EQ(req.subscription, "a \"name\"");
    EXPECT_EQ(req.filters, filters);
}

TEST(ClientMessage, AnswersWhatItCannotUse) {
    std::string many = R"(["REQ","x")";
    for (int i = 0; i < 11; ++i) many += ",{}";
    many += ']';
    const std::vector<std::pair<std::string, std::string>> table = {
        {"", R"(["NOTICE")"},
        {"hello", R"(["NOTICE")"},
        {"[]", R"(["NOTICE")"},
        {R"(["EVENT"])", R"(["NOTICE")"},
        {R"(["EVENT",{}])", R"(["NOTICE")"},
        {R"(["EVENT",{},{}])", R"(["NOTICE")"},
        {R"(["AUTH","x"])", R"(["NOTICE")"},
        {R"(["REQ","x"])", R"(["CLOSED","x","invalid: )"},
        {R"(["REQ","x",[]])", R"(["CLOSED","x","invalid: )"},
        {R"(["REQ","x",{"nonsense":1}])", R"(["CLOSED","x","invalid: )"},
        {R"(["REQ","x",{"kinds":["1"]}])", R"(["CLOSED","x","invalid: )"},
        {many, R"(["CLOSED","x","invalid: too many filters)"},
        {R"(["REQ","",{}])", R"(["NOTICE")"},
        {R"(["REQ",7,{}])", R"(["NOTICE")"},
        {R"(["REQ",")" + std::string(65, 'x') + R"(",{}])", R"(["NOTICE")"},
        {R"(["CLOSE",7])", R"(["NOTICE")"},
        {std::string(kLimits.max_message_bytes + 1, ' '), R"(["NOTICE","invalid: the message is too large")"},
        {R"(["REQ","x",)" + std::string(30, '[') + std::string(30, ']') + "]", R"(["CLOSED","x")"},
        {R"(["REQ","x",)" + std::string(40'000, '[') + "]", R"(["NOTICE")"},
        {"[\"REQ\",\"\xff\",{}]", R"(["NOTICE")"},
    };
    for (const auto& [text, reply] : table) {
        const auto message = decode_client_message(text, kLimits);
        ASSERT_FALSE(message) << text.substr(0, 60);
        EXPECT_THAT(message.error().reply, StartsWith(reply)) << text.substr(0, 60);
    }
}

TEST(RelayMessage, EveryKindIsUnderstood) {
    const auto record = make_record(key_of(1), 1, kNow);
    const auto decode = [](const std::string& text) { return decode_relay_message(text, kLimits).value(); };
    const auto event = std::get<RelayEvent>(decode(encode_relay_event("s1", record->json())));
    EXPECT_EQ(event.subscription, "s1");
    EXPECT_EQ(event.record->event(), record->event());
    const auto ok = std::get<RelayOk>(decode(encode_ok(record->event().id, false, "blocked: no")));
    EXPECT_EQ(ok.id, record->event().id);
    EXPECT_FALSE(ok.accepted);
    EXPECT_EQ(ok.message, "blocked: no");
    EXPECT_EQ(std::get<RelayEose>(decode(encode_eose("s1"))).subscription, "s1");
    EXPECT_EQ(std::get<RelayClosed>(decode(encode_closed("s1", "error: x"))).message, "error: x");
    EXPECT_EQ(std::get<RelayNotice>(decode(encode_notice("hello"))).message, "hello");
    EXPECT_EQ(std::get<RelayChallenge>(decode(encode_challenge("c0ffee"))).text, "c0ffee");
    EXPECT_TRUE(std::holds_alternative<RelayOther>(decode(R"(["COUNT","x",{"count":1}])")));
}

TEST(RelayMessage, TheHeadOfAnEventIsSeenWithoutParsing) {
    const auto record = make_record(key_of(1), 1, at(1'000));
    const auto text = encode_relay_event("s1", record->json());
    const auto head = peek_relay_event(text);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->subscription, "s1");
    EXPECT_EQ(head->id, record->event().id);
    EXPECT_FALSE(peek_relay_event(encode_event(record->json())));
    EXPECT_FALSE(peek_relay_event(encode_eose("s1")));
    EXPECT_FALSE(peek_relay_event(R"(["EVENT","s1",{"kind":1,)" + record->json().substr(1)));
    for (std::size_t length = 0; length < text.find("pubkey") - 3; ++length) {
        EXPECT_FALSE(peek_relay_event(text.substr(0, length))) << length;
    }
}

TEST(RelayMessage, AForgedEventIsAnError) {
    auto event = make_event(key_of(1), 1, kNow);
    event.created_at += seconds(1);
    EXPECT_FALSE(decode_relay_message(encode_relay_event("s", codec::to_json(event)), kLimits));
}

TEST(RelayMessage, RemarksAreShortAndPrintable) {
    const auto notice = std::get<RelayNotice>(
        decode_relay_message(encode_notice("\x1b[31m\n" + std::string(255, 'x') + "ä"), kLimits).value());
    EXPECT_EQ(notice.message, "?[31m?" + std::string(250, 'x') + "…");
}

/// Valid messages of both directions, to be damaged.
std::vector<std::string> specimens() {
    const auto record = make_record(key_of(1), 1, kNow, {{"p", key_of(2).node_key().hex()}}, "text");
    codec::Filter filter;
    filter.kinds = {1};
    return {encode_event(record->json()),
            encode_req("name", {filter}),
            encode_close("name"),
            encode_relay_event("name", record->json()),
            encode_ok(record->event().id, true, ""),
            encode_closed("name", "error: x")};
}

RC_GTEST_PROP(RelayMessages, DamageNeverCrashesOrForges, ()) {
    static const auto originals = specimens();
    auto text = *rc::gen::elementOf(originals);
    const auto changes = *rc::gen::inRange(1, 6);
    for (int i = 0; i < changes; ++i) {
        const auto position = *rc::gen::inRange<std::size_t>(0, text.size());
        switch (*rc::gen::inRange(0, 3)) {
            case 0: text[position] = *rc::gen::arbitrary<char>(); break;
            case 1: text.erase(position, *rc::gen::inRange<std::size_t>(0, 20)); break;
            default: text.insert(position, text.substr(*rc::gen::inRange<std::size_t>(0, text.size()), 30)); break;
        }
        if (text.empty()) break;
    }
    const auto client = decode_client_message(text, kLimits);
    const auto* event = client ? std::get_if<EventMessage>(&*client) : nullptr;
    if (event) RC_ASSERT(codec::verify_event(event->record->event()).has_value());
    const auto relay = decode_relay_message(text, kLimits);
    const auto* received = relay ? std::get_if<RelayEvent>(&*relay) : nullptr;
    if (received) RC_ASSERT(codec::verify_event(received->record->event()).has_value());
}

}  // namespace
}  // namespace myst::db::test
