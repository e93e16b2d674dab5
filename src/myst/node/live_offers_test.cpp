#include "myst/node/live_offers.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "myst/node/proposal_record.hpp"
#include "myst/node/revocation.hpp"
#include "myst/node/test_support/fake_world.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::node {
namespace {

/// The bus of the world, which a test can disturb.
class DisturbedBus final : public ports::RecordNetwork {
public:
    explicit DisturbedBus(test::FakeBus& bus) : bus_(bus) {}
    std::function<std::optional<Error>()> before_query = [] { return std::nullopt; };
    std::optional<codec::Event> comes_meanwhile;  ///< while revocations are asked for

    [[nodiscard]] Task<Result<ports::PublishReport>> publish(codec::Event event) override {
        return bus_.publish(std::move(event));
    }
    [[nodiscard]] Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters,
                                                                std::size_t limit) override {
        if (auto error = before_query()) co_return tl::unexpected(std::move(*error));
        const bool asks_for_revocations = filters.front().kinds.front() == codec::kRevocationKind;
        if (asks_for_revocations && comes_meanwhile) {
            auto event = *std::exchange(comes_meanwhile, std::nullopt);
            auto published = co_await bus_.publish(std::move(event));
            EXPECT_TRUE(published);
        }
        co_return co_await bus_.query(std::move(filters), limit);
    }
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                 Callback callback) override {
        return bus_.subscribe(std::move(filters), std::move(callback));
    }
    [[nodiscard]] Task<Result<>> exchange(ports::EnvelopeExchange exchange) override {
        return bus_.exchange(std::move(exchange));
    }
    [[nodiscard]] std::vector<ports::RelayStatus> relays() const override { return {}; }

private:
    test::FakeBus& bus_;
};

class LiveOffersTest : public testing::Test {
protected:
    struct Seller {
        crypto::PrivateKey key;
        Proposal proposal;
    };

    LiveOffersTest() { world_.chain.sales.emplace(); }

    /// A registered provider in Germany, who has published nothing yet.
    Seller& seller(const std::string& name) {
        auto key = crypto::PrivateKey::generate(world_.rng);
        Proposal proposal;
        proposal.provider = key.node_key();
        proposal.payee = key.address();
        proposal.service = "wireguard";
        proposal.country = "DE";
        proposal.tariff = {Amount(10), Amount{}};
        proposal.name = name;
        world_.chain.providers[proposal.payee].node_key = proposal.provider;
        world_.chain.providers[proposal.payee].stake = Amount(7);
        names_[proposal.provider] = name;
        return *sellers_.emplace_back(std::make_unique<Seller>(Seller{std::move(key), std::move(proposal)}));
    }
    codec::Event record(Seller& seller, seconds life = seconds(3600)) {
        seller.proposal.published = std::max(clock_.unix_now(), seller.proposal.published + seconds(1));
        seller.proposal.expires = seller.proposal.published + life;
        return make_proposal(seller.proposal, world_.chain.identity(), seller.key, world_.rng);
    }
    void publish(codec::Event event) { EXPECT_TRUE(world_.run(send(std::move(event)))); }
    void publish(Seller& seller, seconds life = seconds(3600)) { publish(record(seller, life)); }
    Task<> send(codec::Event event) {
        auto published = co_await bus_.publish(std::move(event));
        EXPECT_TRUE(published);
    }
    /// Its record is not in the database any more.
    void forget(const Seller& seller) {
        std::erase_if(world_.bus.stored,
                      [&](const codec::Event& event) { return event.pubkey == seller.proposal.provider; });
    }

