#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/node/address_pool.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/public_address.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node {
namespace {

const ports::ChainIdentity kChain{31337, Address{{7}}, Address{{8}}};

Proposal proposal(const crypto::PrivateKey& key) {
    Proposal proposal;
    proposal.provider = key.node_key();
    proposal.payee = key.address();
    proposal.service = "wireguard";
    proposal.country = "DE";
    proposal.tariff = {Amount(5), Amount(6)};
    proposal.name = "A \"name\"";
    proposal.terms = "None";
    proposal.relays = {"ws://11.0.0.3:7777"};
    proposal.published = UnixTime(seconds(1'700'000'000));
    proposal.expires = UnixTime(seconds(1'700'003'600));
    return proposal;
}

TEST(ProposalRecord, RoundTrips) {
    test::CountingRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    const auto event = make_proposal(proposal(key), kChain, key, rng);
    ASSERT_TRUE(codec::verify_event(event));
    const auto read = read_proposal(event, kChain);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->provider, key.node_key());
    EXPECT_EQ(read->payee, key.address());
    EXPECT_EQ(read->tariff, proposal(key).tariff);
    EXPECT_EQ(read->name, "A \"name\"");
    EXPECT_EQ(read->relays, proposal(key).relays);
    EXPECT_EQ(read->expires, proposal(key).expires);
}

TEST(ProposalRecord, AnythingMissingOrForeignIsRefused) {
    test::CountingRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    const auto good = make_proposal(proposal(key), kChain, key, rng);
    auto other_chain = kChain;
    other_chain.chain_id = 1;
    EXPECT_FALSE(read_proposal(good, other_chain));
    for (const auto& needed : {"d", "service", "country", "price_gib", "price_hour", "payee", "chain", "expiration"}) {
        auto bad = good;
        std::erase_if(bad.tags, [&](const codec::Tag& tag) { return tag[0] == needed; });
        EXPECT_FALSE(read_proposal(bad, kChain)) << needed;
    }
    for (const auto& content : {"", "[]", "{}", R"({"v":1,"name":1,"terms":""})"}) {
        auto bad = good;
        bad.content = content;
        EXPECT_FALSE(read_proposal(bad, kChain)) << content;
    }
}

TEST(ProposalRecord, TheLongestTermsAreReadHoweverTheyAreWritten) {
    test::CountingRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    auto longest = proposal(key);
    longest.terms = std::string(kMaxTerms, 'x');
    longest.name = std::string(kMaxName, '"');
    auto event = make_proposal(longest, kChain, key, rng);
    EXPECT_LE(event.content.size(), codec::kMaxProposalContent);
    ASSERT_TRUE(read_proposal(event, kChain));
    std::string escaped;
    for (std::size_t i = 0; i < kMaxTerms; ++i) escaped += "\\u0078";
    event.content = R"({"v":1,"name":"n","terms":")" + escaped + R"("})";
    const auto read = read_proposal(event, kChain);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->terms, longest.terms);
    longest.terms += 'x';
    EXPECT_FALSE(read_proposal(make_proposal(longest, kChain, key, rng), kChain));
}

TEST(ProposalFilter, ComparesPricesAndSortsCheapestFirst) {
    test::CountingRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    auto cheap = proposal(key);
    auto dear = cheap;
    dear.tariff.per_gib = Amount(7);
    std::vector<Proposal> offers{dear, cheap};
    sort_by_price(offers);
    EXPECT_EQ(offers.front().tariff, cheap.tariff);
    ProposalFilter filter;
    filter.max_per_gib = Amount(6);
    EXPECT_TRUE(matches(cheap, filter, cheap.published));
    EXPECT_FALSE(matches(dear, filter, dear.published));
    filter = {};
    filter.country = "FR";
    EXPECT_FALSE(matches(cheap, filter, cheap.published));
}

SessionAccept acceptance() {
    SessionAccept accept;
    accept.id.bytes.fill(1);
    accept.offer.server_key.bytes.fill(2);
    accept.offer.endpoint_host = "11.0.0.5";
    accept.offer.endpoint_port = 51820;
    accept.offer.client_address = "100.64.0.2";
    accept.offer.server_address = "100.64.0.1";
    accept.offer.payment_port = 4000;
    accept.offer.dns = {"11.9.0.2"};
    accept.payee = Address{{9}};
    accept.epoch = 3;
    return accept;
}

TEST(Envelope, TravelsSealedAndOpensOnlyForItsRecipient) {
    test::CountingRng rng;
    const auto from = crypto::PrivateKey::generate(rng);
    const auto to = crypto::PrivateKey::generate(rng);
    const SessionReject reject{SessionId{{1}}, RejectCode::funds, "too little"};
    const auto sealed = seal_envelope(reject, from, to.node_key(), UnixTime(seconds(1)), rng);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->content.find("too little"), std::string::npos);
    const auto opened = open_envelope(*sealed, to);
    ASSERT_TRUE(opened);
    EXPECT_EQ(std::get<SessionReject>(*opened), reject);
    EXPECT_FALSE(open_envelope(*sealed, crypto::PrivateKey::generate(rng)));
}

TEST(Envelope, AnAcceptanceRoundTrips) {
    const auto parsed = parse_envelope(to_json(acceptance()));
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto& accept = std::get<SessionAccept>(*parsed);
    EXPECT_EQ(accept.offer.endpoint_host, "11.0.0.5");
    EXPECT_EQ(accept.offer.dns, acceptance().offer.dns);
    EXPECT_EQ(accept.payee, acceptance().payee);
}

TEST(Envelope, AnEndpointInSomebodysOwnNetworkIsRefused) {
    for (const char* host : {"127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "224.0.0.1", "100.64.0.1",
                             "0.0.0.0", "255.255.255.255", "172.31.0.1", "198.51.100.7"}) {
        auto accept = acceptance();
        accept.offer.endpoint_host = host;
        EXPECT_FALSE(parse_envelope(to_json(accept))) << host;
    }
}

TEST(Envelope, AResolverInSomebodysOwnNetworkIsRefused) {
    auto accept = acceptance();
    for (const char* host : {"192.168.1.1", "10.0.0.1", "127.0.0.1", "100.64.0.9", "169.254.169.254", "0.0.0.0"}) {
        accept.offer.dns = {"9.9.9.9", host};
        EXPECT_FALSE(parse_envelope(to_json(accept))) << host;
    }
    accept.offer.dns = {accept.offer.server_address};
    EXPECT_TRUE(parse_envelope(to_json(accept))) << "the provider's own resolver";
    accept.offer.dns = {};
    EXPECT_TRUE(parse_envelope(to_json(accept)));
}

TEST(Envelope, HostileTextNeverCrashes) {
    for (const char* text : {"", "{}", "[]", "null", R"({"v":2})", R"({"v":1,"type":"accept"})",
                             R"({"v":1,"type":"request","id":"zz"})", R"({"v":1,"type":"reject","id":5})"}) {
        EXPECT_FALSE(parse_envelope(text)) << text;
    }
    EXPECT_TRUE(rc::check([](const std::string& text) { std::ignore = parse_envelope(text); }));
    const auto good = to_json(acceptance());
    EXPECT_TRUE(rc::check([&](std::uint16_t at, char with) {
        auto text = good;
        text[at % text.size()] = with;
        std::ignore = parse_envelope(text);
    }));
}

TEST(Endpoint, IsStrict) {
    EXPECT_EQ(parse_endpoint("11.0.0.5:51820")->port, 51820);
    for (const char* bad : {"", "11.0.0.5", "11.0.0.5:0", "11.0.0.5:65536", "host:1", "11.0.0.5:1x", ":1", "::1:5"}) {
        EXPECT_FALSE(parse_endpoint(bad)) << bad;
    }
    EXPECT_TRUE(is_public_ipv4("11.0.0.5"));
    EXPECT_TRUE(is_public_ipv4("172.32.0.1"));
}

const Hash32 kSecret{{7}};

TEST(AddressPool, NobodyCanTellWhoHasAnAddress) {
    std::set<std::string> given;
    for (std::uint8_t i = 0; i < 8; ++i) {
        auto pool = AddressPool::parse("100.64.0.0/10", Hash32{{i}});
        ASSERT_TRUE(pool);
        given.insert(*pool->take(Address{{1}}));
    }
    EXPECT_EQ(given.size(), 8U) << "two providers give the same consumer the same address";
}

TEST(AddressPool, GivesEachConsumerItsOwnAndTheSameAgain) {
    auto pool = AddressPool::parse("100.64.0.0/29", kSecret);
    ASSERT_TRUE(pool);
    std::set<std::string> taken;
    for (std::uint8_t i = 0; i < 5; ++i) taken.insert(*pool->take(Address{{i}}));
    EXPECT_EQ(taken.size(), 5U);
    EXPECT_FALSE(taken.contains("100.64.0.0") || taken.contains("100.64.0.1") || taken.contains("100.64.0.7"));
    EXPECT_FALSE(pool->take(Address{{9}}));
    auto other = AddressPool::parse("100.64.0.0/16", kSecret);
    const auto first = *other->take(Address{{1}});
    other->give_back(first);
    EXPECT_EQ(*other->take(Address{{1}}), first);
    for (const char* bad : {"", "100.64.0.1/16", "100.64.0.0", "100.64.0.0/30", "x/16", "0.0.0.0/0"}) {
        EXPECT_FALSE(AddressPool::parse(bad, kSecret)) << bad;
    }
}

TEST(KeyRing, FindsTheSameKeysAgainAndRefusesAnOpenFile) {
    test::World world;
    const auto path = (world.folder / "keys").string();
    const KeyRingSettings settings{path, path + "/password", crypto::KeystoreStrength::light};
    auto ring = KeyRing::open(settings, world.rng);
    ASSERT_TRUE(ring) << ring.error().describe();
    EXPECT_FALSE(ring->info());
    auto made = ring->make_wallet(world.rng);
    ASSERT_TRUE(made) << made.error().describe();
    const auto second = ring->make_wallet(world.rng);
    ASSERT_FALSE(second) << "no key file is replaced, though the first keys are not in use yet";
    EXPECT_EQ(second.error().code, ErrorCode::already_exists);
    const auto created = ring->adopt(std::move(*made));
    EXPECT_FALSE(ring->make_wallet(world.rng));
    auto again = KeyRing::open(settings, world.rng);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->node().node_key(), ring->node().node_key());
    EXPECT_EQ(again->info()->address, created.address);
    EXPECT_EQ(again->info()->signer, created.signer);
    std::filesystem::permissions(path + "/wallet.json", std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    EXPECT_FALSE(KeyRing::open(settings, world.rng));
}

}  // namespace
}  // namespace myst::node
