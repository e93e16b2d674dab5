// Needs root and /dev/net/tun; skipped visibly otherwise.
#include "myst/dataplane/tunnel_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>

#include "myst/crypto/system_rng.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"

namespace myst::dataplane {
namespace {

using sys::NetworkNamespace;

constexpr milliseconds kPatience{20'000};

template <class Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::poll(nullptr, 0, 2);
    }
    return true;
}

class TunnelThreadTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto outside = NetworkNamespace::create();
        if (!outside || ::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/net/tun";
        outside_.emplace(*outside);
        inside_.emplace(NetworkNamespace::create().value());
    }

    /// Without a socket for `wg`.
    std::unique_ptr<TunnelThread> start(const std::string& name = "inner") {
        return outside_->run([&] { return TunnelThread::start({name, {}, ""}, rng_); }).value();
    }
    static Result<int> index_of(const NetworkNamespace& where, const std::string& name) {
        return where.run([&]() -> Result<int> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            auto link = links->link(name);
            if (!link) return forward_error(link);
            return link->index;
        });
    }
    static Result<> remove(const NetworkNamespace& where, const std::string& name) {
        return where.run([&]() -> Result<> {
            auto links = sys::Netlink::open();
            return links ? links->delete_link(name) : Result<>(forward_error(links));
        });
    }
    static std::uint16_t port_of(TunnelThread& thread) {
        return thread.call([](Tunnel& tunnel) -> Result<std::uint16_t> { return tunnel.status().listen_port; }).value();
    }

    std::optional<NetworkNamespace> outside_;
    std::optional<NetworkNamespace> inside_;
    crypto::SystemRng rng_;
};

TEST_F(TunnelThreadTest, CallsRunInTheThreadAndGiveTheirResult) {
    const auto thread = start();
    const auto here = std::this_thread::get_id();
    const auto elsewhere = thread->call([here](Tunnel&) -> Result<bool> { return std::this_thread::get_id() != here; });
    EXPECT_EQ(elsewhere, true);
    const auto failed = thread->call([](Tunnel&) -> Result<> { return fail(ErrorCode::not_found, "no"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::not_found);
    EXPECT_NE(port_of(*thread), 0);
}

TEST_F(TunnelThreadTest, ManyCallersAtATimeAreAllServed) {
    const auto thread = start();
    constexpr int kCallers = 8;
    constexpr int kCalls = 200;
    int sum = 0;  // of the tunnel's thread
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
        callers.emplace_back([&] {
            for (int i = 0; i < kCalls; ++i) {
                EXPECT_TRUE(thread->call([&sum](Tunnel&) -> Result<> {
                    ++sum;
                    return {};
                }));
            }
        });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(thread->call([&sum](Tunnel&) -> Result<int> { return sum; }), kCallers * kCalls);
}

TEST_F(TunnelThreadTest, StoppingRefusesCallersAndRemovesTheInterface) {
    const auto thread = start();
    ASSERT_TRUE(index_of(*outside_, "inner"));
    std::atomic<int> served = 0;
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 8; ++caller) {
        callers.emplace_back([&] {
            while (thread->call([](Tunnel&) -> Result<> { return {}; })) ++served;
        });
    }
    EXPECT_TRUE(eventually([&] { return served > 100; }));
    thread->stop();
    for (auto& caller : callers) caller.join();
    EXPECT_TRUE(thread->ended());
    EXPECT_FALSE(index_of(*outside_, "inner"));
    const auto late = thread->call([](Tunnel&) -> Result<> { return {}; });
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::io);
    thread->stop();
}

TEST_F(TunnelThreadTest, EndsByItselfWhenTheInterfaceIsRemoved) {
    const auto thread = start();
    EXPECT_FALSE(thread->ended());
    ASSERT_TRUE(remove(*outside_, "inner"));
    EXPECT_TRUE(eventually([&] { return thread->ended(); }));
    EXPECT_FALSE(thread->call([](Tunnel&) -> Result<> { return {}; }));
}

