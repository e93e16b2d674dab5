#include "myst/app/config_rules.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "myst/base/amount.hpp"
#include "myst/base/ip_ranges.hpp"
#include "myst/db/peer_address.hpp"
#include "myst/node/public_address.hpp"

namespace myst::app {
namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxUrl = 1024;
constexpr std::size_t kMaxInterface = 15;
constexpr std::uint64_t kMaxPort = 65535;

/// Top-level domains that the public name service does not know.
constexpr std::array<std::string_view, 8> kPrivateDomains{"local", "localhost", "internal", "intranet",
                                                          "lan",   "home",      "corp",     "arpa"};

bool all_of(std::string_view text, bool (*fits)(char)) {
    return std::all_of(text.begin(), text.end(), fits);
}

bool is_port(std::string_view text) {
    const auto port = parse_u64(text);
    return port && *port >= 1 && *port <= kMaxPort;
}

}  // namespace

bool is_absolute_path(std::string_view text) {
    if (!text.starts_with('/') || !is_line(text, kMaxPath)) return false;
    return text.find("/../") == std::string_view::npos && !text.ends_with("/..");
}

bool is_url(std::string_view text, std::string_view scheme, std::string_view secure_scheme) {
    if (text.size() > kMaxUrl) return false;
    const auto url = boost::urls::parse_uri(boost::core::string_view(text.data(), text.size()));
    if (!url || url->host().empty()) return false;
    return std::string_view(url->scheme()) == scheme || std::string_view(url->scheme()) == secure_scheme;
}

bool is_public_host(const std::string& host) {
    boost::system::error_code not_literal;
    const auto address = ip::make_address(host, not_literal);
    if (!not_literal) return db::is_public_address(address);
    const auto dot = host.rfind('.');
    if (dot == std::string::npos) return false;
    const auto last = host.substr(dot + 1);
    return !last.empty() && std::find(kPrivateDomains.begin(), kPrivateDomains.end(), last) == kPrivateDomains.end();
}

bool is_for_strangers(const db::RelayUrl& url) {
    return is_public_host(url.host) && db::may_connect(url.port);
}

bool is_ip(std::string_view text) {
    boost::system::error_code ec;
    std::ignore = ip::make_address(std::string(text), ec);
    return !ec;
}

bool is_loopback(std::string_view text) {
    boost::system::error_code ec;
    const auto address = ip::make_address(std::string(text), ec);
    return !ec && address.is_loopback();
}

bool is_ip_and_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) return false;
    auto host = text.substr(0, colon);
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    const bool is_v6 = host.find(':') != std::string_view::npos;
    return is_ip(host) && is_v6 == in_brackets;
}

bool is_network(std::string_view text) {
    if (text.find('/') == std::string_view::npos) return is_ip(text);
    boost::system::error_code ec;
    std::ignore = ip::make_network_v4(std::string(text), ec);
    if (!ec) return true;
    ec = {};
    std::ignore = ip::make_network_v6(std::string(text), ec);
    return !ec;
}

bool is_pool(std::string_view text) {
    constexpr unsigned short kLongest = 29;
    boost::system::error_code ec;
    const auto network = ip::make_network_v4(std::string(text), ec);
    if (ec || network.prefix_length() < kTunnelRange.prefix || network.prefix_length() > kLongest) return false;
    return network.address() == network.network() && kTunnelRange.contains(network.address().to_uint());
}

bool is_public_endpoint(std::string_view text) {
    const auto host = text.substr(0, text.find(':'));
    return node::is_public_ipv4(host) && (host.size() == text.size() || node::parse_endpoint(text).has_value());
}

bool is_interface(std::string_view text) {
    if (text.empty() || text.size() > kMaxInterface || text == "." || text == "..") return false;
    return all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ':'; });
}

bool is_line(std::string_view text, std::size_t limit) {
    return text.size() <= limit &&
           all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace myst::app
