// The program is killed at every place between a wish and its outcome; afterwards the wish has been executed once.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "myst/base/failpoint.hpp"
#include "myst/chain/test_support/chain_anvil_fixture.hpp"
#include "myst/sys/fd.hpp"

namespace myst::chain {
namespace {

using testing::submit_while_running;

constexpr unsigned kNever = ~0U;
constexpr int kBlockTime = 10;  // milliseconds

class OutboxKill : public testing::ChainAnvil {
protected:
    void SetUp() override {
        ChainAnvil::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        approve_deposits();
        outbox_.reset();
    }
    /// Submits a deposit in a child process, which is killed at the `kill_at`-th place it reaches (from 1). Returns
    /// whether it ended by itself, that is, with the deposit mined. While it runs, dear blocks are mined if asked for.
    bool deposit_in_child(std::uint64_t amount, unsigned kill_at, bool mine = false) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_child(amount, kill_at);
        }
        const sys::Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
        pollfd ended{handle.get(), POLLIN, 0};
        while (::poll(&ended, 1, mine ? kBlockTime : -1) == 0) mine_dear_block();
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status)) {
            EXPECT_EQ(WTERMSIG(status), SIGKILL);
            EXPECT_NE(kill_at, kNever);
            return false;
        }
        EXPECT_EQ(WEXITSTATUS(status), 0);
        return true;
    }
    /// Base fees do not fall: what was offered below them is never mined, however slow the child is.
    void mine_dear_block() {
        rpc("anvil_setNextBlockBaseFeePerGas", {"0x12a05f200"});  // 5 gwei
        rpc("evm_mine");
    }
    /// Shares nothing with the parent but the outbox file and the node.
    [[noreturn]] void run_child(std::uint64_t amount, unsigned kill_at) {
        std::atomic<unsigned> places = 0;
        const FailpointWatch watch([&](std::string_view) {
            if (++places == kill_at) ::kill(::getpid(), SIGKILL);
        });
        asio::io_context context;
        WorkerPool pool(1);
        JsonRpcSettings rpc;
        rpc.url = node_->url();
        JsonRpcClient client(rpc, rng_);
        auto settings = outbox_settings();
        settings.replace_after = milliseconds(1);
        settings.settled_depth = 100'000;  // older deposits becoming settled would be further places
        const SystemClock clock;
        TxOutbox outbox(settings, key_.clone(), client, pool, context.get_executor(), clock);
        ports::TxIntent intent{"deposit:" + std::to_string(amount), "", identity_.lanes, deposit_of(amount)};
        const auto outcome = sys::testing::run_value(context, submit_while_running(outbox, std::move(intent)));
        ::_exit(outcome && outcome->succeeded ? 0 : 1);
    }
};

TEST_F(OutboxKill, BetweenAnyTwoSteps) {
    std::uint64_t intents = 0;
    unsigned places = 0;
    for (bool finished = false; !finished; ++places) {
        ASSERT_LT(places, 50U);
        finished = deposit_in_child(++intents, places + 1);
        ASSERT_TRUE(deposit_in_child(intents, kNever)) << "killed at place " << places + 1;
        ASSERT_EQ(executions(deposit_of(intents)), 1U) << "killed at place " << places + 1;
    }
    EXPECT_GE(places - 1, 7U) << "intent, nonce, version, about to send, sent, seen, stored";
    expect_each_deposit_once(intents);
    std::cout << "  killed at " << places - 1 << " places, " << intents << " intents, each executed once\n";
}

TEST_F(OutboxKill, AroundAReorganisation) {
    std::uint64_t intents = 0;
    unsigned places = 0;
    for (bool finished = false; !finished; ++places) {
        ASSERT_LT(places, 50U);
        ASSERT_TRUE(deposit_in_child(++intents, kNever));
        const auto dropped = intents;
        reorganise(1);
        ASSERT_EQ(executions(deposit_of(dropped)), 0U);
        finished = deposit_in_child(++intents, places + 1);
        ASSERT_TRUE(deposit_in_child(intents, kNever)) << "killed at place " << places + 1;
        ASSERT_EQ(executions(deposit_of(dropped)), 1U) << "killed at place " << places + 1;
        ASSERT_EQ(executions(deposit_of(intents)), 1U) << "killed at place " << places + 1;
    }
    EXPECT_GE(places - 1, 10U);
    expect_each_deposit_once(intents);
    std::cout << "  killed at " << places - 1 << " places, " << intents << " intents, each executed once\n";
}

TEST_F(OutboxKill, AroundAReplacement) {
    constexpr unsigned kSent = 5;  // the first version is in the pool
    std::uint64_t intents = 0;
    unsigned places = 0;
    for (bool finished = false; !finished; ++places) {
        ASSERT_LT(places, 50U);
        rpc("evm_setAutomine", {false});
        rpc("anvil_setNextBlockBaseFeePerGas", {"0x3b9aca00"});  // 1 gwei, wherever the last round has left it
        rpc("evm_mine");
        ASSERT_FALSE(deposit_in_child(++intents, kSent));
        ASSERT_EQ(as_u64(rpc("txpool_status").at("pending")).value(), 1U);
        mine_dear_block();  // dearer than was offered
        ASSERT_EQ(executions(deposit_of(intents)), 0U);
        finished = deposit_in_child(intents, places + 1, true);
        ASSERT_TRUE(deposit_in_child(intents, kNever, true)) << "killed at place " << places + 1;
        ASSERT_EQ(executions(deposit_of(intents)), 1U) << "killed at place " << places + 1;
    }
    EXPECT_GE(places - 1, 6U);
    expect_each_deposit_once(intents);
    std::cout << "  killed at " << places - 1 << " places, " << intents << " intents, each executed once\n";
}

}  // namespace
}  // namespace myst::chain
