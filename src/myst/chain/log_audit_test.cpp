#include "myst/chain/log_audit.hpp"

#include <gtest/gtest.h>

#include <set>

#include "myst/chain/test_support/indexer_fixture.hpp"
#include "myst/crypto/system_rng.hpp"

namespace myst::chain {
namespace {

using testing::IndexerBench;
using testing::ScriptedChain;

constexpr std::size_t kBlocks = 400;
constexpr std::size_t kLogsPerBlock = 3;

/// A chain whose events depend on none before, so that only an audit can notice that one is missing.
void fill(ScriptedChain& chain) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < kBlocks; ++i) {
        chain.mine({});
        auto& block = chain.mutable_blocks().back();
        for (std::size_t k = 0; k < kLogsPerBlock; ++k) {
            Address signer;
            signer.bytes[0] = 1;
            signer.bytes[18] = static_cast<std::uint8_t>(++number >> 8);
            signer.bytes[19] = static_cast<std::uint8_t>(number);
            auto log = testing::encode_event(OwnerSet{signer, testing::account_at(9)}, ScriptedChain::contract());
            log.block_number = block.header.number;
            log.block_hash = block.header.hash;
            log.index = k;
            block.logs.push_back(std::move(log));
        }
    }
}

/// Leaves one log in fifty out; the blocks concerned.
std::set<std::uint64_t> thin_out(ScriptedChain& chain) {
    std::set<std::uint64_t> blocks;
    std::size_t number = 0;
    for (auto& block : chain.mutable_blocks()) {
        std::erase_if(block.logs, [&](const Log&) {
            if (++number % 50 != 7) return false;
            blocks.insert(block.header.number);
            return true;
        });
    }
    return blocks;
}

Task<> one_cycle(LogAudit& audit, std::vector<LogAudit::Finding>& findings) {
    while (audit.cycles() == 0) {
        auto found = co_await audit.next_of_cycle();
        EXPECT_TRUE(found || found.error().code == ErrorCode::unavailable) << found.error().message;
        if (found) findings.insert(findings.end(), found->begin(), found->end());
    }
}

Task<> run_until(LogAudit& audit, EventSignal& signal) {
    co_await audit.run();
    signal.notify();
}

