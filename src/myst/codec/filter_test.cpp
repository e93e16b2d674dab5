#include "myst/codec/filter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "vectors/arbitrary.hpp"
#include "vectors/load.hpp"

namespace myst::codec {
namespace {

const std::string kHex(64, 'a');

UnixTime at(std::int64_t time) {
    return UnixTime(seconds(time));
}

TEST(Filter, ParsesEveryMember) {
    const auto filter =
        parse_filter(R"({"ids":[")" + kHex + R"("],"authors":[")" + kHex + R"("],"kinds":[0,65535],"#p":[")" + kHex +
                     R"("],"#T":["x",""],"since":1,"until":2,"limit":0})");
    ASSERT_TRUE(filter) << filter.error().message;
    EXPECT_EQ(filter->ids.size(), 1U);
    EXPECT_EQ(filter->authors.size(), 1U);
    EXPECT_EQ(filter->kinds, (std::vector<std::uint32_t>{0, 65'535}));
    EXPECT_EQ(filter->tags.at('p').front(), kHex);
    EXPECT_EQ(filter->tags.at('T').size(), 2U);
    EXPECT_EQ(filter->since, at(1));
    EXPECT_EQ(filter->until, at(2));
    EXPECT_EQ(filter->limit, 0U);
    EXPECT_EQ(parse_filter("{}"), Filter{});
}

TEST(Filter, RefusesWhatIsNotNip01) {
    const std::string upper(64, 'A');
    const std::string cases[] = {"",
                                 "[]",
                                 "1",
                                 "null",
                                 R"({"ids":["aa"]})",
                                 R"({"ids":[")" + upper + R"("]})",
                                 R"({"ids":["0x)" + std::string(62, 'a') + R"("]})",
                                 R"({"ids":")" + kHex + R"("})",
                                 R"({"ids":[1]})",
                                 R"({"ids":[]})",
                                 R"({"kinds":[]})",
                                 R"({"#t":[]})",
                                 R"({"authors":["x"]})",
                                 R"({"kinds":[65536]})",
                                 R"({"kinds":[-1]})",
                                 R"({"kinds":["1"]})",
                                 R"({"kinds":[1.0]})",
                                 R"({"kinds":1})",
                                 R"({"#p":["x"]})",
                                 R"({"#e":[")" + upper + R"("]})",
                                 R"({"#t":[1]})",
                                 R"({"#t":"x"})",
                                 R"({"#":["x"]})",
                                 R"({"#tt":["x"]})",
                                 R"({"#1":["x"]})",
                                 R"({"t":["x"]})",
                                 R"({"since":-1})",
                                 R"({"since":"1"})",
                                 R"({"since":1.5})",
                                 R"({"until":null})",
                                 R"({"until":9007199254740992})",
                                 R"({"limit":-1})",
                                 R"({"limit":4294967296})",
                                 R"({"search":"x"})",
                                 R"({"since":1,"since":2})",
                                 R"({"#t":["x"],"#t":["y"]})"};
    for (const auto& text : cases) {
        const auto filter = parse_filter(text);
        ASSERT_FALSE(filter) << text;
        EXPECT_EQ(filter.error().code, ErrorCode::invalid_data) << text;
    }
}

TEST(Filter, ListsAreBounded) {
    Filter filter;
    filter.kinds.assign(64, 1);
    EXPECT_TRUE(parse_filter(to_json(filter)));
    filter.kinds.push_back(1);
    const auto parsed = parse_filter(to_json(filter));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::limit_exceeded);
    EXPECT_FALSE(parse_filter(R"({"#t":[")" + std::string(4097, 'x') + R"("]})"));
    EXPECT_EQ(parse_filter(std::string(600'000, ' ')).error().code, ErrorCode::limit_exceeded);
}

Event sample() {
    Event event;
    event.id.bytes[0] = 1;
    event.pubkey.bytes[0] = 2;
    event.kind = 30'000;
    event.created_at = at(100);
    event.tags = {{"d", "name"}, {"t", "vpn", "extra"}, {"t", "eu"}, {"x"}, {"tt", "long"}};
    return event;
}

TEST(Filter, EveryConditionCanRefuse) {
    const auto event = sample();
    const auto matches = [&event](auto set) {
        Filter filter;
        set(filter);
        return filter.matches(event);
    };
    EXPECT_TRUE(matches([](Filter&) {}));
    EXPECT_TRUE(matches([&](Filter& f) { f.ids = {Hash32{}, event.id}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.ids = {Hash32{}}; }));
    EXPECT_TRUE(matches([&](Filter& f) { f.authors = {event.pubkey}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.authors = {NodeKey{}}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.kinds = {1, 30'000}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.kinds = {1}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.since = at(100), f.until = at(100); }));
    EXPECT_FALSE(matches([](Filter& f) { f.since = at(101); }));
    EXPECT_FALSE(matches([](Filter& f) { f.until = at(99); }));
    EXPECT_TRUE(matches([](Filter& f) { f.limit = 0; }));
}

TEST(Filter, TagConditionsLookAtTheFirstValue) {
    const auto event = sample();
    const auto matches = [&event](std::map<char, std::vector<std::string>> tags) {
        Filter filter;
        filter.tags = std::move(tags);
        return filter.matches(event);
    };
    EXPECT_TRUE(matches({{'t', {"other", "eu"}}}));
    EXPECT_TRUE(matches({{'t', {"vpn"}}, {'d', {"name"}}}));
    EXPECT_FALSE(matches({{'t', {"vpn"}}, {'d', {"another"}}}));
    EXPECT_FALSE(matches({{'t', {"extra"}}}));
    EXPECT_FALSE(matches({{'t', {"long"}}}));
    EXPECT_FALSE(matches({{'x', {""}}}));
    EXPECT_FALSE(matches({{'q', {"vpn"}}}));
    EXPECT_TRUE(matches({{'q', {}}}));
}

/// Few different values, so that filters and events often agree.
Event small_event() {
    auto event = sample();
    event.kind = *rc::gen::inRange(1U, 4U);
    event.created_at = at(*rc::gen::inRange(0, 4));
    event.id.bytes[0] = *rc::gen::inRange<std::uint8_t>(0, 4);
    event.pubkey.bytes[0] = *rc::gen::inRange<std::uint8_t>(0, 4);
    event.tags = *rc::gen::container<std::vector<Tag>>(
        rc::gen::container<Tag>(rc::gen::element<std::string>("a", "b", "B", "bb", "")));
    return event;
}

Filter small_filter() {
    Filter filter;
    for (const auto& event : {small_event(), small_event(), small_event()}) {
        if (*rc::gen::inRange(0, 3) == 0) filter.ids.push_back(event.id);
        if (*rc::gen::inRange(0, 3) == 0) filter.authors.push_back(event.pubkey);
        if (*rc::gen::inRange(0, 3) == 0) filter.kinds.push_back(event.kind);
        if (*rc::gen::inRange(0, 6) == 0) filter.since = event.created_at;
        if (*rc::gen::inRange(0, 6) == 0) filter.until = event.created_at;
    }
    for (const char letter : {'a', 'b', 'B'}) {
        if (*rc::gen::inRange(0, 3) != 0) continue;
        filter.tags[letter] =
            *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("a", "b", "B", "bb", ""));
    }
    return filter;
}

TEST(FilterMatcher, PropertyAgreesWithTheFilter) {
    int matched = 0;
    EXPECT_TRUE(rc::check("matcher = filter", [&matched] {
        const auto filter = small_filter();
        const FilterMatcher matcher(filter);
        for (int i = 0; i < 5; ++i) {
            const auto event = small_event();
            matched += filter.matches(event) ? 1 : 0;
            RC_ASSERT(matcher.matches(event) == filter.matches(event));
        }
    }));
    EXPECT_GT(matched, 0);
}

TEST(Filter, PropertyDecodeUndoesEncode) {
    EXPECT_TRUE(rc::check("parse(to_json(filter)) = filter", [] {
        const auto filter = test::arbitrary_filter();
        RC_ASSERT(parse_filter(to_json(filter)).value() == filter);
    }));
}

TEST(Filter, PropertyMutatedTextNeverCrashes) {
    EXPECT_TRUE(rc::check("mutated filter", [] {
        const auto text = test::mutated(to_json(test::arbitrary_filter()));
        if (const auto filter = parse_filter(text)) RC_ASSERT(parse_filter(to_json(*filter)).value() == *filter);
    }));
}

TEST(Filter, PropertyAConditionTakenFromAnEventMatchesIt) {
    EXPECT_TRUE(rc::check("matches its own event", [] {
        const auto event = test::arbitrary_event();
        Filter filter;
        filter.ids = {event.id};
        filter.authors = {event.pubkey};
        filter.kinds = {event.kind};
        filter.since = filter.until = event.created_at;
        for (const auto& tag : event.tags) {
            if (tag.size() >= 2 && tag[0].size() == 1) filter.tags[tag[0][0]].push_back(tag[1]);
        }
        RC_ASSERT(filter.matches(event));
    }));
}

}  // namespace
}  // namespace myst::codec
