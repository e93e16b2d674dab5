// Netlink and nf_tables against the kernel, in namespaces of our own; skipped without root.
#include <poll.h>

#include <gtest/gtest.h>

#include "myst/sys/ethtool.hpp"
#include "myst/sys/mtu_watch.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"
#include "myst/sys/nft_objects.hpp"
#include "myst/sys/nftables.hpp"
#include "myst/sys/sysctl.hpp"
#include "myst/sys/tun_device.hpp"
#include "myst/sys/udp_socket.hpp"

namespace myst::sys {
namespace {

class NetworkTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto left = NetworkNamespace::create();
        if (!left) GTEST_SKIP() << left.error().describe();
        left_.emplace(*left);
        right_.emplace(NetworkNamespace::create().value());
    }
    /// Runs `work(netlink)` in the left namespace.
    template <class Work>
    auto with_links(Work work) {
        return left_->run([&work]() -> decltype(work(std::declval<Netlink&>())) {
            auto links = Netlink::open();
            if (!links) return forward_error(links);
            return work(*links);
        });
    }
    std::optional<NetworkNamespace> left_;
    std::optional<NetworkNamespace> right_;
};

TEST(NetlinkAttributes, MalformedRunsEndEarly) {
    EXPECT_TRUE(list_attributes({}).empty());
    EXPECT_TRUE(list_attributes(Bytes{3, 0, 1, 0}).empty()) << "shorter than its own head";
    EXPECT_TRUE(list_attributes(Bytes{9, 0, 1, 0, 1, 2, 3, 4}).empty()) << "longer than the message";
    const Bytes one_and_a_half{5, 0, 1, 0x80, 7, 0, 0, 0, 200, 0, 2, 0};
    const auto one = list_attributes(one_and_a_half);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].first, 1) << "without the flag for nesting";
    EXPECT_EQ(find_attribute(one_and_a_half, 1).size(), 1U);
    EXPECT_TRUE(find_attribute(one_and_a_half, 2).empty()) << "cut off";
    const NetlinkAttributes short_number{{1, one[0].second}};
    EXPECT_EQ(attribute_u8(short_number, 1), 7);
    EXPECT_EQ(attribute_u32(short_number, 1), 0U) << "too short for the type";
}

TEST_F(NetworkTest, ThreadsDoNotStayInTheOtherNamespace) {
    const auto before = NetworkNamespace::current();
    const auto inside = left_->run([] { return NetworkNamespace::current(); });
    const auto after = NetworkNamespace::current();
    ASSERT_TRUE(before && inside && after);
    EXPECT_EQ(inside->inode(), left_->inode());
    EXPECT_NE(inside->inode(), before->inode());
    EXPECT_EQ(after->inode(), before->inode());
}

TEST_F(NetworkTest, LinksAddressesAndRoutes) {
    const auto done = with_links([this](Netlink& links) -> Result<> {
        if (auto made = links.create_veth("left", "right", right_->fd(), 1420); !made) return made;
        EXPECT_EQ(links.create_veth("left", "right", right_->fd(), 1420).error().code, ErrorCode::already_exists);
        auto link = links.link("left");
        if (!link) return forward_error(link);
        EXPECT_EQ(link->kind, "veth");
        EXPECT_EQ(link->mtu, 1420U);
        EXPECT_FALSE(link->up);
        EXPECT_EQ(links.link("right").error().code, ErrorCode::not_found) << "it is on the other side";
        if (auto set = links.set_alias(link->index, "a note"); !set) return set;
        EXPECT_EQ(links.link("left")->alias, "a note");
        if (auto added = links.add_address(link->index, "11.0.0.1", 24); !added) return added;
        EXPECT_EQ(links.add_address(link->index, "11.0.0.1", 24).error().code, ErrorCode::already_exists);
        EXPECT_EQ(links.ipv4_addresses(), std::vector<std::string>{"11.0.0.1"});
        if (auto up = links.set_up(link->index); !up) return up;
        EXPECT_EQ(links.default_link().error().code, ErrorCode::not_found);
        Route route;
        route.link = link->index;
        route.gateway = "11.0.0.2";
        if (auto added = links.add_route(route); !added) return added;
        EXPECT_EQ(links.default_link(), "left");
        if (auto gone = links.delete_address(link->index, "11.0.0.1", 24); !gone) return gone;
        if (auto gone = links.delete_address(link->index, "11.0.0.1", 24); !gone) return gone;
        if (auto gone = links.delete_link("left"); !gone) return gone;
        return links.delete_link("left");
    });
    EXPECT_TRUE(done) << done.error().describe();
}