/// Index and audit run until the audit has ended or somebody is blamed.
Task<> follow_and_audit(Indexer& indexer, LogAudit& audit, EventSignal& signal, std::optional<Error>& ended) {
    const auto executor = co_await asio::this_coro::executor;
    EventSignal unheard(executor);
    TaskGroup group(executor);
    group.spawn("indexer", testing::drive(indexer, ended, unheard));
    group.spawn("audit", run_until(audit, signal));
    const bool in_time = co_await signal.wait(milliseconds(60'000));
    EXPECT_TRUE(in_time);
    // The index notices at its next look.
    if (indexer.status().state == ports::IndexState::halted && !ended) {
        const bool noticed = co_await unheard.wait(milliseconds(60'000));
        EXPECT_TRUE(noticed);
    }
    group.cancel();
    co_await group.join();
}

class LogAuditTest : public ::testing::Test {
protected:
    LogAuditTest() {
        fill(bench_.chain);
        thin_ = bench_.chain;
        missing_ = thin_out(thin_);
        bench_.settings.poll = milliseconds(1);
        settings_.range = 30;
        settings_.pause = milliseconds(1);
    }
    void index(ScriptedChain& chain) {
        bench_.settings.path = ":memory:";
        indexer_ = std::make_unique<Indexer>(bench_.settings, chain, bench_.pool);
        std::optional<Error> ended;
        sys::testing::run_task(bench_.context, testing::follow_until(*indexer_, chain.tip().hash, ended));
        ASSERT_FALSE(ended) << ended->message;
    }
    LogAudit::Auditor auditor(const char* name, ScriptedChain& chain) {
        return {name, chain, [this, name](const std::string& about) {
                    blamed_.push_back(name + std::string(": ") + about);
                    signal_.notify();
                }};
    }
    std::vector<LogAudit::Finding> cycle(std::vector<LogAudit::Auditor> auditors) {
        LogAudit audit(settings_, *indexer_, std::move(auditors), rng_);
        std::vector<LogAudit::Finding> findings;
        sys::testing::run_task(bench_.context, one_cycle(audit, findings));
        return findings;
    }
    std::optional<Error> run(std::vector<LogAudit::Auditor> auditors) {
        LogAudit audit(settings_, *indexer_, std::move(auditors), rng_);
        std::optional<Error> ended;
        sys::testing::run_task(bench_.context, follow_and_audit(*indexer_, audit, signal_, ended));
        return ended;
    }

    IndexerBench bench_;
    ScriptedChain thin_;
    std::set<std::uint64_t> missing_;
    LogAuditSettings settings_;
    crypto::SystemRng rng_;
    std::unique_ptr<Indexer> indexer_;
    std::vector<std::string> blamed_;
    EventSignal signal_{bench_.context.get_executor()};
};

TEST_F(LogAuditTest, ACycleFindsEveryLogThatWasNotApplied) {
    index(thin_);
    const auto findings = cycle({auditor("thin", thin_), auditor("full", bench_.chain)});
    std::set<std::uint64_t> blocks;
    for (const auto& each : findings) {
        EXPECT_EQ(each.auditor, 1U);
        EXPECT_FALSE(each.cleared);
        blocks.insert(each.block);
    }
    EXPECT_EQ(missing_.size(), kBlocks * kLogsPerBlock / 50);
    EXPECT_EQ(blocks, missing_);
    RecordProperty("missing logs found", static_cast<int>(blocks.size()));
}

TEST_F(LogAuditTest, ACycleFindsEveryLogThatAnEndpointHides) {
    index(bench_.chain);
    const auto findings = cycle({auditor("thin", thin_), auditor("full", bench_.chain)});
    std::set<std::uint64_t> blocks;
    for (const auto& each : findings) {
        EXPECT_EQ(each.auditor, 0U);
        blocks.insert(each.block);
    }
    EXPECT_EQ(blocks, missing_);
}

TEST_F(LogAuditTest, ADifferenceHaltsTheIndexAndNamesBlockAndEndpoint) {
    index(thin_);
    const auto ended = run({auditor("thin", thin_), auditor("full", bench_.chain)});
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, ErrorCode::failed_precondition);
    EXPECT_NE(ended->message.find("endpoint full"), std::string::npos) << ended->message;
    EXPECT_TRUE(std::any_of(missing_.begin(), missing_.end(), [&](auto number) {
        return ended->message.find("block " + std::to_string(number) + " ") != std::string::npos;
    })) << ended->message;
    EXPECT_FALSE(ended->cure.empty());
    EXPECT_EQ(indexer_->status().state, ports::IndexState::halted);
}

TEST_F(LogAuditTest, TheQuorumClearsTheTables) {
    settings_.quorum = 2;
    index(bench_.chain);
    const auto ended = run({auditor("full", bench_.chain), auditor("also full", bench_.chain), auditor("thin", thin_)});
    EXPECT_FALSE(ended && indexer_->status().state == ports::IndexState::halted);
    ASSERT_FALSE(blamed_.empty());
    EXPECT_TRUE(blamed_.front().starts_with("thin: the logs of block ")) << blamed_.front();
}

TEST_F(LogAuditTest, AnEndpointThatDoesNotAnswerLeavesTheQuestionOpen) {
    settings_.quorum = 2;
    index(bench_.chain);
    auto silent = bench_.chain;
    silent.failures = ~0U;
    const auto findings = cycle({auditor("full", bench_.chain), auditor("silent", silent), auditor("thin", thin_)});
    EXPECT_TRUE(findings.empty()) << "with the silent one there may be a quorum for the tables";
}

TEST_F(LogAuditTest, AnEndpointOnAnotherBranchIsNoFinding) {
    index(bench_.chain);
    auto forked = bench_.chain;
    forked.drop(20);
    for (std::uint32_t i = 0; i < 20; ++i) forked.mine({}, 5);
    const auto findings = cycle({auditor("forked", forked), auditor("full", bench_.chain)});
    EXPECT_TRUE(findings.empty());
}

TEST_F(LogAuditTest, DigestsFollowAReorganisation) {
    index(bench_.chain);
    bench_.chain.drop(20);
    for (std::uint32_t i = 0; i < 25; ++i) bench_.chain.mine({i * 12}, 5);
    std::optional<Error> ended;
    sys::testing::run_task(bench_.context, testing::follow_until(*indexer_, bench_.chain.tip().hash, ended));
    ASSERT_FALSE(ended);
    auto twin = bench_.chain;
    const auto findings = cycle({auditor("full", bench_.chain), auditor("twin", twin)});
    EXPECT_TRUE(findings.empty());
}

}  // namespace
}  // namespace myst::chain