    void watch(ProposalFilter filter = {}, LiveOffersSettings settings = {}) {
        watch_ = std::make_unique<LiveOffers>(context_, std::move(filter), settings);
    }
    /// The next change: "+name", "-name", "." for "complete", "!code" for a failure.
    std::string next() {
        std::string told = "nothing";
        EXPECT_TRUE(world_.run(ask(told)));
        return told;
    }
    Task<> ask(std::string& told) {
        std::string late = "no change came";
        auto change = co_await with_timeout(watch_->next(), milliseconds(10'000), std::move(late));
        if (!change) {
            told = "!" + std::string(to_string(change.error().code));
        } else if (const auto* offer = std::get_if<Offer>(&*change)) {
            told = "+" + offer->proposal.name;
            last_ = *offer;
        } else if (const auto* gone = std::get_if<OfferGone>(&*change)) {
            EXPECT_EQ(gone->service, "wireguard");
            told = "-" + names_[gone->provider];
        } else {
            told = ".";
        }
    }
    /// Nothing has changed: the next that is told is an offer that comes now.
    void expect_nothing() {
        publish(seller("sentinel"));
        EXPECT_EQ(next(), "+sentinel");
    }

    ManualClock clock_;
    test::World world_;
    test::TestNode node_{world_, "consumer", test::consumer_settings()};
    DisturbedBus bus_{world_.bus};
    Context context_{world_.context.get_executor(),
                     clock_,
                     world_.rng,
                     world_.workers,
                     *node_.keys,
                     world_.chain,
                     bus_,
                     *node_.ledger,
                     node_.driver,
                     {}};
    std::vector<std::unique_ptr<Seller>> sellers_;
    std::map<NodeKey, std::string> names_;
    Offer last_;
    std::unique_ptr<LiveOffers> watch_;
};

TEST_F(LiveOffersTest, BeginsWithTheOffersThereAre) {
    publish(seller("a"));
    auto& junk = seller("junk");
    world_.chain.providers.erase(junk.proposal.payee);
    publish(junk);
    auto& dutch = seller("dutch");
    dutch.proposal.country = "NL";
    publish(dutch);
    ProposalFilter filter;
    filter.country = "DE";
    watch(filter);
    EXPECT_EQ(next(), "+a");
    EXPECT_EQ(last_.stake, Amount(7));
    EXPECT_EQ(next(), ".");
    expect_nothing();
}

TEST_F(LiveOffersTest, TellsWhatIsNewAndWhatHasChanged) {
    watch();
    EXPECT_EQ(next(), ".");
    auto& a = seller("a");
    publish(a);
    EXPECT_EQ(next(), "+a");
    a.proposal.tariff.per_gib = Amount(9);
    const auto newer = record(a);
    publish(newer);
    EXPECT_EQ(next(), "+a");
    EXPECT_EQ(last_.proposal.tariff.per_gib, Amount(9));
    publish(newer);
    auto stale = a.proposal;
    stale.published -= seconds(5);
    stale.tariff.per_gib = Amount(99);
    publish(make_proposal(stale, world_.chain.identity(), a.key, world_.rng));
    expect_nothing();
}

TEST_F(LiveOffersTest, AnOfferThatEndsIsGone) {
    ProposalFilter filter;
    filter.country = "DE";
    filter.max_per_gib = Amount(10);
    watch(filter);
    EXPECT_EQ(next(), ".");
    const std::pair<const char*, std::function<void(Seller&)>> ends[] = {
        {"withdrawn", [this](Seller& seller) { publish(seller, seconds(1)); }},
        {"moved",
         [this](Seller& seller) {
             seller.proposal.country = "NL";
             publish(seller);
         }},
        {"dearer",
         [this](Seller& seller) {
             seller.proposal.tariff.per_gib = Amount(11);
             publish(seller);
         }},
        {"deleted",
         [this](Seller& seller) {
             forget(seller);
             codec::Event deletion;
             deletion.kind = codec::kDeletionKind;
             deletion.created_at = clock_.unix_now();
             codec::sign_event(deletion, seller.key, random_bytes<Hash32>(world_.rng));
             publish(std::move(deletion));
         }},
        {"revoked",
         [this](Seller& seller) { publish(make_revocation(seller.key, "", clock_.unix_now(), world_.rng)); }},
        {"unregistered",
         [this](Seller& seller) {
             world_.chain.providers.erase(seller.proposal.payee);
             clock_.advance(LiveOffersSettings{}.look_again);
         }},
        {"lost",
         [this](Seller& seller) {
             forget(seller);
             clock_.advance(LiveOffersSettings{}.look_again);
         }},
        {"expired", [this](Seller&) { clock_.advance(seconds(3600)); }},
    };
    for (const auto& [how, end] : ends) {
        auto& each = seller(how);
        publish(each);
        EXPECT_EQ(next(), std::string("+") + how);
        end(each);
        EXPECT_EQ(next(), std::string("-") + how);
    }
    expect_nothing();
}

TEST_F(LiveOffersTest, AnOfferGrowsTooOld) {
    ProposalFilter filter;
    filter.max_age = seconds(30);
    watch(filter);
    EXPECT_EQ(next(), ".");
    publish(seller("a"));
    EXPECT_EQ(next(), "+a");
    clock_.advance(seconds(30));
    publish(seller("b"));
    EXPECT_EQ(next(), "+b");
    clock_.advance(seconds(1));
    EXPECT_EQ(next(), "-a");
}

TEST_F(LiveOffersTest, AnotherStakeIsTold) {
    auto& a = seller("a");
    publish(a);
    ProposalFilter filter;
    filter.min_stake = Amount(5);
    watch(filter);
    EXPECT_EQ(next() + next(), "+a.");
    world_.chain.providers[a.proposal.payee].stake = Amount(6);
    clock_.advance(LiveOffersSettings{}.look_again);
    EXPECT_EQ(next(), "+a");
    EXPECT_EQ(last_.stake, Amount(6));
    world_.chain.providers[a.proposal.payee].stake = Amount(4);
    clock_.advance(LiveOffersSettings{}.look_again);
    EXPECT_EQ(next(), "-a");
}

TEST_F(LiveOffersTest, AVersionThatComesWhileAnOlderOneIsLookedAtIsNotLost) {
    ProposalFilter filter;
    filter.country = "DE";
    watch(filter);
    EXPECT_EQ(next(), ".");
    auto& a = seller("a");
    publish(a);
    a.proposal.country = "NL";
    bus_.comes_meanwhile = record(a);
    EXPECT_EQ(next(), "+a");
    EXPECT_EQ(next(), "-a");
}

TEST_F(LiveOffersTest, MoreThanCanWaitIsLookedAtAnew) {
    LiveOffersSettings settings;
    settings.max_waiting = 1;
    watch({}, settings);
    EXPECT_EQ(next(), ".");
    for (const auto* name : {"a", "b", "c", "d"}) publish(seller(name));
    std::set<std::string> told;
    for (int i = 0; i < 4; ++i) told.insert(next());
    EXPECT_EQ(told, (std::set<std::string>{"+a", "+b", "+c", "+d"}));
}

TEST_F(LiveOffersTest, AFailureAtTheBeginningIsReported) {
    bus_.before_query = [] { return Error{ErrorCode::unavailable, "no relay answers"}; };
    watch();
    EXPECT_EQ(next(), "!unavailable");
}

TEST_F(LiveOffersTest, ALaterFailureIsMadeGood) {
    LiveOffersSettings settings;
    settings.retry = milliseconds(0);  // the clock stands still
    watch({}, settings);
    EXPECT_EQ(next(), ".");
    int questions = 0;
    bus_.before_query = [&]() -> std::optional<Error> {
        if (++questions > 1) return std::nullopt;
        return Error{ErrorCode::unavailable, "no relay answers"};
    };
    publish(seller("a"));
    EXPECT_EQ(next(), "+a") << "after the first question has failed";
    EXPECT_GT(questions, 1);
}

TEST_F(LiveOffersTest, TooManyToFollowIsSaid) {
    for (const auto* name : {"a", "b", "c"}) publish(seller(name));
    LiveOffersSettings settings;
    settings.max_offers = 2;
    watch({}, settings);
    EXPECT_EQ(next(), "!limit_exceeded");
}

}  // namespace
}  // namespace myst::node
