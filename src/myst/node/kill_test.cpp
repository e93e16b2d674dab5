// The program is killed at named places (CONTRIBUTING.md); what starts on its files afterwards goes on.
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

#include <gtest/gtest.h>

#include "myst/base/failpoint.hpp"
#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr milliseconds kPatience{10'000};

/// Runs `work` in a process of its own that is killed at the `visit`th visit of a place whose name begins with
/// `prefix`. False if it came to its end instead.
bool killed_at(std::string_view prefix, unsigned visit, const std::function<void()>& work) {
    const auto child = ::fork();
    if (child == 0) {
        std::atomic<unsigned> visits = 0;
        const FailpointWatch watch([&](std::string_view place) {
            if (place.starts_with(prefix) && ++visits == visit) ::kill(::getpid(), SIGKILL);
        });
        work();
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "place " << visit << " of " << prefix;
    return WIFSIGNALED(status);
}

class KillTest : public testing::Test {
protected:
    TemporaryDirectory directory_;
    std::filesystem::path folder_ = directory_.path();
};

// ---- keys ----------------------------------------------------------------------------------------------------------

Result<KeyRing> open_keys(const std::filesystem::path& folder, Rng& rng) {
    const auto path = folder.string();
    return KeyRing::open({path, path + "/password", crypto::KeystoreStrength::light}, rng);
}

/// Names and contents of the files whose names are final.
std::map<std::string, std::string> whole_files(const std::filesystem::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& name : {"password", "node.json", "signer.json", "wallet.json"}) {
        std::ifstream file(folder / name);
        if (file) files[name] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
}

TEST_F(KillTest, WhileKeysAreMadeNoneIsDamagedAndNoneThatIsThereIsReplaced) {
    CountingRng rng;
    const auto make_keys = [&] {
        auto keys = open_keys(folder_, rng);
        EXPECT_TRUE(keys && (keys->wallet() || keys->make_wallet(rng)));
    };
    constexpr unsigned kStep = 5;  // no multiple of the six places of each file
    unsigned places = 0;
    while (killed_at("", kStep * places + 1, make_keys)) {
        ASSERT_LT(++places, 100U);
        const auto before = whole_files(folder_);
        auto keys = open_keys(folder_, rng);
        ASSERT_TRUE(keys) << "killed at place " << places << ": " << keys.error().describe();
        EXPECT_TRUE(keys->wallet() || keys->make_wallet(rng)) << "killed at place " << places;
        const auto after = whole_files(folder_);
        EXPECT_EQ(after.size(), 4U);
        for (const auto& [name, content] : before) EXPECT_EQ(after.at(name), content) << name;
        std::filesystem::remove_all(folder_);
    }
    EXPECT_GE(places, 4 * 6U / kStep) << "four files";
    std::cout << "killed at " << places << " places\n";
}

// ---- payments ------------------------------------------------------------------------------------------------------

/// Both sides in one process, on files that outlive it.
class Market {
public:
    /// `start`: of this folder the how many-eth. The same random numbers twice would be the same session twice.
    Market(const std::filesystem::path& folder, unsigned start)
        : consumer_(later(world_, start), folder / "consumer", settings_of_consumer()),
          provider_(world_, folder / "provider", provider_settings()) {
        world_.chain.accounts[payer()].free = Amount(1'000'000);
    }
    ~Market() { EXPECT_TRUE(world_.run(shut_down())); }
    Market(const Market&) = delete;
    Market& operator=(const Market&) = delete;

    /// Connects, uses some MiB, and leaves.
    void trade() { EXPECT_TRUE(world_.run(session())); }
    void compare(Amount& held, Amount& issued) { EXPECT_TRUE(world_.run(read(held, issued))); }

private:
    static World& later(World& world, unsigned start) {
        for (unsigned i = 0; i < start * 1'000; ++i) std::ignore = random_bytes<SessionId>(world.rng);
        return world;
    }
    static NodeSettings settings_of_consumer() {
        auto settings = consumer_settings();
        settings.consumer.chunk = {kMiB / 4, kMiB / 4};
        return settings;
    }
    Task<> session() {
        auto started = co_await provider_.node->provider_start();
        EXPECT_TRUE(started);
        ProposalFilter filter;
        auto connecting = co_await consumer_.node->connect(std::move(filter));
        EXPECT_TRUE(connecting);
        const auto deadline = world_.clock.now() + kPatience;
        while (consumer_.node->connection().traffic.total() < 2 * kMiB && world_.clock.now() < deadline) {
            world_.wire.carry(64 * 1024);
            co_await sleep_for(milliseconds(1));
        }
        EXPECT_GE(consumer_.node->connection().traffic.total(), 2 * kMiB) << consumer_.node->connection().last_error;
        auto ended = co_await consumer_.node->disconnect();
        EXPECT_TRUE(ended);
    }
    Task<> read(Amount& held, Amount& issued) {
        auto highest = co_await provider_.ledger->highest_voucher(payer(), payee());
        if (highest && *highest) held = (*highest)->total();
        auto promised = co_await consumer_.ledger->highest_issued(payer(), payee(), 0);
        if (promised && *promised) issued = (*promised)->total();
    }
    Task<> shut_down() {
        co_await consumer_.node->shut_down();
        co_await provider_.node->shut_down();
    }
    [[nodiscard]] Address payer() const { return consumer_.keys->signer()->address(); }
    [[nodiscard]] Address payee() const { return provider_.keys->wallet()->address(); }

    World world_;
    TestNode consumer_;
    TestNode provider_;
};

TEST_F(KillTest, AroundSendingPaymentsNothingIsHeldThatWasNotIssued) {
    constexpr unsigned kStep = 7;  // of about fifty places: sent and about to be, HELLO to BYE, of either side
    unsigned places = 0;
    unsigned start = 0;
    Amount before;
    while (killed_at("payment stream: ", kStep * places + 1, [&] { Market(folder_, start).trade(); })) {
        ASSERT_LT(++places, 50U);
        Market again(folder_, ++start);
        Amount held;
        Amount issued;
        again.compare(held, issued);
        EXPECT_GE(held, before) << "what was acknowledged is lost";
        EXPECT_LE(held, issued) << "sent before it was on disk";
        EXPECT_LE(issued, held.plus_saturating(Amount(125))) << "more is under way than the credit and a chunk";
        again.trade();
        again.compare(before, issued);
        EXPECT_EQ(before, issued) << "both sides must agree on the lane's total";
        EXPECT_GE(before, held.plus_saturating(Amount(200)));
        ++start;
    }
    EXPECT_GE(places, 4U);
    std::cout << "killed at " << places << " places\n";
}

}  // namespace
}  // namespace myst::node::test
