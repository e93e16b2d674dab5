#include "myst/runtime/group_commit.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace myst {
namespace {

/// Doubles what is written; negative values are refused one by one.
class GroupCommitLimits : public testing::Test {
protected:
    using Group = GroupCommit<int, int>;

    std::unique_ptr<Group> make(GroupCommitSettings settings) {
        return std::make_unique<Group>([this](std::vector<int> batch) { return commit(std::move(batch)); }, settings);
    }
    /// Submits all values at once.
    std::vector<Result<int>> submit_all(Group& group, const std::vector<int>& values) {
        std::vector<Result<int>> outcomes(values.size(), Result<int>(0));
        for (std::size_t i = 0; i < values.size(); ++i) {
            asio::co_spawn(context_, group.submit(values[i]), [&outcomes, i](std::exception_ptr, Result<int> outcome) {
                outcomes[i] = std::move(outcome);
            });
        }
        context_.run();
        context_.restart();
        return outcomes;
    }
    std::vector<std::vector<int>> batches_;
    std::optional<Error> failure_;

private:
    Task<Result<std::vector<Result<int>>>> commit(std::vector<int> batch) {
        batches_.push_back(batch);
        co_await sleep_for(milliseconds(0));
        if (failure_) co_return tl::unexpected<Error>(*failure_);
        std::vector<Result<int>> outcomes;
        for (const int value : batch) outcomes.emplace_back(2 * value);
        co_return outcomes;
    }
    asio::io_context context_;
};

TEST_F(GroupCommitLimits, BatchesAreBoundedAndInOrder) {
    GroupCommitSettings settings;
    settings.max_batch = 2;
    const auto group = make(settings);
    const auto outcomes = submit_all(*group, {1, 2, 3, 4, 5, 6});
    EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{1}, {2, 3}, {4, 5}, {6}}));
    for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i], static_cast<int>(2 * (i + 1)));
}

TEST_F(GroupCommitLimits, AFullQueueRefusesAtOnce) {
    GroupCommitSettings settings;
    settings.capacity = 2;
    const auto group = make(settings);
    const auto outcomes = submit_all(*group, {1, 2, 3, 4});
    EXPECT_EQ(outcomes[0], 2);
    EXPECT_EQ(outcomes[1], 4);
    EXPECT_EQ(outcomes[2], 6);
    ASSERT_FALSE(outcomes[3]) << "one is being committed, two wait";
    EXPECT_EQ(outcomes[3].error().code, ErrorCode::limit_exceeded);
    EXPECT_EQ(submit_all(*group, {5}).front(), 10) << "a refusal is no failed commit";
}

TEST_F(GroupCommitLimits, AFailureEndsItOrDoesNot) {
    for (const auto policy : {AfterFailure::refuse, AfterFailure::go_on}) {
        GroupCommitSettings settings;
        settings.after_failure = policy;
        const auto group = make(settings);
        failure_ = Error{ErrorCode::io, "disk is gone"};
        for (const auto& outcome : submit_all(*group, {1, 2})) EXPECT_FALSE(outcome);
        failure_.reset();
        EXPECT_EQ(submit_all(*group, {3}).front().has_value(), policy == AfterFailure::go_on);
    }
}

}  // namespace
}  // namespace myst
