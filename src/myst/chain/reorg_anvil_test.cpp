// The index after reorganisations of a real node equals one that is built anew.
#include <numeric>
#include <random>

#include "myst/chain/test_support/chain_anvil_fixture.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;

constexpr std::uint64_t kDeepest = 64;

/// What happens to chain and index at once.
enum class Scenario { while_following, while_stopped, during_a_batch, shorter_chain, across_a_settlement };
constexpr std::size_t kScenarios = 5;

/// Replaces the newest blocks while the index is reading them.
Task<> reorganise_soon(Indexer& indexer, JsonRpcClient& client, std::uint64_t depth, std::size_t after,
                       std::optional<Result<>>& done) {
    for (std::size_t i = 0; i < after; ++i) {
        const auto before = testing::head_of(indexer);
        const bool more = co_await testing::head_changes(indexer, before, milliseconds(500));
        if (!more) break;  // several changes were seen as one
    }
    json::array params;
    params.emplace_back(depth);
    params.emplace_back(json::array{});
    auto replaced = co_await client.call("anvil_reorg", std::move(params));
    done = replaced ? Result<>{} : forward_error(replaced);
}

Task<> follow_while_reorganised(Indexer& indexer, JsonRpcClient& client, std::uint64_t depth, std::size_t after,
                                std::optional<Result<>>& done) {
    const auto executor = co_await asio::this_coro::executor;
    std::optional<Error> ended;
    EventSignal halted(executor);
    TaskGroup group(executor);
    group.spawn("indexer", testing::drive(indexer, ended, halted));
    co_await reorganise_soon(indexer, client, depth, after, done);
    group.cancel();
    co_await group.join();
    EXPECT_FALSE(ended) << ended->describe();
}

/// Counts how often somebody asks for the head while something has not happened yet.
class CountingSource final : public BlockSource {
public:
    explicit CountingSource(BlockSource& source) : source_(source) {}
    std::size_t polls = 0;
    std::function<bool()> has_happened = [] { return false; };
    Task<Result<std::uint64_t>> chain_id() override { return source_.chain_id(); }
    Task<Result<std::uint64_t>> head_number() override {
        if (!has_happened()) ++polls;
        return source_.head_number();
    }
    Task<Result<BlockHeader>> header(std::uint64_t number) override { return source_.header(number); }
    Task<Result<std::vector<Block>>> blocks(std::uint64_t first, std::uint64_t last) override {
        return source_.blocks(first, last);
    }

private:
    BlockSource& source_;
};

