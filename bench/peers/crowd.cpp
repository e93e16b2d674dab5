#include "crowd.hpp"

#include <algorithm>

#include "myst/base/check.hpp"
#include "myst/wireguard/offload/checksum.hpp"

namespace myst::bench {

using wireguard::IpAddress;

Crowd::Crowd(std::size_t size, const TunnelKey& device, Rng& rng) : rng_(rng), device_(device), macs_(device) {
    members_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        auto identity = wireguard::Identity::from(wireguard::make_private_key(rng));
        auto shared = wireguard::shared_secret(identity.private_key, device);
        CHECK(shared);
        members_.push_back({std::move(identity), std::move(*shared), {}, {}});
    }
}

IpAddress Crowd::address(std::size_t member) {
    const std::array<std::uint8_t, 4> bytes{10, 64, static_cast<std::uint8_t>(member >> 8),
                                            static_cast<std::uint8_t>(member)};
    return IpAddress::from(bytes);
}

std::array<std::uint8_t, wireguard::kInitiationSize> Crowd::initiation(std::size_t member, wireguard::Now now) {
    auto& one = members_[member];
    auto made = wireguard::make_initiation(one.identity, device_, one.static_static, timestamps_.next(now.wall),
                                           static_cast<std::uint32_t>(member), rng_);
    CHECK(made);
    one.state = std::move(made->state);
    auto message = made->message.encode();
    macs_.add_macs(message, now.steady);
    return message;
}

std::size_t Crowd::take_response(BytesView response) {
    CHECK(wireguard::classify(response) == wireguard::MessageType::response);
    const auto decoded = wireguard::Response::decode(response);
    CHECK(decoded.receiver < members_.size());
    auto& one = members_[decoded.receiver];
    CHECK(one.state);
    auto keys = wireguard::open_response(*one.state, one.identity, {}, decoded);
    CHECK(keys);
    one.session = Session{std::move(*keys), decoded.sender, 0};
    return decoded.receiver;
}

Bytes datagram_packet(const IpAddress& from, const IpAddress& to, std::size_t size) {
    CHECK(size >= 28 && size <= 65'535);
    Bytes packet(size);
    const auto put = [&packet](std::size_t at, std::size_t number) {
        packet[at] = static_cast<std::uint8_t>(number >> 8);
        packet[at + 1] = static_cast<std::uint8_t>(number);
    };
    packet[0] = 0x45;
    put(2, size);
    packet[8] = 64;   // TTL
    packet[9] = 17;   // UDP
    put(20, 40'000);  // ports
    put(22, 40'000);
    put(24, size - 20);
    std::copy(from.view().begin(), from.view().end(), packet.begin() + 12);
    std::copy(to.view().begin(), to.view().end(), packet.begin() + 16);
    wireguard::store_checksum(packet.data() + 10, wireguard::sum_of(BytesView(packet).first(20)));
    return packet;
}

}  // namespace myst::bench
