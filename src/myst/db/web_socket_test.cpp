// Certificates: whom a client of a wss:// relay believes.
#include "myst/db/web_socket.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "myst/db/db_fixtures.hpp"
#include "myst/sys/beast_socket.hpp"

namespace myst::db::test {
namespace {

namespace ip = asio::ip;
using Tls = asio::ssl::stream<boost::beast::tcp_stream>;

/// A fresh self-signed certificate for one name or address, e.g. "DNS:localhost", in PEM.
struct Certificate {
    std::string certificate;
    std::string key;
};

std::string pem(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

Certificate make_certificate(const std::string& subject) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, subject.c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    Certificate result;
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, certificate);
    result.certificate = pem(out);
    out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    result.key = pem(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

/// Accepts one TLS WebSocket and says hello; a client that turns away ends it.
Task<> greet(ip::tcp::acceptor& acceptor, asio::ssl::context& context) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    Tls stream(boost::beast::tcp_stream(std::move(socket)), context);
    const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server, no_throw);
    if (refused) co_return;
    sys::WebSocketStream<Tls> upgraded(std::move(stream));
    const auto [ec] = co_await upgraded.async_accept(no_throw);
    if (ec) co_return;
    sys::BeastSocket<Tls> server(std::move(upgraded), nullptr);
    auto hello = std::make_shared<const std::string>("hello");
    auto written = co_await server.write(std::move(hello));
    EXPECT_TRUE(written);
    auto rest = co_await server.read();
    EXPECT_FALSE(rest);
}

class WebSocketTls : public ::testing::Test {
protected:
    ~WebSocketTls() override { std::remove(ca_file_.c_str()); }

    /// Connects to a server whose certificate is for `subject`; `host` is what the client asked for.
    Result<std::string> connect(const std::string& subject, const std::string& host, bool trusted) {
        const auto certificate = make_certificate(subject);
        context_.use_certificate(asio::buffer(certificate.certificate), asio::ssl::context::pem);
        context_.use_private_key(asio::buffer(certificate.key), asio::ssl::context::pem);
        const auto trust = trusted ? certificate : make_certificate(subject);
        std::FILE* file = std::fopen(ca_file_.c_str(), "w");
        std::fputs(trust.certificate.c_str(), file);
        std::fclose(file);
        loop_.group.spawn("tls server", greet(acceptor_, context_));
        loop_.run(dial(host));
        return std::move(*outcome_);
    }

private:
    Task<> dial(std::string host) {
        RelayUrl url;
        url.tls = true;
        url.host = host;
        url.port = acceptor_.local_endpoint().port();
        url.target = "/";
        WebSocketSettings settings;
        settings.ca_file = ca_file_;
        auto socket = co_await connect_web_socket(url, settings);
        if (!socket) {
            outcome_ = forward_error(socket);
            co_return;
        }
        outcome_ = co_await (*socket)->read();
        co_await (*socket)->close(CloseCode::normal, "bye");
    }

    Loop loop_;
    asio::ssl::context context_{asio::ssl::context::tls_server};
    ip::tcp::acceptor acceptor_{loop_.context, ip::tcp::endpoint(ip::address_v4::loopback(), 0)};
    const std::string ca_file_ =
        ::testing::TempDir() + "myst_web_socket_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::optional<Result<std::string>> outcome_;
};

TEST_F(WebSocketTls, BelievesACertificateForTheHost) {
    const auto greeting = connect("DNS:localhost", "localhost", true);
    ASSERT_TRUE(greeting) << greeting.error().message;
    EXPECT_EQ(*greeting, "hello");
}

TEST_F(WebSocketTls, BelievesACertificateForTheAddress) {
    const auto greeting = connect("IP:127.0.0.1", "127.0.0.1", true);
    ASSERT_TRUE(greeting) << greeting.error().message;
}

TEST_F(WebSocketTls, RefusesAnUnknownIssuer) {
    const auto greeting = connect("DNS:localhost", "localhost", false);
    ASSERT_FALSE(greeting);
    EXPECT_EQ(greeting.error().code, ErrorCode::invalid_data) << greeting.error().message;
}

TEST_F(WebSocketTls, RefusesACertificateForAnotherHost) {
    const auto greeting = connect("DNS:relay.example", "localhost", true);
    ASSERT_FALSE(greeting);
    EXPECT_EQ(greeting.error().code, ErrorCode::invalid_data) << greeting.error().message;
}

}  // namespace
}  // namespace myst::db::test