TEST_F(TunnelThreadTest, TheInterfaceMayBeMovedAndTheSocketsStay) {
    const auto thread = start();
    ASSERT_TRUE(outside_->run([&]() -> Result<> {
        auto links = sys::Netlink::open();
        if (!links) return forward_error(links);
        auto link = links->link("inner");
        if (!link) return forward_error(link);
        return links->move_link(link->index, inside_->fd());
    }));
    ASSERT_TRUE(inside_->run([&]() -> Result<> {
        auto links = sys::Netlink::open();
        if (!links) return forward_error(links);
        auto link = links->link("inner");
        return link ? links->set_mtu(link->index, 1'337) : Result<>(forward_error(link));
    }));
    EXPECT_TRUE(eventually(
        [&] { return thread->call([](Tunnel& tunnel) -> Result<std::size_t> { return tunnel.mtu(); }) == 1'337U; }));
    // A port that it takes now is one of the namespace outside.
    ASSERT_TRUE(thread->call([](Tunnel& tunnel) {
        wireguard::SetRequest request;
        request.listen_port = std::uint16_t{51'820};
        return tunnel.set(std::move(request));
    }));
    EXPECT_EQ(port_of(*thread), 51'820);
    const auto take = []() -> Result<> {
        auto taken = UdpLink::open(51'820, {});
        return taken ? Result<>() : Result<>(forward_error(taken));
    };
    EXPECT_TRUE(inside_->run(take));
    const auto busy = outside_->run(take);
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, ErrorCode::already_exists);
    ASSERT_TRUE(remove(*inside_, "inner"));
    EXPECT_TRUE(eventually([&] { return thread->ended(); }));
}

TEST_F(TunnelThreadTest, ABusyPortIsSaidSoAndTheEarlierOneStays) {
    const auto thread = start();
    const auto before = port_of(*thread);
    const auto busy = outside_->run([] { return UdpLink::open(51'821, {}); });
    ASSERT_TRUE(busy);
    const auto set = thread->call([](Tunnel& tunnel) {
        wireguard::SetRequest request;
        request.listen_port = std::uint16_t{51'821};
        return tunnel.set(std::move(request));
    });
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, ErrorCode::already_exists);
    EXPECT_EQ(port_of(*thread), before);
}

TEST_F(TunnelThreadTest, NoSocketForOthersIsMadeUnlessAskedFor) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / ("myst-thread-" + std::to_string(::getpid()));
    const auto served = outside_->run([&] { return TunnelThread::start({"served", {}, folder.string()}, rng_); });
    ASSERT_TRUE(served);
    EXPECT_TRUE(std::filesystem::exists(folder / "served.sock"));
    const auto thread = start();
    EXPECT_FALSE(std::filesystem::exists(folder / "inner.sock"));
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(UapiServer::kFolder) / "inner.sock"));
    (*served)->stop();
    std::filesystem::remove_all(folder);
}

TEST_F(TunnelThreadTest, TheThreadHasTheInterfacesNameAndTakesNoSignals) {
    const auto thread = start("mystw7");
    sigset_t here;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &here);
    EXPECT_EQ(::sigismember(&here, SIGTERM), 0) << "the caller's own mask is as before";
    const auto name = thread->call([](Tunnel&) -> Result<std::string> {
        std::array<char, 16> text{};
        ::pthread_getname_np(::pthread_self(), text.data(), text.size());
        return std::string(text.data());
    });
    EXPECT_EQ(name, "mystw7");
    const auto blocked = thread->call([](Tunnel&) -> Result<bool> {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        return ::sigismember(&mask, SIGTERM) == 1 && ::sigismember(&mask, SIGINT) == 1;
    });
    EXPECT_EQ(blocked, true);
}

}  // namespace
}  // namespace myst::dataplane