TEST_F(NetworkTest, RulesAndRoutesGoByTheirMark) {
    const auto done = with_links([](Netlink& links) -> Result<> {
        for (const auto family : {IpFamily::v4, IpFamily::v6}) {
            for (std::uint32_t priority = 100; priority < 103; ++priority) {
                Rule rule;
                rule.family = family;
                rule.priority = priority;
                rule.table = 77;
                rule.protocol = 109;
                rule.not_mark = 5;
                rule.suppress_prefix = 7;
                if (auto added = links.add_rule(rule); !added) return added;
                EXPECT_EQ(links.add_rule(rule).error().code, ErrorCode::already_exists);
            }
            Route nowhere;
            nowhere.family = family;
            nowhere.table = 77;
            nowhere.protocol = 109;
            if (auto added = links.add_route(nowhere); !added) return added;
        }
        if (auto gone = links.delete_rules(109, 100, 101); !gone) return gone;
        Rule last;
        last.priority = 102;
        last.table = 77;
        last.protocol = 109;
        last.not_mark = 5;
        last.suppress_prefix = 7;
        EXPECT_EQ(links.add_rule(last).error().code, ErrorCode::already_exists) << "102 was not in the range";
        last.priority = 101;
        if (auto added = links.add_rule(last); !added) return added;
        if (auto gone = links.delete_rules(109, 100, 102); !gone) return gone;
        if (auto gone = links.delete_routes(109, 77); !gone) return gone;
        Route again;
        again.table = 77;
        again.protocol = 109;
        return links.add_route(again);
    });
    EXPECT_TRUE(done) << done.error().describe();
}

TEST_F(NetworkTest, SysctlsAreTheNamespacesOwn) {
    const auto done = left_->run([]() -> Result<std::string> {
        if (auto set = write_sysctl("net/ipv4/ip_forward", "1"); !set) return forward_error(set);
        return read_sysctl("net/ipv4/ip_forward");
    });
    EXPECT_EQ(done, "1");
    EXPECT_EQ(right_->run([] { return read_sysctl("net/ipv4/ip_forward"); }), "0");
    EXPECT_EQ(read_sysctl("net/ipv4/no_such").error().code, ErrorCode::not_found);
}

TEST_F(NetworkTest, RulesAreAppliedAtOnceOrNotAtAll) {
    const auto tables = Nftables::open(*left_);
    ASSERT_TRUE(tables) << tables.error().describe();
    ASSERT_TRUE(tables->apply("table inet t { counter c { } ; }"));
    const auto bad = tables->apply("add counter inet t d\nadd element inet t missing { 1 }\n");
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message.find("nftables:"), std::string::npos);
    EXPECT_EQ(tables->query("list ruleset")->find("counter d"), std::string::npos);
    EXPECT_TRUE(tables->delete_table("t"));
    EXPECT_TRUE(tables->delete_table("t")) << "missing is no error";
    EXPECT_EQ(tables->query("list tables"), "");
}

TEST_F(NetworkTest, CountersAndQuotasByPlainMessages) {
    const auto tables = Nftables::open(*left_);
    ASSERT_TRUE(tables);
    ASSERT_TRUE(
        tables->apply("table inet t { counter c { packets 3 bytes 4567 } ; counter d { } ; "
                      "quota q { over 10 bytes used 9 bytes } ; }"));
    auto objects = left_->run([] { return NftObjects::open("t"); });
    ASSERT_TRUE(objects) << objects.error().describe();
    for (int round = 0; round < 3; ++round) {  // answers never get out of step
        EXPECT_EQ(objects->counter("c"), 4567U);
        EXPECT_TRUE(objects->set_quota("q", 1000));
        EXPECT_EQ(objects->counter("missing").error().code, ErrorCode::not_found);
        const auto all = objects->counters();
        ASSERT_TRUE(all);
        EXPECT_EQ(all->size(), 2U);
    }
    const auto text = tables->query("list quota inet t q");
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("over 1000 bytes used 9 bytes"), std::string::npos) << *text;
}

