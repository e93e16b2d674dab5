#include "myst/db/relay_url.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <boost/url/scheme.hpp>
#include <boost/url/url_view.hpp>

namespace myst::db {
namespace {

constexpr std::size_t kMaxUrl = 2048;

tl::unexpected<Error> bad(std::string_view text, const char* what) {
    // Only the beginning is quoted: the text may come from a stranger.
    return fail(ErrorCode::invalid_argument, fmt::format("relay address '{}': {}", text.substr(0, 80), what),
                "write it as wss://relay.example or ws://192.0.2.1:7777");
}

std::uint16_t default_port(bool tls) {
    return tls ? 443 : 80;
}

}  // namespace

Result<RelayUrl> RelayUrl::parse(std::string_view text) {
    if (text.size() > kMaxUrl) return bad(text, "longer than 2 KiB");
    const auto parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
    if (!parsed) return bad(text, "not a URL");
    const auto& url = *parsed;
    const auto scheme = url.scheme_id();
    if (scheme != boost::urls::scheme::ws && scheme != boost::urls::scheme::wss) {
        return bad(text, "it must begin with ws:// or wss://");
    }
    if (url.has_userinfo() || url.has_fragment()) return bad(text, "it must not hold a user name or a fragment");
    if (url.host().empty()) return bad(text, "the host is missing");
    if (url.has_port() && url.port_number() == 0) return bad(text, "the port is out of range");
    RelayUrl result;
    result.tls = scheme == boost::urls::scheme::wss;
    result.host = url.host_type() == boost::urls::host_type::name ? url.host() : std::string(url.host_address());
    std::transform(result.host.begin(), result.host.end(), result.host.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    result.port = url.has_port() ? url.port_number() : default_port(result.tls);
    const auto target = url.encoded_resource();
    result.target.assign(target.data(), target.size());
    if (result.target.empty() || result.target.front() != '/') result.target.insert(result.target.begin(), '/');
    return result;
}

Result<std::vector<RelayUrl>> parse_relay_urls(const std::vector<std::string>& texts) {
    std::vector<RelayUrl> urls;
    for (const auto& text : texts) {
        auto url = RelayUrl::parse(text);
        if (!url) return forward_error(url);
        if (std::find(urls.begin(), urls.end(), *url) == urls.end()) urls.push_back(std::move(*url));
    }
    return urls;
}

std::string RelayUrl::authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : '[' + host + ']';
    return port == default_port(tls) ? name : fmt::format("{}:{}", name, port);
}

std::string RelayUrl::text() const {
    return fmt::format("{}://{}{}", tls ? "wss" : "ws", authority(), target == "/" ? "" : target);
}

}  // namespace myst::db
