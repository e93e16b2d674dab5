#include "myst/sys/tls_client.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

namespace myst::sys {

using boost::system::error_code;

Result<std::shared_ptr<asio::ssl::context>> make_tls_context(const std::string& ca_file) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    if (SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION) != 1) {
        return fail(ErrorCode::internal, "TLS: version 1.2 is not available");
    }
    error_code ec;
    if (ca_file.empty()) {
        context->set_default_verify_paths(ec);
    } else {
        context->load_verify_file(ca_file, ec);
    }
    if (ec) return fail(ErrorCode::io, "TLS: loading trusted certificates: " + ec.message(), "install ca-certificates");
    return context;
}

namespace detail {

Result<> name_host(SSL* handle, const std::string& host) {
    error_code not_literal;
    std::ignore = asio::ip::make_address(host, not_literal);
    if (not_literal && SSL_set_tlsext_host_name(handle, host.c_str()) != 1) {
        return fail(ErrorCode::invalid_argument, "the host name cannot be used with TLS");
    }
    return {};
}

tl::unexpected<Error> tls_failure(const error_code& ec) {
    const bool tls = ec.category() == asio::error::get_ssl_category();
    return fail(tls ? ErrorCode::invalid_data : ErrorCode::unavailable, "TLS handshake: " + ec.message());
}

}  // namespace detail
}  // namespace myst::sys
