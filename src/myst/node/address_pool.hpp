// Addresses inside the tunnel: an IPv4 prefix from which each consumer gets one.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "myst/base/bytes.hpp"

namespace myst::node {

/// The first host address belongs to the provider itself and is never given out.
class AddressPool {
public:
    /// "100.64.0.0/16"; the prefix length must be 8 … 29 and the host bits zero. `secret` decides who gets which
    /// address: without it, nobody can tell from an address who has it, or that two providers see the same consumer.
    [[nodiscard]] static Result<AddressPool> parse(const std::string& prefix, const Hash32& secret);

    /// A free address; the same consumer gets the same one again where it is free, so that connections of his that
    /// survive a restart keep working. limit_exceeded if all are taken.
    [[nodiscard]] Result<std::string> take(const Address& consumer);
    void give_back(const std::string& address);

private:
    AddressPool(std::uint32_t network, std::uint32_t size, const Hash32& secret)
        : network_(network), size_(size), secret_(secret) {}
    std::uint32_t network_;
    std::uint32_t size_;  ///< number of addresses, network and broadcast included
    Hash32 secret_;
    std::set<std::uint32_t> taken_;
};

}  // namespace myst::node
