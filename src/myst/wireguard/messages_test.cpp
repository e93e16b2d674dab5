#include "myst/wireguard/messages.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/timestamp.hpp"

namespace myst::wireguard {
namespace {

Bytes datagram(std::uint8_t type, std::size_t size) {
    Bytes bytes(size);
    if (!bytes.empty()) bytes[0] = type;
    return bytes;
}

TEST(Messages, ExactSizesAndZeroReservedBytesElseSilence) {
    for (std::size_t size = 0; size < 300; ++size) {
        EXPECT_EQ(classify(datagram(1, size)) == MessageType::initiation, size == 148) << size;
        EXPECT_EQ(classify(datagram(2, size)) == MessageType::response, size == 92) << size;
        EXPECT_EQ(classify(datagram(3, size)) == MessageType::cookie_reply, size == 64) << size;
        EXPECT_EQ(classify(datagram(4, size)) == MessageType::data, size >= 32) << size;
        for (const int type : {0, 5, 255}) EXPECT_FALSE(classify(datagram(static_cast<std::uint8_t>(type), size)));
    }
    for (const std::size_t reserved : {1U, 2U, 3U}) {
        auto bytes = datagram(1, 148);
        bytes[reserved] = 1;
        EXPECT_FALSE(classify(bytes));
    }
}

TEST(Messages, NumbersAreLittleEndian) {
    EXPECT_EQ(to_hex(DataHeader{0x01020304, 0x1112131415161718}.encode()), "04000000040302011817161514131211");
}

TEST(Messages, DecodeGivesWhatWasEncoded) {
    Response response;
    response.sender = 0xa1b2c3d4;
    response.receiver = 5;
    response.ephemeral.bytes.fill(7);
    response.encrypted_nothing.fill(9);
    const auto decoded = Response::decode(response.encode());
    EXPECT_EQ(decoded.sender, response.sender);
    EXPECT_EQ(decoded.receiver, response.receiver);
    EXPECT_EQ(decoded.ephemeral, response.ephemeral);
    EXPECT_EQ(decoded.encrypted_nothing, response.encrypted_nothing);
    CookieReply reply;
    reply.receiver = 6;
    reply.nonce.fill(1);
    reply.encrypted_cookie.fill(2);
    EXPECT_EQ(CookieReply::decode(reply.encode()).encode(), reply.encode());
}

TEST(Timestamps, AreWhitenedAndAlwaysGrow) {
    const WallTime now = std::chrono::sys_days(std::chrono::year(2023) / 11 / 14) + nanoseconds(123'456'789);
    TimestampSource source;
    const auto first = source.next(now);
    EXPECT_EQ(first, TimestampSource{}.next(now + std::chrono::microseconds(500)))
        << "the clock's phase cannot be read off";
    const auto second = source.next(now);
    EXPECT_LT(first, second);
    EXPECT_LT(second, source.next(now - std::chrono::hours(1))) << "not even a clock that goes back makes it smaller";
    EXPECT_EQ(to_hex(to_timestamp(WallTime(seconds(1'700'000'000) + nanoseconds(5)))), "400000006553f10a00000005");
}

}  // namespace
}  // namespace myst::wireguard
