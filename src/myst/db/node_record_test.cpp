#include "myst/db/node_record.hpp"

#include "myst/db/db_fixtures.hpp"

namespace myst::db::test {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

NodeRecord sample() {
    NodeRecord record;
    record.relays = {*RelayUrl::parse("wss://relay.example"), *RelayUrl::parse("ws://192.0.2.1:7777")};
    record.version = "0.1.0";
    record.roles = {"full", "provider"};
    record.published = at(kNow);
    record.expires = at(kNow + 3 * 3600);
    return record;
}

codec::Event sample_event() {
    auto event = make_node_record(sample());
    EXPECT_TRUE(event) << event.error().message;
    if (!event) return {};
    codec::sign_event(*event, key_of(1), Hash32{});
    return *event;
}

/// The sample with its tags changed.
template <class Change>
codec::Event changed(Change change) {
    auto event = sample_event();
    change(event);
    codec::sign_event(event, key_of(1), Hash32{});
    return event;
}

void replace(codec::Event& event, std::string_view name, std::vector<codec::Tag> tags) {
    std::erase_if(event.tags, [&](const codec::Tag& tag) { return tag[0] == name; });
    event.tags.insert(event.tags.end(), tags.begin(), tags.end());
}

codec::Event with(std::string_view name, std::vector<codec::Tag> tags) {
    return changed([&](codec::Event& event) { replace(event, name, std::move(tags)); });
}

void expect_refused(const codec::Event& event, std::string_view why) {
    const auto read = read_node_record(event);
    ASSERT_FALSE(read) << why;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_data);
    EXPECT_NE(read.error().message.find(why), std::string::npos) << read.error().message;
    const auto refusal = check_admission(event, AdmissionPolicy{}, at(kNow));
    ASSERT_TRUE(refusal) << why;
    EXPECT_EQ(refusal->prefix, RefusalPrefix::invalid);
}

TEST(NodeRecord, IsReadAsItWasWritten) {
    const auto event = sample_event();
    EXPECT_TRUE(codec::verify_event(event));
    EXPECT_EQ(event.kind, 10510U);
    EXPECT_EQ(codec::classify_kind(event.kind), codec::KindClass::replaceable);
    const auto read = read_node_record(event);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, sample());
    EXPECT_FALSE(check_admission(event, AdmissionPolicy{}, at(kNow)));
}

TEST(NodeRecord, IgnoresWhatItDoesNotKnow) {
    auto read = read_node_record(with("future", {{"future", "x", "y"}, {"e"}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, sample());
}

TEST(NodeRecord, KeepsToItsLimits) {
    std::vector<codec::Tag> relays;
    for (int i = 0; i < 8; ++i) relays.push_back({"relay", "ws://192.0.2." + std::to_string(i) + ":7777"});
    EXPECT_TRUE(read_node_record(with("relay", relays)));
    relays.push_back({"relay", "ws://192.0.2.9:7777"});
    expect_refused(with("relay", relays), "more than 8 relays");
    const std::string longest = "ws://a.example/" + std::string(256 - 15, 'x');
    EXPECT_TRUE(read_node_record(with("relay", {{"relay", longest}})));
    expect_refused(with("relay", {{"relay", longest + "x"}}), "longer than 256 bytes");
    EXPECT_TRUE(read_node_record(with("version", {{"version", std::string(32, 'v')}})));
    expect_refused(with("version", {{"version", std::string(33, 'v')}}), "version");
    EXPECT_TRUE(read_node_record(with("role", std::vector<codec::Tag>(8, {"role", std::string(16, 'r')}))));
    expect_refused(with("role", std::vector<codec::Tag>(9, {"role", "full"})), "more than 8 roles");
    expect_refused(with("role", {{"role", std::string(17, 'r')}}), "role");
    EXPECT_TRUE(read_node_record(with("expiration", {expires(at(kNow + 24 * 3600))})));
    expect_refused(with("expiration", {expires(at(kNow + 24 * 3600 + 1))}), "longer than 24 hours");
}

TEST(NodeRecord, IsRefusedIfAnythingIsMissingOrMalformed) {
    expect_refused(with("relay", {}), "names no relay");
    expect_refused(with("role", {}), "names no role");
    expect_refused(with("version", {}), "version");
    expect_refused(with("version", {{"version"}}), "version");
    expect_refused(with("version", {{"version", "a\nb"}}), "version");
    expect_refused(with("expiration", {}), "does not expire");
    expect_refused(with("expiration", {expires(at(kNow))}), "before created_at");
    expect_refused(with("role", {{"role", "Full"}}), "role");
    expect_refused(with("role", {{"role", "full", "x"}}), "two fields");
    expect_refused(with("relay", {{"relay"}}), "two fields");
    expect_refused(with("relay", {{"relay", "ws://a.example"}, {"relay", "WS://A.example:80/"}}), "twice");
    for (const char* url : {"", "http://a.example", "ws://", "ws://user@a.example", "ws://a.example/#x", "a.example"}) {
        expect_refused(with("relay", {{"relay", url}}), "not a ws:// or wss:// URL");
    }
    expect_refused(changed([](codec::Event& event) { event.content = "{}"; }), "content");
}

TEST(NodeRecord, IsNotMadeIfReadersWouldRefuseIt) {
    auto record = sample();
    record.relays.clear();
    EXPECT_FALSE(make_node_record(record));
    record = sample();
    record.expires = record.published + seconds(25 * 3600);
    EXPECT_FALSE(make_node_record(record));
    EXPECT_FALSE(read_node_record(make_proposal(key_of(1), at(kNow))));
}

}  // namespace
}  // namespace myst::db::test
