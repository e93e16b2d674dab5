// One HTTP connection, plain or TLS. Internal to the HTTP client: this header brings in Beast and OpenSSL.
#pragma once

#include <memory>
#include <variant>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "myst/sys/http_client.hpp"
#include "myst/sys/http_url.hpp"

namespace myst::sys::detail {

namespace ip = boost::asio::ip;

/// How one exchange went.
struct Trip {
    Result<HttpResponse> response;
    bool answered = false;  ///< at least one byte of an answer came
    bool reusable = false;  ///< the connection can carry another request
};

class HttpConnection {
public:
    using Plain = ip::tcp::socket;
    using Tls = asio::ssl::stream<ip::tcp::socket>;

    /// Looks the host up, connects and, for https, does the TLS handshake with a check of the host name.
    /// `tls` is used for https only and must outlive the connection.
    [[nodiscard]] static Task<Result<std::unique_ptr<HttpConnection>>> open(HttpUrl url, std::uint32_t mark,
                                                                            std::shared_ptr<asio::ssl::context> tls);
    /// Sends and receives. Throws operation_aborted when cancelled.
    [[nodiscard]] Task<Trip> exchange(HttpUrl url, const HttpRequest& request);
    /// Whether this connection serves requests for `url` with `mark`.
    [[nodiscard]] bool serves(const HttpUrl& url, std::uint32_t mark) const {
        return mark == mark_ && url_.same_origin(url);
    }
    /// False if the server has closed it or sent something unasked.
    [[nodiscard]] bool looks_alive();
    MonotonicTime last_used{};

private:
    HttpConnection(HttpUrl url, std::uint32_t mark, std::variant<Plain, Tls> stream,
                   std::shared_ptr<asio::ssl::context> tls)
        : url_(std::move(url)), mark_(mark), tls_(std::move(tls)), stream_(std::move(stream)) {}

    HttpUrl url_;
    std::uint32_t mark_;
    std::shared_ptr<asio::ssl::context> tls_;
    std::variant<Plain, Tls> stream_;
    boost::beast::flat_buffer buffer_{64 * 1024};
};

}  // namespace myst::sys::detail
