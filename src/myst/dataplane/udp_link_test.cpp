// Two sockets as one. Needs loopback only.
#include "myst/dataplane/udp_link.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "myst/base/bytes.hpp"
#include "myst/sys/fd.hpp"

namespace myst::dataplane {
namespace {

/// One byte to this port of the machine itself.
bool send_byte(int family, std::uint16_t port) {
    const sys::Fd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* to =
        family == AF_INET ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
    return ::sendto(socket.get(), "x", 1, 0, to, family == AF_INET ? sizeof v4 : sizeof v6) == 1;
}

TEST(UdpLink, OneVersionOfIpDoesNotShutOutTheOther) {
    auto link = UdpLink::open(0, {});
    ASSERT_TRUE(link);
    if (link->descriptors()[1] < 0 || !send_byte(AF_INET6, link->port())) GTEST_SKIP() << "no IPv6 here";
    Bytes memory(4 * 2'048);
    for (int call = 0, seen = 0; seen == 0; ++call) {
        ASSERT_LT(call, 2);
        for (int i = 0; i < 8; ++i) ASSERT_TRUE(send_byte(AF_INET, link->port()));  // always more than a call takes
        std::vector<sys::UdpMessage> messages;
        for (std::size_t i = 0; i < 4; ++i) messages.push_back({{}, std::span(memory).subspan(i * 2'048, 2'048), 0});
        const auto count = link->receive(messages);
        ASSERT_EQ(count, 4U);
        for (const auto& message : messages) seen += message.peer.family() == sys::IpFamily::v6 ? 1 : 0;
    }
}

}  // namespace
}  // namespace myst::dataplane
