#include "myst/sys/mtu_watch.hpp"

#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "myst/sys/os_error.hpp"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

namespace myst::sys {
namespace {

/// Hears of every change of an interface of this thread's namespace.
Result<Fd> open_events() {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd.valid()) return fail_errno("opening a netlink socket", errno);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno("listening for changes of interfaces", errno);
    }
    return fd;
}

}  // namespace

Result<MtuWatch> MtuWatch::open(int device) {
    Fd poll(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll.valid()) return fail_errno("watching interfaces", errno);
    MtuWatch watch(device, std::move(poll));
    if (auto read = watch.read(); !read) return forward_error(read);
    return watch;
}

Result<std::uint32_t> MtuWatch::read() {
    drain();
    auto network = this->network();
    if (!network) return forward_error(network);
    if (network->inode() != listens_in_) {
        if (auto done = listen(*network); !done) return forward_error(done);
    }
    ifreq request{};
    if (::ioctl(device_, TUNGETIFF, &request) != 0) return fail_errno("looking at a TUN device", errno);
    auto link = links_->link(request.ifr_name);
    if (!link) return forward_error(link);
    return link->mtu;
}

Result<NetworkNamespace> MtuWatch::network() const {
    Fd fd(::ioctl(device_, TUNGETDEVNETNS));
    // Before Linux 5.2 nobody says; it is where it was made, then, or we do not see it.
    return fd.valid() ? NetworkNamespace::from(std::move(fd)) : NetworkNamespace::current();
}

Result<> MtuWatch::listen(const NetworkNamespace& network) {
    const auto open_both = [this]() -> Result<> {
        auto events = open_events();
        if (!events) return forward_error(events);
        auto links = Netlink::open();
        if (!links) return forward_error(links);
        events_ = std::move(*events);
        links_.emplace(std::move(*links));
        return {};
    };
    auto own = NetworkNamespace::current();
    const bool here = own && own->inode() == network.inode();
    if (auto done = here ? open_both() : network.run(open_both); !done) return done;
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, events_.get(), &event) != 0) {
        return fail_errno("watching interfaces", errno);
    }
    listens_in_ = network.inode();
    return {};
}

void MtuWatch::drain() {
    std::array<char, 16'384> events{};
    // Which change it was does not matter, and lost ones (ENOBUFS) are changes, too.
    while (events_.valid()) {
        if (::recv(events_.get(), events.data(), events.size(), 0) < 0 && errno != ENOBUFS && errno != EINTR) return;
    }
}

}  // namespace myst::sys
