#include "myst/node/offer_list.hpp"

#include <gtest/gtest.h>

#include "myst/node/offer_search.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node {
namespace {

/// A node that looks at offers which the test puts into the database.
class OfferList : public testing::Test {
protected:
    OfferList() : node_(world_, "consumer", test::consumer_settings()) { world_.chain.sales.emplace(); }

    struct Seller {
        const char* name;
        std::uint64_t price;
        const char* country;
        std::uint64_t stake;
        std::uint64_t thousandths;  ///< of a token: weight of the sales
        seconds age;
        const char* city = "";
        bool is_registered = true;
    };

    void sell(const Seller& seller) {
        const auto key = crypto::PrivateKey::generate(world_.rng);
        Proposal proposal;
        proposal.payee = key.address();
        proposal.service = "wireguard";
        proposal.country = seller.country;
        proposal.city = seller.city;
        proposal.tariff = {Amount(seller.price), Amount{}};
        proposal.name = seller.name;
        proposal.published = world_.clock.unix_now() - seller.age;
        proposal.expires = proposal.published + seconds(3600);
        world_.bus.stored.push_back(make_proposal(proposal, world_.chain.identity(), key, world_.rng));
        auto& entry = world_.chain.providers[proposal.payee];
        if (seller.is_registered) entry.node_key = key.node_key();
        entry.stake = Amount(seller.stake);
        const Amount weight(seller.thousandths * 1'000'000'000'000'000);
        if (world_.chain.sales) world_.chain.sales->insert({proposal.payee, {3, 2, weight, weight}});
    }

    void sell_five() {
        sell({"a", 50, "DE", 7, 1, seconds(10), "Hamburg"});
        sell({"b", 10, "NL", 7, 1000, seconds(50), "Delft"});
        sell({"c", 30, "DE", 9, 4, seconds(20), "Berlin"});
        sell({"d", 10, "SE", 1, 4, seconds(30)});
        sell({"junk", 1, "DE", 99, 9, seconds(5), "Hamburg", false});
        sell({"e", 20, "AT", 8, 0, seconds(40), "hamburg"});
    }

    Result<OfferPage> list(ProposalQuery query) {
        Result<OfferPage> page;
        EXPECT_TRUE(world_.run(ask(std::move(query), page)));
        return page;
    }
    Task<> ask(ProposalQuery query, Result<OfferPage>& page) {
        page = co_await node_.node->proposals(std::move(query));
    }

    static std::string names(const std::vector<Offer>& offers) {
        std::string all;
        for (const auto& offer : offers) all += offer.proposal.name;
        return all;
    }
    /// Names of all offers, asked for in pages of `limit`.
    std::string pages(ProposalQuery query) {
        std::string all;
        for (int i = 0; i < 20; ++i) {
            auto page = list(query);
            EXPECT_TRUE(page) << (page ? "" : page.error().message);
            if (!page) return all;
            EXPECT_LE(page->offers.size(), query.limit);
            all += names(page->offers);
            if (page->next.empty()) return all;
            query.cursor = page->next;
        }
        ADD_FAILURE() << "the pages do not end";
        return all;
    }

    test::World world_;
    test::TestNode node_;
};

TEST_F(OfferList, TellsWhatTheChainSaysOfThePayee) {
    sell({"b", 10, "NL", 7, 1000, seconds(50), "Delft"});
    const auto page = list({});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->offers.size(), 1U);
    const auto& offer = page->offers.front();
    EXPECT_EQ(offer.proposal.city, "Delft");
    EXPECT_EQ(offer.stake, Amount(7));
    EXPECT_EQ(offer.sales->settlements, 3U);
    EXPECT_EQ(offer.sales->payers, 2U);
    EXPECT_EQ(offer.reputation, 10U) << "a token";
    EXPECT_TRUE(page->next.empty());
}

TEST_F(OfferList, EveryOrderIsTheSameInPagesOfAnySize) {
    sell_five();
    const std::pair<OfferOrder, std::array<std::string, 2>> orders[] = {
        {OfferOrder::price, {"", ""}},
        {OfferOrder::stake, {"cebad", "dbaec"}},
        {OfferOrder::reputation, {"bdcae", "eadcb"}},
        {OfferOrder::age, {"acdeb", "bedca"}},
        {OfferOrder::country, {"ecabd", "dbcae"}},
    };
    for (const auto& [order, expected] : orders) {
        for (const bool reversed : {false, true}) {
            for (const std::size_t limit : {1U, 2U, 4U, 5U, 500U}) {
                ProposalQuery query;
                query.order = order;
                query.reversed = reversed;
                query.limit = limit;
                auto all = pages(query);
                // b and d cost the same: the key decides, which is not fixed here
                if (order == OfferOrder::price) {
                    std::replace(all.begin(), all.end(), 'd', 'b');
                    EXPECT_EQ(all, reversed ? "acebb" : "bbeca") << limit;
                } else {
                    EXPECT_EQ(all, expected[reversed ? 1 : 0]) << to_string(order) << " " << limit;
                }
            }
        }
    }
}

TEST_F(OfferList, OffersThatComeAndGoBetweenPagesShiftNothing) {
    sell_five();
    ProposalQuery query;
    query.order = OfferOrder::age;
    query.limit = 2;
    auto page = list(query);
    ASSERT_TRUE(page);
    EXPECT_EQ(names(page->offers), "ac");
    sell({"x", 5, "DE", 9, 4, seconds(1)});                    // would stand on the first page
    sell({"y", 5, "DE", 9, 4, seconds(35)});                   // between d and e
    std::erase_if(world_.bus.stored, [&](const auto& event) {  // where the first page ended
        return read_proposal(event, world_.chain.identity())->name == "c";
    });
    query.cursor = page->next;
    query.limit = 500;
    EXPECT_EQ(pages(query), "dyeb");
}

TEST_F(OfferList, FiltersByEverythingItKnows) {
    sell_five();
    const auto found = [this](auto set) {
        ProposalQuery query;
        query.order = OfferOrder::age;
        set(query.filter);
        return pages(query);
    };
    EXPECT_EQ(found([](auto& filter) { filter.city = "HAMBURG"; }), "ae");
    EXPECT_EQ(found([](auto& filter) { filter.country = "DE"; }), "ac");
    EXPECT_EQ(found([](auto& filter) { filter.min_stake = Amount(8); }), "ce");
    EXPECT_EQ(found([](auto& filter) { filter.min_reputation = 3; }), "cdb");
    EXPECT_EQ(found([](auto& filter) { filter.max_age = seconds(25); }), "ac");
    EXPECT_EQ(found([](auto& filter) { filter.max_per_gib = Amount(20); }), "deb");
    EXPECT_EQ(found([](auto& filter) { filter.service = "openvpn"; }), "");
}

TEST_F(OfferList, ACursorBelongsToItsQuestion) {
    sell_five();
    ProposalQuery query;
    query.limit = 2;
    const auto page = list(query);
    ASSERT_TRUE(page && !page->next.empty());
    const auto refused = [&](ProposalQuery wrong) {
        const auto answer = list(std::move(wrong));
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(answer.error().message.find("cursor"), std::string::npos);
    };
    query.cursor = page->next;
    auto other = query;
    other.order = OfferOrder::age;
    refused(other);
    other = query;
    other.filter.country = "DE";
    refused(other);
    for (const auto& bad : {std::string("x"), page->next.substr(2), std::string("00"), std::string(100'000, 'a')}) {
        other = query;
        other.cursor = bad;
        refused(other);
    }
    query.limit = 3;
    EXPECT_TRUE(list(query)) << "the size of a page may change";
}

TEST_F(OfferList, TheChainIsAskedOnceForAll) {
    sell_five();
    ProposalQuery query;
    query.order = OfferOrder::stake;
    EXPECT_EQ(pages(query).size(), 5U);
    EXPECT_EQ(world_.chain.payee_questions, 1U);
}

TEST_F(OfferList, WithoutAnIndexTheRegistryIsAskedUntilThePageIsFull) {
    world_.chain.sales.reset();
    sell_five();
    ProposalQuery query;
    query.limit = 2;
    query.order = OfferOrder::age;
    auto page = list(query);
    ASSERT_TRUE(page);
    EXPECT_EQ(names(page->offers), "ac");
    EXPECT_FALSE(page->offers.front().reputation || page->offers.front().sales);
    EXPECT_EQ(page->offers.front().stake, Amount(7));
    EXPECT_EQ(world_.chain.payee_questions, 4U) << "junk, a, c, and whether there is more";
    EXPECT_EQ(pages(query), "acdeb");
    for (const auto order : {OfferOrder::stake, OfferOrder::reputation}) {
        query.order = order;
        page = list(query);
        ASSERT_FALSE(page);
        EXPECT_EQ(page.error().code, ErrorCode::failed_precondition);
    }
    query.order = OfferOrder::price;
    query.filter.min_reputation = 1;
    EXPECT_FALSE(list(query));
    query.filter.min_reputation.reset();
    query.filter.min_stake = Amount(8);
    EXPECT_EQ(pages(query), "ec");
}

TEST(Reputation, IsTheNumberOfBinaryDigitsOfThousandths) {
    const auto of = [](const char* tokens) {
        return reputation_of(ports::PayeeSales{1, 1, Amount::max(), *parse_tokens(tokens)}, {});
    };
    EXPECT_EQ(of("0"), 0U);
    EXPECT_EQ(of("0.000999"), 0U);
    EXPECT_EQ(of("0.001"), 1U);
    EXPECT_EQ(of("0.002"), 2U);
    EXPECT_EQ(of("1"), 10U);
    EXPECT_EQ(of("525"), 20U);
    EXPECT_EQ(reputation_of(ports::PayeeSales{1, 1, {}, Amount::max()}, {}), 47U);
    const ports::PayeeSales sales{3, 3, *parse_tokens("3"), *parse_tokens("3")};
    EXPECT_EQ(reputation_of(sales, *parse_tokens("1")), 10U) << "a third of the payers complains";
    EXPECT_EQ(reputation_of(sales, *parse_tokens("1.5")), 0U);
    EXPECT_EQ(reputation_of(sales, *parse_tokens("3")), 0U);
}

TEST(ProposalRecord, ACityIsOptionalAndHarmless) {
    for (const auto* city : {"Hamburg",
                             "K\xc3\xb8"
                             "benhavn"})
        EXPECT_TRUE(is_city(city)) << city;
    for (const auto& city : {std::string(), std::string("a\nb"), std::string("\xff"), std::string(65, 'x'),
                             std::string("\xe2\x80\xae"
                                         "x")}) {
        EXPECT_FALSE(is_city(city)) << city;
    }
}

}  // namespace
}  // namespace myst::node
