#include "myst/api/access.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/crypto/system_rng.hpp"

namespace myst::api {
namespace {

class Access : public testing::Test {
protected:
    [[nodiscard]] std::string content() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void write(std::string_view text, mode_t mode) const {
        std::ofstream(path_) << text;
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.path() + "/api-token";
    crypto::SystemRng rng_;
};

TEST_F(Access, TheTokenIsCreatedOnceReadableByItsOwnerOnly) {
    const auto first = prepare_token(path_, rng_);
    ASSERT_TRUE(first) << first.error().describe();
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    const auto token = content();
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(digest_of_token(token).digest, first->digest);
    const auto second = prepare_token(path_, rng_);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->digest, first->digest);
    ::unlink(path_.c_str());
    const auto rotated = prepare_token(path_, rng_);
    ASSERT_TRUE(rotated);
    EXPECT_NE(rotated->digest, first->digest);
}

TEST_F(Access, ATokenThatOthersMayReadIsRefused) {
    ASSERT_TRUE(prepare_token(path_, rng_));
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    const auto refused = prepare_token(path_, rng_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
    EXPECT_NE(refused.error().cure.find("chmod"), std::string::npos);
}

TEST_F(Access, AnythingButATokenIsRefusedAndNotShown) {
    for (const auto* text : {"", "short", "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
        write(text, 0600);
        const auto refused = prepare_token(path_, rng_);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, ErrorCode::invalid_data);
        if (*text != 0) {
            EXPECT_EQ(refused.error().describe().find(text), std::string::npos);
        }
    }
}

TEST_F(Access, TheAddressIsForEverybody) {
    ASSERT_TRUE(publish_address(path_, "http://127.0.0.1:4449"));
    EXPECT_EQ(content(), "http://127.0.0.1:4449\n");
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0644U);
}

}  // namespace
}  // namespace myst::api
