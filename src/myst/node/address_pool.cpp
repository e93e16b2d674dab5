#include "myst/node/address_pool.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/network_v4.hpp>

#include "myst/crypto/keccak.hpp"

namespace myst::node {
namespace {

constexpr std::uint32_t kFirstForConsumers = 2;  // 0 is the network, 1 the provider

std::uint64_t keyed_hash(const Hash32& secret, const Address& consumer) {
    const auto digest = crypto::keccak256({BytesView(secret.bytes), BytesView(consumer.bytes)});
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8 | digest.bytes[i];
    return value;
}

}  // namespace

Result<AddressPool> AddressPool::parse(const std::string& prefix, const Hash32& secret) {
    boost::system::error_code ec;
    const auto network = boost::asio::ip::make_network_v4(prefix, ec);
    if (ec || network.prefix_length() < 8 || network.prefix_length() > 29 || network.canonical() != network) {
        return fail(ErrorCode::invalid_argument, "tunnel address pool \"" + prefix + "\" is not a prefix of /8 … /29",
                    "use something like 100.64.0.0/16");
    }
    return AddressPool(network.address().to_uint(), 1U << (32 - network.prefix_length()), secret);
}

Result<std::string> AddressPool::take(const Address& consumer) {
    const std::uint32_t usable = size_ - kFirstForConsumers - 1;
    const std::uint32_t wish = static_cast<std::uint32_t>(keyed_hash(secret_, consumer) % usable);
    for (std::uint32_t i = 0; i < usable; ++i) {
        const std::uint32_t candidate = network_ + kFirstForConsumers + (wish + i) % usable;
        if (taken_.insert(candidate).second) return boost::asio::ip::make_address_v4(candidate).to_string();
    }
    return fail(ErrorCode::limit_exceeded, "no tunnel address is free");
}

void AddressPool::give_back(const std::string& address) {
    boost::system::error_code ec;
    const auto ip = boost::asio::ip::make_address_v4(address, ec);
    if (!ec) taken_.erase(ip.to_uint());
}

}  // namespace myst::node
