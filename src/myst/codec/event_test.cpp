#include "myst/codec/event.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/crypto/nip44.hpp"
#include "myst/crypto/sha256.hpp"
#include "vectors/arbitrary.hpp"
#include "vectors/load.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

Event sample() {
    Event event;
    event.created_at = UnixTime(seconds(1'700'000'000));
    event.kind = 1;
    event.tags = {{"d", "x"}, {"expiration", "1800000000"}};
    event.content = "hello";
    sign_event(event, test::private_key(std::string(64, '1')), Hash32{});
    return event;
}

json::object sample_json() {
    return json::parse(to_json(sample())).as_object();
}

std::optional<ErrorCode> error_of(const json::value& value, const EventLimits& limits = {}) {
    const auto event = parse_event(json::serialize(value), limits);
    if (event) return std::nullopt;
    return event.error().code;
}

TEST(Event, PublishedEventsVerify) {
    const auto cases = test::load_json("events.json");
    EXPECT_GE(cases.as_array().size(), 7U);
    for (const auto& each : cases.as_array()) {
        SCOPED_TRACE(test::text(each, "source"));
        const auto event = parse_event(json::serialize(each.at("event")));
        ASSERT_TRUE(event) << event.error().message;
        EXPECT_EQ(event_id(*event).hex(), test::text(each.at("event"), "id"));
        EXPECT_TRUE(verify_event(*event));
    }
}

TEST(Event, CanonicalFormEscapesExactlySevenCharacters) {
    Event event;
    event.created_at = UnixTime(seconds(5));
    event.kind = 7;
    event.tags = {{"t", "a\"b\x02"}, {"x"}};
    event.content = "\n\"\\\r\t\b\f/\x01\x7f é🚀";
    EXPECT_EQ(canonical_form(event),
              "[0,\"" + std::string(64, '0') +
                  "\",5,7,[[\"t\",\"a\\\"b\x02\"],[\"x\"]],\"\\n\\\"\\\\\\r\\t\\b\\f/\x01\x7f é🚀\"]");
    EXPECT_EQ(event_id(event), crypto::sha256(as_bytes(canonical_form(event))));
}

TEST(Event, WireFormEscapesAllControlCharacters) {
    Event event = sample();
    event.content = std::string("a\0b\x1f", 4);
    EXPECT_NE(to_json(event).find(R"("a\u0000b\u001f")"), std::string::npos);
    EXPECT_EQ(parse_event(to_json(event)), event);
}

TEST(Event, AnyChangeIsNoticed) {
    const auto event = sample();
    ASSERT_TRUE(verify_event(event));
    const auto notices = [&event](auto change) {
        auto changed = event;
        change(changed);
        const auto verified = verify_event(changed);
        return !verified && verified.error().code == ErrorCode::invalid_data;
    };
    EXPECT_TRUE(notices([](Event& e) { e.content += " "; }));
    EXPECT_TRUE(notices([](Event& e) { e.kind = 2; }));
    EXPECT_TRUE(notices([](Event& e) { e.created_at += seconds(1); }));
    EXPECT_TRUE(notices([](Event& e) { e.tags[0].emplace_back(); }));
    EXPECT_TRUE(notices([](Event& e) { e.pubkey.bytes[0] ^= 1; }));
    EXPECT_TRUE(notices([](Event& e) { e.id.bytes[0] ^= 1; }));
    EXPECT_TRUE(notices([](Event& e) { e.sig.bytes[63] ^= 1; }));
    EXPECT_TRUE(notices([](Event& e) {
        e.content = "another, with its right id";
        e.id = event_id(e);
    }));
}

TEST(Event, TagsAndExpiration) {
    auto event = sample();
    EXPECT_EQ(event.tag("d"), "x");
    EXPECT_FALSE(event.tag("e"));
    EXPECT_EQ(event.expiration(), UnixTime(seconds(1'800'000'000)));
    for (const char* bad : {"", "-1", "1.5", "soon", "01", "18446744073709551616", "9007199254740992"}) {
        event.tags = {{"expiration", bad}};
        EXPECT_FALSE(event.expiration()) << bad;
    }
    event.tags = {{"expiration"}, {"d"}};
    EXPECT_FALSE(event.expiration());
    EXPECT_FALSE(event.tag("d"));
}

TEST(Event, KindsAreClassifiedAsNip01Says) {
    const std::pair<std::uint32_t, KindClass> cases[] = {
        {0, KindClass::replaceable},      {1, KindClass::regular},          {2, KindClass::regular},
        {3, KindClass::replaceable},      {4, KindClass::regular},          {44, KindClass::regular},
        {1000, KindClass::regular},       {9999, KindClass::regular},       {10'000, KindClass::replaceable},
        {19'999, KindClass::replaceable}, {20'000, KindClass::ephemeral},   {29'999, KindClass::ephemeral},
        {30'000, KindClass::addressable}, {39'999, KindClass::addressable}, {40'000, KindClass::regular},
        {65'535, KindClass::regular}};
    for (const auto& [kind, expected] : cases) EXPECT_EQ(classify_kind(kind), expected) << kind;
}

TEST(Event, ParseWantsExactlyTheSevenMembers) {
    EXPECT_FALSE(error_of(sample_json()));
    for (const char* name : {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"}) {
        auto without = sample_json();
        without.erase(name);
        EXPECT_EQ(error_of(without), ErrorCode::invalid_data) << name;
        auto null = sample_json();
        null[name] = nullptr;
        EXPECT_EQ(error_of(null), ErrorCode::invalid_data) << name;
    }
    auto more = sample_json();
    more["extra"] = 1;
    EXPECT_EQ(error_of(more), ErrorCode::invalid_data);
    auto text = to_json(sample());
    text.insert(1, R"("kind":1,)");
    EXPECT_FALSE(parse_event(text)) << "a member twice";
    for (const char* bad : {"", "[]", "1", "null", "{}", "{\"id\":"}) EXPECT_FALSE(parse_event(bad)) << bad;
}

TEST(Event, ParseWantsTheRightTypes) {
    const auto repeat = [](std::size_t count, char c) { return json::string(count, c); };
    const std::pair<const char*, json::value> cases[] = {{"id", ("0x" + std::string(62, 'a')).c_str()},
                                                         {"id", repeat(63, 'a')},
                                                         {"id", repeat(64, 'A')},
                                                         {"id", repeat(64, 'g')},
                                                         {"pubkey", repeat(65, 'a')},
                                                         {"pubkey", 1},
                                                         {"sig", repeat(64, 'a')},
                                                         {"created_at", -1},
                                                         {"created_at", 1.0},
                                                         {"created_at", "1"},
                                                         {"created_at", 9007199254740992},
                                                         {"created_at", ~std::uint64_t{0}},
                                                         {"kind", -1},
                                                         {"kind", 65'536},
                                                         {"kind", 1.5},
                                                         {"kind", "1"},
                                                         {"content", 1},
                                                         {"content", json::array{}},
                                                         {"tags", "x"},
                                                         {"tags", json::object{}},
                                                         {"tags", json::array{1}},
                                                         {"tags", json::array{"x"}},
                                                         {"tags", json::array{json::value(json::array{})}},
                                                         {"tags", json::array{json::value(json::array{1})}},
                                                         {"tags", json::array{json::value(json::array{"x", nullptr})}}};
    for (const auto& [name, value] : cases) {
        auto changed = sample_json();
        changed[name] = value;
        EXPECT_EQ(error_of(changed), ErrorCode::invalid_data) << name << " " << json::serialize(value);
    }
}

TEST(Event, LimitsHold) {
    const auto with = [](auto change) {
        auto event = sample();
        change(event);
        return json::parse(to_json(event));
    };
    const EventLimits limits{
        .max_content_bytes = 10, .max_tags = 2, .max_tag_fields = 3, .max_tag_bytes = 10, .max_json_bytes = 1000};
    EXPECT_FALSE(error_of(with([](Event& e) { e.content = std::string(10, 'x'); }), limits));
    EXPECT_EQ(error_of(with([](Event& e) { e.content = std::string(11, 'x'); }), limits), ErrorCode::limit_exceeded);
    EXPECT_EQ(error_of(with([](Event& e) { e.tags.resize(3, {"x"}); }), limits), ErrorCode::limit_exceeded);
    EXPECT_FALSE(error_of(with([](Event& e) { e.tags[0].resize(3); }), limits));
    EXPECT_EQ(error_of(with([](Event& e) { e.tags[0].resize(4); }), limits), ErrorCode::limit_exceeded);
    EXPECT_FALSE(error_of(with([](Event& e) { e.tags[0][1] = std::string(10, 'x'); }), limits));
    EXPECT_EQ(error_of(with([](Event& e) { e.tags[0][1] = std::string(11, 'x'); }), limits), ErrorCode::limit_exceeded);
    EXPECT_EQ(error_of(with([](Event& e) { e.content = std::string(900, 'x'); }), limits), ErrorCode::limit_exceeded);
}

TEST(Event, PropertyDecodeUndoesEncode) {
    EXPECT_TRUE(rc::check("parse(to_json(event)) = event", [] {
        const auto event = test::arbitrary_event();
        RC_ASSERT(parse_event(to_json(event)).value() == event);
    }));
}

TEST(Event, PropertySignedEventsVerifyAfterTheWire) {
    const auto key = test::private_key(std::string(64, '2'));
    EXPECT_TRUE(rc::check("verify(parse(to_json(sign(event))))", [&key] {
        auto event = test::arbitrary_event();
        sign_event(event, key, {*rc::gen::arbitrary<std::array<std::uint8_t, 32>>()});
        RC_ASSERT(verify_event(parse_event(to_json(event)).value()).has_value());
    }));
}

TEST(Event, PropertyMutatedTextNeverCrashes) {
    EXPECT_TRUE(rc::check("mutated event", [] {
        const auto text = test::mutated(to_json(test::arbitrary_event()));
        if (const auto event = parse_event(text)) RC_ASSERT(parse_event(to_json(*event)).value() == *event);
    }));
}

}  // namespace
}  // namespace myst::codec
