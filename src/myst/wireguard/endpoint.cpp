#include "myst/wireguard/endpoint.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "myst/base/amount.hpp"
#include "myst/base/check.hpp"

namespace myst::wireguard {
namespace {

Result<std::uint64_t> number_up_to(std::string_view text, std::uint64_t limit) {
    auto number = parse_u64(text);
    if (!number) return number;
    if (*number > limit) return fail(ErrorCode::invalid_data, "number out of range");
    return number;
}

}  // namespace

IpAddress IpAddress::from(BytesView view) {
    CHECK(view.size() == 4 || view.size() == 16);
    IpAddress address;
    address.version = view.size() == 4 ? Version::v4 : Version::v6;
    std::copy(view.begin(), view.end(), address.bytes.begin());
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    IpAddress address;
    address.version = text.find(':') == std::string_view::npos ? Version::v4 : Version::v6;
    const int family = address.version == Version::v4 ? AF_INET : AF_INET6;
    // A zero byte inside would end the text early for inet_pton.
    if (text.find('\0') != std::string_view::npos || inet_pton(family, terminated.c_str(), address.bytes.data()) != 1) {
        return fail(ErrorCode::invalid_data, "not an IP address");
    }
    return address;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = version == Version::v4 ? AF_INET : AF_INET6;
    CHECK(inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr);
    return text.data();
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return fail(ErrorCode::invalid_data, "an endpoint needs a port");
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    const auto port = number_up_to(text.substr(colon + 1), 65'535);
    if (!address || !port || *port == 0 || bracketed != (address->version == IpAddress::Version::v6)) {
        return fail(ErrorCode::invalid_data, "not an endpoint: expected address:port or [address]:port");
    }
    return Endpoint{*address, static_cast<std::uint16_t>(*port), {}};
}

std::string Endpoint::to_string() const {
    const auto host = address.to_string();
    return (address.version == IpAddress::Version::v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

IpPrefix IpPrefix::of(IpAddress address, unsigned length) {
    CHECK(length <= address.bits());
    for (unsigned i = 0; i < address.bytes.size(); ++i) {
        const unsigned kept = length > 8 * i ? std::min(length - 8 * i, 8U) : 0;
        address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & ~(0xffU >> kept));
    }
    return {address, static_cast<std::uint8_t>(length)};
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return forward_error(address);
    if (slash == std::string_view::npos) return of(*address, address->bits());
    const auto length = number_up_to(text.substr(slash + 1), address->bits());
    if (!length) return fail(ErrorCode::invalid_data, "not a prefix: expected address/bits");
    return of(*address, static_cast<unsigned>(*length));
}

std::string IpPrefix::to_string() const {
    return address.to_string() + "/" + std::to_string(length);
}

bool IpPrefix::contains(const IpAddress& other) const {
    return other.version == address.version && of(other, length) == *this;
}

}  // namespace myst::wireguard