/// Replaces the newest blocks under a running index; how often it looked until it had noticed.
Task<> measure_detection(Indexer& indexer, CountingSource& source, JsonRpcClient& client, std::uint64_t depth,
                         std::size_t& polls) {
    const auto executor = co_await asio::this_coro::executor;
    EventSignal halted(executor);
    std::optional<Error> ended;
    TaskGroup group(executor);
    group.spawn("indexer", testing::drive(indexer, ended, halted));
    while (indexer.status().state != ports::IndexState::following) co_await sleep_for(milliseconds(1));
    const auto head = testing::head_of(indexer);
    json::array params;
    params.emplace_back(depth);
    params.emplace_back(json::array{});
    auto replaced = co_await client.call("anvil_reorg", std::move(params));
    EXPECT_TRUE(replaced);
    const auto before = source.polls;
    // What is polled between the change of the head and our seeing it does not count.
    source.has_happened = [&] { return testing::head_of(indexer) != head; };
    const bool noticed = co_await testing::head_changes(indexer, head, milliseconds(20'000));
    EXPECT_TRUE(noticed);
    polls = source.polls - before;
    group.cancel();
    co_await group.join();
    source.has_happened = [] { return false; };
}

class ReorgAnvil : public testing::ChainAnvil {
protected:
    void SetUp() override {
        ChainAnvil::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        const auto approve = call::approve(identity_.lanes, Amount(1'000'000'000));
        send_unlocked({{"to", identity_.token.hex0x()}, {"data", to_hex0x(approve)}});
        send_unlocked({{"to", identity_.lanes.hex0x()}, {"data", to_hex0x(deposit_of(500'000))}});
        rpc("anvil_mine", {quantity(kDeepest)});
        base_ = height();
        begin_anew();
    }
    void TearDown() override {
        indexer_.reset();
        file_.reset();
        ChainAnvil::TearDown();
    }
    /// A short chain and a new index, or chains would become too long to be read again and again.
    void begin_anew() {
        if (height() > base_) rpc("anvil_rollback", {height() - base_});
        rpc("anvil_setCoinbase", {account_at(++coinbase_).hex0x()});
        indexer_.reset();
        file_ = std::make_unique<testing::TemporaryFile>("reorg_anvil");
        restart_small_batches();
        ASSERT_FALSE(follow(*indexer_));
        highest_ = height();
    }
    /// So that a few blocks are several batches.
    void restart_small_batches() {
        indexed_.reset();
        indexer_ = std::make_unique<Indexer>(small_batches(file_->path), *source_, pool_);
    }
    void send(const Bytes& data) { send_unlocked({{"to", identity_.lanes.hex0x()}, {"data", to_hex0x(data)}}); }
    /// Blocks with deposits and settlements, and empty ones between them.
    void grow(std::size_t blocks) {
        for (std::size_t i = 0; i < blocks; ++i) {
            switch (dice_() % 4) {
                case 0:
                    send(
                        call::deposit(account_at(1 + static_cast<unsigned>(dice_() % 20)), Amount(1 + dice_() % 1000)));
                    break;
                case 1: settle_more(); break;
                default: rpc("evm_mine");
            }
        }
    }
    void settle_more() {
        voucher_ += 1 + dice_() % 50;
        send(call::settle(provider_, {voucher(voucher_, voucher_ + 100)}));
    }
    void roll_back(std::uint64_t depth) {
        const auto top = height();
        const auto old = hash_at(json::value(quantity(top + 1 - depth)));
        rpc("anvil_rollback", {depth});
        rpc("anvil_setCoinbase", {account_at(++coinbase_).hex0x()});
        rpc("evm_mine");
        ASSERT_EQ(height(), top + 1 - depth);
        ASSERT_NE(hash_at("latest"), old) << "anvil kept a block";
    }
    void play(Scenario scenario, std::uint64_t depth) {
        switch (scenario) {
            case Scenario::while_following: reorganise(depth); break;
            case Scenario::while_stopped:
                reorganise(depth);
                restart_small_batches();
                break;
            case Scenario::during_a_batch: {
                // A new index, some batches into the chain, of which the blocks it reads next are replaced.
                const auto top = height();
                const auto old = hash_at(json::value(quantity(top + 1 - depth)));
                rpc("anvil_setCoinbase", {account_at(++coinbase_).hex0x()});
                Indexer young(small_batches(":memory:"), *source_, pool_);
                std::optional<Result<>> done;
                auto run = follow_while_reorganised(young, *client_, depth, 1 + dice_() % (top / 7), done);
                sys::testing::run_task(context_, std::move(run));
                ASSERT_TRUE(done && *done);
                ASSERT_NE(hash_at(json::value(quantity(top + 1 - depth))), old) << "anvil kept a block";
                ASSERT_FALSE(follow(young));
                expect_as_new(young, scenario, depth);
                break;
            }
            case Scenario::shorter_chain: roll_back(depth); break;
            case Scenario::across_a_settlement:
                settle_more();
                ASSERT_FALSE(follow(*indexer_));
                reorganise(depth);
                settle_more();
                break;
        }
    }
    IndexerSettings small_batches(const std::string& path) {
        auto settings = indexer_settings(path);
        settings.batch = 7;
        return settings;
    }
    void expect_as_new(Indexer& indexer, Scenario scenario, std::uint64_t depth) {
        Indexer fresh(indexer_settings(":memory:"), *source_, pool_);
        ASSERT_FALSE(follow(fresh));
        ASSERT_EQ(dump(indexer), dump(fresh)) << "scenario " << static_cast<int>(scenario) << ", depth " << depth;
        ++compared_;
    }

    std::mt19937 dice_{7};
    std::unique_ptr<testing::TemporaryFile> file_;
    std::uint64_t base_ = 0;     ///< height that chains begin with
    std::uint64_t highest_ = 0;  ///< highest block of the index so far
    std::uint64_t voucher_ = 0;
    std::size_t compared_ = 0;
};

TEST_F(ReorgAnvil, TheIndexEqualsANewOneAfterAnyReorganisation) {
    const auto rounds = sys::testing::repetitions("MYST_REORG_ROUNDS", 3);
    std::array<std::size_t, kScenarios> played{};
    std::size_t step = 0;
    std::vector<std::uint64_t> depths(kDeepest);
    std::iota(depths.begin(), depths.end(), 1);
    for (std::size_t round = 0; round < rounds; ++round) {
        std::shuffle(depths.begin(), depths.end(), dice_);
        for (const auto depth : depths) {
            if (step % 16 == 0) begin_anew();
            const auto scenario = static_cast<Scenario>(step++ % kScenarios);
            grow(2);
            // How deep a reorganisation may be counts from the highest block that was indexed.
            if (height() < highest_) rpc("anvil_mine", {quantity(highest_ - height())});
            ASSERT_FALSE(follow(*indexer_));
            highest_ = height();
            play(scenario, depth);
            if (HasFatalFailure()) return;
            ASSERT_FALSE(follow(*indexer_));
            expect_as_new(*indexer_, scenario, depth);
            if (HasFatalFailure()) return;
            ++played.at(static_cast<std::size_t>(scenario));
        }
    }
    std::cout << "  " << step << " reorganisations of depth 1 to " << kDeepest << ", " << compared_
              << " comparisons; of each scenario at least " << *std::min_element(played.begin(), played.end()) << "\n";
}

TEST_F(ReorgAnvil, IsNoticedWithinTwoPolls) {
    CountingSource counting(*source_);
    Indexer indexer(small_batches(":memory:"), counting, pool_);
    for (std::uint64_t depth = 1; depth <= 10; ++depth) {
        rpc("anvil_setCoinbase", {account_at(++coinbase_).hex0x()});
        std::size_t polls = 99;
        sys::testing::run_task(context_, measure_detection(indexer, counting, *client_, depth, polls));
        EXPECT_LE(polls, 2U);
    }
}

TEST_F(ReorgAnvil, DeeperThanTheLimitHaltsWithoutAWrite) {
    const auto rounds = sys::testing::repetitions("MYST_REORG_ROUNDS", 1);
    for (std::size_t round = 0; round < rounds; ++round) {
        rpc("anvil_mine", {quantity(120)});
        const testing::TemporaryFile file("reorg_deep");
        Indexer indexer(indexer_settings(file.path), *source_, pool_);
        ASSERT_FALSE(follow(indexer));
        reorganise(96);
        ASSERT_FALSE(follow(indexer));
        expect_as_new(indexer, Scenario::while_following, 96);
        const auto before = dump(indexer);
        reorganise(97 + round * 7 % 20);
        if (HasFatalFailure()) return;
        const auto halted = follow(indexer);
        ASSERT_TRUE(halted);
        EXPECT_EQ(halted->code, ErrorCode::failed_precondition);
        EXPECT_EQ(dump(indexer), before);
    }
}

}  // namespace
}  // namespace myst::chain
