#include "myst/sys/file.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "myst/base/failpoint.hpp"
#include "myst/base/test_support/temporary_directory.hpp"

namespace myst::sys {
namespace {

class FileTest : public ::testing::Test {
protected:
    [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
    [[nodiscard]] std::size_t entries() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
    }
    static unsigned mode_of(const std::string& name) {
        struct stat info {};
        return ::stat(name.c_str(), &info) == 0 ? static_cast<unsigned>(info.st_mode & 07777) : 0;
    }
    TemporaryDirectory directory_;
};

TEST_F(FileTest, WritesReplacesAndReads) {
    ASSERT_TRUE(write_file_atomic(path("a"), as_bytes("first")));
    EXPECT_EQ(mode_of(path("a")), 0600U);
    ASSERT_TRUE(write_file_atomic(path("a"), as_bytes("second, longer"), 0640));
    EXPECT_EQ(mode_of(path("a")), 0640U);
    const auto content = read_file(path("a"), 100);
    ASSERT_TRUE(content) << content.error().describe();
    EXPECT_EQ(as_text(*content), "second, longer");
    EXPECT_EQ(entries(), 1U) << "no temporary file may stay";
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
    ASSERT_TRUE(std::filesystem::create_directories(path("d/full")));
    const auto written = write_file_atomic(path("d"), as_bytes("x"));  // rename onto a directory fails
    ASSERT_FALSE(written);
    EXPECT_TRUE(std::filesystem::is_directory(path("d/full")));
    EXPECT_EQ(entries(), 1U);
}

TEST_F(FileTest, ReadRefusesTooLargeMissingAndSpecialFiles) {
    ASSERT_TRUE(write_file_atomic(path("a"), Bytes(1000, 'x')));
    EXPECT_TRUE(read_file(path("a"), 1000));
    EXPECT_EQ(read_file(path("a"), 999).error().code, ErrorCode::limit_exceeded);
    EXPECT_EQ(read_file(path("b"), 10).error().code, ErrorCode::not_found);
    EXPECT_EQ(read_file(directory_.path(), 10).error().code, ErrorCode::invalid_argument);
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(path("fifo"), 10).error().code, ErrorCode::invalid_argument);
}

TEST_F(FileTest, PrivateDirectoryIsMadeOnceAndCheckedAfterwards) {
    ASSERT_TRUE(make_private_directory(path("x/y/z")));
    EXPECT_EQ(mode_of(path("x/y/z")), 0700U);
    EXPECT_TRUE(make_private_directory(path("x/y/z/")));
    ASSERT_EQ(::chmod(path("x/y/z").c_str(), 0750), 0);
    const auto again = make_private_directory(path("x/y/z"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::permission_denied);
    EXPECT_NE(again.error().cure.find("chmod"), std::string::npos);
}

TEST_F(FileTest, CheckPrivateRefusesReadableFilesAndLinks) {
    ASSERT_TRUE(write_file_atomic(path("key"), as_bytes("secret")));
    EXPECT_TRUE(check_private(path("key")));
    for (const unsigned mode : {0640U, 0604U, 0620U, 0601U}) {
        ASSERT_EQ(::chmod(path("key").c_str(), mode), 0);
        EXPECT_EQ(check_private(path("key")).error().code, ErrorCode::permission_denied) << mode;
    }
    ASSERT_EQ(::chmod(path("key").c_str(), 0600), 0);
    ASSERT_EQ(::symlink(path("key").c_str(), path("link").c_str()), 0);
    EXPECT_EQ(check_private(path("link")).error().code, ErrorCode::permission_denied);
    EXPECT_EQ(check_private(path("none")).error().code, ErrorCode::not_found);
}

TEST_F(FileTest, AProcessKilledAtAnyPlaceLeavesTheOldOrTheNewContent) {
    const Bytes before(100'000, 'a');
    const Bytes after(200'000, 'b');
    const std::vector<std::string> places{"file: temporary file created", "file: written", "file: synced",
                                          "file: renamed", "file: directory synced"};
    for (const auto& place : places) {
        ASSERT_TRUE(write_file_atomic(path("a"), before));
        const auto child = ::fork();
        if (child == 0) {
            const FailpointWatch watch([&](std::string_view reached) {
                if (reached == place) ::_exit(0);
            });
            std::ignore = write_file_atomic(path("a"), after);
            ::_exit(1);
        }
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0) << place << " was not reached";
        const auto left = read_file(path("a"), after.size());
        ASSERT_TRUE(left) << left.error().describe();
        const bool replaced = place == "file: renamed" || place == "file: directory synced";
        EXPECT_TRUE(*left == (replaced ? after : before)) << place;
        EXPECT_EQ(mode_of(path("a")), 0600U);
    }
    std::vector<std::string> reached;
    const FailpointWatch watch([&](std::string_view place) { reached.emplace_back(place); });
    ASSERT_TRUE(write_file_atomic(path("a"), after));
    EXPECT_EQ(reached, places) << "synced before the name changes, and the name afterwards";
}

TEST_F(FileTest, ARemovalIsMadeDurable) {
    ASSERT_TRUE(write_file_atomic(path("a"), as_bytes("x")));
    std::vector<std::string> reached;
    const FailpointWatch watch([&](std::string_view place) { reached.emplace_back(place); });
    ASSERT_TRUE(remove_file(path("a")));
    EXPECT_EQ(reached, (std::vector<std::string>{"file: removed", "file: directory synced"}));
}

TEST_F(FileTest, RemoveIsIdempotent) {
    ASSERT_TRUE(write_file_atomic(path("a"), as_bytes("x")));
    EXPECT_TRUE(remove_file(path("a")));
    EXPECT_TRUE(remove_file(path("a")));
    EXPECT_EQ(entries(), 0U);
}

}  // namespace
}  // namespace myst::sys
