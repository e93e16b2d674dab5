#include "myst/dataplane/uapi_server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/wireguard/primitives.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"
#include "myst/wireguard/test_support/memory_search.hpp"

namespace myst::dataplane {
namespace {

class UapiServerTest : public ::testing::Test {
protected:
    UapiServerTest() { server.emplace(UapiServer::open("test0", folder_.path()).value()); }
    [[nodiscard]] sys::Fd connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const auto path = folder_.path() + "/test0.sock";
        std::copy(path.begin(), path.end(), address.sun_path);
        sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    /// Sends as much as has room, lets the server work, takes what it answers, until the answer is complete.
    SecretText ask(const SecretText& request, const UapiServer::Handler& handler) {
        const auto client = connect();
        SecretText answer;
        Secret<4096> buffer;
        for (std::size_t sent = 0; !answer.view().ends_with("\n\n");) {
            pollfd waiting{client.get(), static_cast<short>(sent < request.size() ? POLLIN | POLLOUT : POLLIN), 0};
            if (::poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLOUT) != 0) {
                const auto rest = request.view().substr(sent);
                const auto size = ::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
                sent += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
            }
            server->serve(handler);
            const auto size =
                ::recv(client.get(), buffer.expose_mutable().data(), buffer.expose().size(), MSG_DONTWAIT);
            if (size == 0) break;
            if (size > 0) answer.append(as_text(buffer.expose().first(static_cast<std::size_t>(size))));
        }
        return answer;
    }

    TemporaryDirectory folder_;
    std::optional<UapiServer> server;
};

/// Far more than the sockets' buffers hold, with a key at the beginning and at the end.
SecretText long_text(const Secret<32>& key) {
    SecretText text("private_key=");
    text.append_hex(key.expose());
    for (std::size_t i = 0; i < 12'000; ++i) text.append("\nallowed_ip=10.0.0.0/8");
    text.append("\npreshared_key=").append_hex(key.expose()).append("\n\n");
    return text;
}

TEST_F(UapiServerTest, LongRequestsAndAnswersPassWhole) {
    wireguard::test::SeededRng rng(1);
    const auto text = long_text(wireguard::make_private_key(rng));
    std::size_t requests = 0;
    const auto answer = ask(text, [&](std::string_view request) {
        ++requests;
        EXPECT_TRUE(text == request);
        return SecretText(request);
    });
    EXPECT_EQ(requests, 1U);
    EXPECT_TRUE(text == answer.view());
}

TEST_F(UapiServerTest, NoKeyStaysInMemory) {
    wireguard::test::MemorySearch search;
    wireguard::test::SeededRng rng(1);
    std::optional<wireguard::test::Masked> hex;
    {
        const auto key = wireguard::make_private_key(rng);
        hex.emplace(wireguard::test::Masked::hex_of(key.expose()));
        const auto text = long_text(key);
        EXPECT_GE(search.look_for(*hex).other, 2U);
        EXPECT_EQ(ask(text, [](std::string_view request) { return SecretText(request); }).size(), text.size());
        // One who goes away in the middle of a request.
        const auto client = connect();
        EXPECT_EQ(::send(client.get(), text.view().data(), 200, MSG_NOSIGNAL), 200);
        server->serve([](std::string_view) { return SecretText("unreachable\n\n"); });
    }
    server->serve([](std::string_view) { return SecretText("unreachable\n\n"); });
    EXPECT_EQ(search.look_for(*hex).other, 0U);
}

}  // namespace
}  // namespace myst::dataplane