TEST_F(NetworkTest, ATunDeviceHandsOverWhatIsSentInto) {
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "no /dev/net/tun";
    const auto done = left_->run([]() -> Result<> {
        auto tun = TunDevice::create("tt%d");
        if (!tun) return forward_error(tun);
        EXPECT_EQ(tun->name(), "tt0");
        EXPECT_TRUE(tun->offloads().tcp_segments);
        EXPECT_EQ(TunDevice::create("tt0").error().code, ErrorCode::already_exists);
        EXPECT_EQ(TunDevice::create("a/b").error().code, ErrorCode::invalid_argument);
        auto links = Netlink::open();
        if (!links) return forward_error(links);
        const int index = links->link("tt0").value().index;
        if (auto added = links->add_address(index, "11.0.0.1", 24); !added) return added;
        if (auto up = links->set_up(index); !up) return up;
        auto socket = UdpSocket::open(IpFamily::v4, 0);
        if (!socket) return forward_error(socket);
        Bytes payload{'h', 'e', 'l', 'l', 'o'};
        const UdpMessage message{SocketAddress(Bytes{11, 0, 0, 2}, 9), payload, 0};
        EXPECT_EQ(socket->send({&message, 1}).value(), payload.size());
        Bytes buffer(TunDevice::kMaxRead);
        for (;;) {  // the kernel greets the link with packets of its own
            const auto size = tun->read(buffer).value();
            if (size == 0) return fail(ErrorCode::not_found, "the datagram did not come");
            const Bytes packet(buffer.begin() + 10, buffer.begin() + static_cast<std::ptrdiff_t>(size));
            if (packet.size() != 20 + 8 + payload.size() || packet[0] != 0x45) continue;
            EXPECT_EQ(Bytes(packet.end() - 5, packet.end()), payload);
            break;
        }
        Bytes packet(10 + 28);  // a header, and a packet that is nothing: the kernel drops it
        packet[10] = 0x45;
        const iovec piece{packet.data(), packet.size()};
        EXPECT_TRUE(tun->write({&piece, 1}).value());
        const iovec headless{packet.data(), 4};
        EXPECT_EQ(tun->write({&headless, 1}).error().code, ErrorCode::invalid_argument);
        return {};
    });
    EXPECT_TRUE(done) << done.error().describe();
}

/// Changes an interface of a namespace.
Result<> change_link(const NetworkNamespace& where, const std::string& name,
                     const std::function<Result<>(Netlink&, int)>& change) {
    return where.run([&]() -> Result<> {
        auto links = Netlink::open();
        if (!links) return forward_error(links);
        auto link = links->link(name);
        if (!link) return forward_error(link);
        return change(*links, link->index);
    });
}

TEST_F(NetworkTest, TheMtuOfATunDeviceIsFollowedAlsoIntoAnotherNamespace) {
    auto device = left_->run([] { return TunDevice::create("moved"); });
    if (!device) GTEST_SKIP() << device.error().describe();
    auto watch = left_->run([&device] { return MtuWatch::open(device->fd()); });
    ASSERT_TRUE(watch) << watch.error().describe();
    const auto is_told = [&watch](int wait) {
        pollfd waiting{watch->descriptor(), POLLIN, 0};
        return ::poll(&waiting, 1, wait) == 1;
    };
    EXPECT_EQ(watch->read().value(), 1'500U);
    EXPECT_FALSE(is_told(0));
    const auto set_mtu = [](std::uint32_t mtu) {
        return [mtu](Netlink& links, int index) { return links.set_mtu(index, mtu); };
    };
    ASSERT_TRUE(change_link(*left_, "moved", set_mtu(1'420)));
    ASSERT_TRUE(is_told(10'000));
    EXPECT_EQ(watch->read().value(), 1'420U);
    EXPECT_FALSE(is_told(0));

    const auto move = [this](Netlink& links, int index) { return links.move_link(index, right_->fd()); };
    ASSERT_TRUE(change_link(*left_, "moved", move));
    ASSERT_TRUE(is_told(10'000));
    EXPECT_EQ(watch->read().value(), 1'420U);
    ASSERT_TRUE(change_link(*right_, "moved", set_mtu(1'280)));
    ASSERT_TRUE(is_told(10'000));
    EXPECT_EQ(watch->read().value(), 1'280U);

    const auto remove = [](Netlink& links, int) { return links.delete_link("moved"); };
    ASSERT_TRUE(change_link(*right_, "moved", remove));
    ASSERT_TRUE(is_told(10'000));
    EXPECT_FALSE(watch->read());
}

}  // namespace
}  // namespace myst::sys
