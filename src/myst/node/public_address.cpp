#include "myst/node/public_address.hpp"

#include <boost/asio/ip/address_v4.hpp>

#include "myst/base/amount.hpp"
#include "myst/base/ip_ranges.hpp"

namespace myst::node {

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return fail(ErrorCode::invalid_argument, "expected address:port");
    Endpoint endpoint;
    endpoint.host = text.substr(0, colon);
    boost::system::error_code ec;
    std::ignore = boost::asio::ip::make_address_v4(endpoint.host, ec);
    const auto port = parse_u64(text.substr(colon + 1));
    if (ec || !port || *port == 0 || *port > 65'535) {
        return fail(ErrorCode::invalid_argument, "expected an IPv4 address and a port, like 11.0.0.5:51820");
    }
    endpoint.port = static_cast<std::uint16_t>(*port);
    return endpoint;
}

bool is_public_ipv4(std::string_view literal) {
    boost::system::error_code ec;
    const auto address = boost::asio::ip::make_address_v4(literal, ec);
    return !ec && !is_special_ipv4(address.to_uint());
}

}  // namespace myst::node
