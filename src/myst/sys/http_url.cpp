#include "myst/sys/http_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace myst::sys {
namespace {

// The text itself is left out of the message: it may hold an access key.
tl::unexpected<Error> bad_url(std::string_view why) {
    return fail(ErrorCode::invalid_argument, "URL: " + std::string(why), "use the form https://host:port/path");
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
    if (text.size() > 4096) return bad_url("it is longer than 4096 characters");
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed) return bad_url("it is malformed");
    const auto& url = *parsed;
    HttpUrl out;
    if (url.scheme_id() == boost::urls::scheme::https) {
        out.tls = true;
    } else if (url.scheme_id() != boost::urls::scheme::http) {
        return bad_url("the scheme is not http or https");
    }
    if (url.has_userinfo()) return bad_url("user name and password are not supported");
    if (url.has_fragment()) return bad_url("a fragment (#…) is never sent");
    out.host = url.host_address();
    if (out.host.empty()) return bad_url("the host is missing");
    if (url.has_port() && !url.port().empty() && url.port_number() == 0) return bad_url("the port is not 1 … 65535");
    out.port = url.has_port() && !url.port().empty() ? std::string(url.port()) : (out.tls ? "443" : "80");
    out.authority = std::string(url.encoded_host_and_port());
    out.target = std::string(url.encoded_target());
    if (out.target.empty() || out.target.front() != '/') out.target.insert(out.target.begin(), '/');
    return out;
}

}  // namespace myst::sys
