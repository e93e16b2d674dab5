// TLS of outgoing connections: version, trusted certificates, host name. Brings in OpenSSL: only for .cpp files and
// internal headers.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

/// TLS 1.2 or later. `ca_file`: a PEM file to trust instead of the system's certificates; empty: the system's.
[[nodiscard]] Result<std::shared_ptr<asio::ssl::context>> make_tls_context(const std::string& ca_file);

namespace detail {
/// Sends the host's name in the handshake, unless it is an IP literal.
[[nodiscard]] Result<> name_host(SSL* handle, const std::string& host);
/// invalid_data for a failure of TLS itself, a wrong certificate included; unavailable for one of the connection.
[[nodiscard]] tl::unexpected<Error> tls_failure(const boost::system::error_code& ec);
}  // namespace detail

/// The client's handshake; the certificate must be valid for `host`. `stream` must outlive the task; cancellation
/// unwinds and leaves it useless. Errors do not name the host.
template <class Stream>
[[nodiscard]] Task<Result<>> tls_handshake(asio::ssl::stream<Stream>* stream, std::string host) {
    boost::system::error_code ec;
    stream->set_verify_mode(asio::ssl::verify_peer, ec);
    if (!ec) stream->set_verify_callback(asio::ssl::host_name_verification(host), ec);
    if (ec) co_return detail::tls_failure(ec);
    if (auto named = detail::name_host(stream->native_handle(), host); !named) co_return forward_error(named);
    const auto [failed] = co_await stream->async_handshake(asio::ssl::stream_base::client, no_throw);
    if (!failed) co_return Result<>();
    co_await unwind_if_cancelled();
    co_return detail::tls_failure(failed);
}

}  // namespace myst::sys
