#include "myst/sys/send_policy.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace myst::sys {
namespace {

using Next = SendPolicy::Next;

SocketAddress peer(std::uint8_t host) {
    return {Bytes{192, 0, 2, host}, 51'820};
}

class SendPolicyTest : public ::testing::Test {
protected:
    [[nodiscard]] Next several(int error, const SocketAddress& to) { return policy.after(error, {to, true}, now); }
    MonotonicTime now{seconds{1'000}};
    SendPolicy policy{true};
};

TEST_F(SendPolicyTest, ADeviceWithoutChecksumsEndsJoiningForAll) {
    EXPECT_EQ(policy.after(EIO, {peer(1)}, now), Next::lost) << "a single datagram says nothing of segments";
    EXPECT_TRUE(policy.joins(peer(1), now));
    EXPECT_EQ(several(EIO, peer(1)), Next::apart);
    now += SendPolicy::kApartFor;
    EXPECT_FALSE(policy.joins(peer(1), now));
    EXPECT_FALSE(policy.joins(peer(2), now));
}

TEST_F(SendPolicyTest, ANarrowWayToOnePeerIsNobodyElsesForAMinute) {
    for (const int error : {EMSGSIZE, EINVAL}) {
        EXPECT_EQ(several(error, peer(1)), Next::apart);
        EXPECT_FALSE(policy.joins_always());
        EXPECT_FALSE(policy.joins(peer(1), now));
        EXPECT_TRUE(policy.joins(peer(2), now));
        EXPECT_TRUE(policy.joins({Bytes{192, 0, 2, 1}, 51'821}, now)) << "another port is another peer";
        now += SendPolicy::kApartFor - milliseconds(1);
        EXPECT_FALSE(policy.joins(peer(1), now));
        now += milliseconds(1);
        EXPECT_TRUE(policy.joins(peer(1), now));
        EXPECT_TRUE(policy.joins_always());
    }
    EXPECT_EQ(policy.after(EMSGSIZE, {peer(1)}, now), Next::lost) << "one datagram cannot be cut";
    EXPECT_TRUE(policy.joins_always());
}

TEST_F(SendPolicyTest, PeersRememberedAreBoundedAndTheOldestGoes) {
    for (std::uint8_t host = 0; host <= SendPolicy::kMaxApart; ++host)
        EXPECT_EQ(several(EINVAL, peer(host)), Next::apart);
    EXPECT_TRUE(policy.joins(peer(0), now));
    EXPECT_FALSE(policy.joins(peer(1), now));
    EXPECT_FALSE(policy.joins(peer(SendPolicy::kMaxApart), now));
}

TEST_F(SendPolicyTest, ASourceIsDroppedBeforeAnythingElseIsBlamed) {
    for (const int error : {EINVAL, ENETUNREACH, EADDRNOTAVAIL, ENODEV}) {
        EXPECT_EQ(policy.after(error, {peer(1), true, true}, now), Next::without_source) << error;
    }
    EXPECT_TRUE(policy.joins_always());
    EXPECT_EQ(policy.after(EMSGSIZE, {peer(1), true, true}, now), Next::apart) << "has nothing to do with the source";
}

TEST_F(SendPolicyTest, WhatCostsOneMessageAndWhatEndsTheSocket) {
    EXPECT_EQ(policy.after(EINTR, {peer(1), true, true}, now), Next::again);
    for (const int error : {EAGAIN, ENOBUFS, ENETUNREACH, EPERM, ECONNREFUSED}) {
        EXPECT_EQ(policy.after(error, {peer(1), true}, now), Next::lost) << error;
    }
    EXPECT_EQ(policy.after(EBADF, {peer(1), true, true}, now), Next::give_up);
    EXPECT_TRUE(policy.joins_always());
}

}  // namespace
}  // namespace myst::sys
