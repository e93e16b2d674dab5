#include "myst/dataplane/udp_link.hpp"

#include <algorithm>
#include <utility>

#include "myst/base/log.hpp"

namespace myst::dataplane {

sys::UdpMessage message_to(const wireguard::Endpoint& endpoint, std::span<std::uint8_t> bytes, std::uint16_t segment) {
    return {{endpoint.address.view(), endpoint.port}, bytes, segment, {endpoint.source.address, endpoint.source.link}};
}

wireguard::Endpoint endpoint_of(const sys::UdpMessage& message) {
    return {wireguard::IpAddress::from(message.peer.address()),
            message.peer.port(),
            {message.source.address, message.source.link}};
}

Result<UdpLink> UdpLink::open(std::uint16_t port, const sys::UdpOptions& options) {
    auto v4 = sys::UdpSocket::open(sys::IpFamily::v4, port, options);
    if (!v4) return forward_error(v4);
    auto v6 = sys::UdpSocket::open(sys::IpFamily::v6, v4->port(), options);
    if (!v6 && v6.error().code == ErrorCode::already_exists) return forward_error(v6);
    std::optional<sys::UdpSocket> second;
    if (v6) second.emplace(std::move(*v6));
    return UdpLink(std::move(*v4), std::move(second));
}

Result<> UdpLink::set_mark(std::uint32_t mark) {
    if (auto done = v4_.set_mark(mark); !done) return done;
    return v6_ ? v6_->set_mark(mark) : Result<>();
}

void UdpLink::send(std::span<const sys::UdpMessage> messages) {
    while (!messages.empty()) {
        const bool v6 = messages.front().peer.family() == sys::IpFamily::v6;
        const auto other = std::find_if(messages.begin(), messages.end(), [v6](const sys::UdpMessage& message) {
            return (message.peer.family() == sys::IpFamily::v6) != v6;
        });
        const auto count = std::min(static_cast<std::size_t>(other - messages.begin()), sys::UdpSocket::kMaxMessages);
        if (!v6 || v6_) {
            const auto sent = (v6 ? *v6_ : v4_).send(messages.first(count));
            if (!sent) log::warn("dataplane: {}", sent.error().describe());
        }
        messages = messages.subspan(count);
    }
}

std::vector<wireguard::Source> UdpLink::take_lost_sources() {
    std::vector<wireguard::Source> lost;
    for (const auto& source : v4_.take_lost_sources()) lost.push_back({source.address, source.link});
    if (v6_) {
        for (const auto& source : v6_->take_lost_sources()) lost.push_back({source.address, source.link});
    }
    return lost;
}

std::size_t UdpLink::receive(std::span<sys::UdpMessage> into) {
    std::size_t count = 0;
    std::array<sys::UdpSocket*, 2> sockets{&v4_, v6_ ? &*v6_ : nullptr};
    if (std::exchange(v6_first_, !v6_first_)) std::swap(sockets[0], sockets[1]);
    for (auto* socket : sockets) {
        if (socket == nullptr || count == into.size()) continue;
        const auto received = socket->receive(into.subspan(count));
        if (received) {
            count += *received;
        } else {
            log::warn("dataplane: {}", received.error().describe());
        }
    }
    return count;
}

}  // namespace myst::dataplane
