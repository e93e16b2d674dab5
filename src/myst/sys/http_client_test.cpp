#include "myst/sys/http_client.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "myst/runtime/timeout.hpp"
#include "myst/sys/http_test_server.hpp"
#include "myst/sys/http_url.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::sys {
namespace {

using testing::HttpTestServer;
using testing::ServerAnswer;
using testing::ServerRequest;

/// One exchange with `client`; the outcome for the test to look at.
Task<> fetch(HttpClient& client, HttpRequest request, std::optional<Result<HttpResponse>>& outcome) {
    outcome = co_await client.request(std::move(request));
}

class HttpClientTest : public ::testing::Test {
protected:
    ~HttpClientTest() override {
        client_.close_idle();
        server_.reset();
        testing::drain(context_);
    }
    void serve(HttpTestServer::Handler handler) {
        server_ = std::make_unique<HttpTestServer>(context_, std::move(handler));
    }
    Result<HttpResponse> send(HttpRequest request) {
        std::optional<Result<HttpResponse>> outcome;
        testing::run_task(context_, fetch(client_, std::move(request), outcome));
        return std::move(*outcome);
    }
    HttpRequest get(std::string_view path = "") {
        HttpRequest request;
        request.url = server_->url() + std::string(path);
        return request;
    }
    asio::io_context context_;
    HttpClient client_;
    std::unique_ptr<HttpTestServer> server_;
};

TEST_F(HttpClientTest, SendsAndReceives) {
    ServerRequest seen;
    serve([&](const ServerRequest& request) {
        seen = request;
        return ServerAnswer{201, "answer"};
    });
    auto request = get("path?query=1");
    request.method = "POST";
    request.headers = {{"X-Test", "yes"}};
    request.body = "question";
    const auto response = send(request);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 201U);
    EXPECT_EQ(response->body, "answer");
    EXPECT_EQ(response->header("CONTENT-TYPE"), "application/json");
    EXPECT_EQ(response->header("absent"), std::nullopt);
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.target, "/path?query=1");
    EXPECT_EQ(seen.body, "question");
    const std::pair<std::string, std::string> host{"Host", "127.0.0.1:" + std::to_string(server_->port())};
    EXPECT_NE(std::find(seen.headers.begin(), seen.headers.end(), host), seen.headers.end());
}

TEST_F(HttpClientTest, KeepsTheConnection) {
    serve([](const ServerRequest&) { return ServerAnswer{}; });
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(get()));
    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpClientTest, ObeysConnectionClose) {
    serve([](const ServerRequest&) {
        ServerAnswer answer;
        answer.keep_alive = false;
        return answer;
    });
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(send(get()));
    EXPECT_EQ(server_->connections(), 2U);
}

TEST_F(HttpClientTest, ConnectsAnewWhenTheServerHasClosed) {
    serve([](const ServerRequest&) { return ServerAnswer{}; });
    ASSERT_TRUE(send(get()));
    server_->close_connections();
    auto request = get();
    request.method = "POST";
    ASSERT_TRUE(send(request));
    EXPECT_EQ(server_->connections(), 2U);
}

TEST_F(HttpClientTest, RepeatsOnlyWhatMayBeRepeatedOnADyingConnection) {
    int requests = 0;
    serve([&](const ServerRequest&) {
        ServerAnswer answer;
        answer.drop = ++requests == 2;
        return answer;
    });
    ASSERT_TRUE(send(get()));
    auto request = get();
    request.method = "POST";
    const auto lost = send(request);
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, ErrorCode::unavailable);
    EXPECT_EQ(requests, 2);
    requests = 0;
    ASSERT_TRUE(send(get()));
    request.replayable = true;
    ASSERT_TRUE(send(request));
    EXPECT_EQ(requests, 3);
}

TEST_F(HttpClientTest, GivesUpAtTheDeadline) {
    serve([](const ServerRequest&) {
        ServerAnswer answer;
        answer.hang = true;
        return answer;
    });
    auto request = get();
    request.timeout = milliseconds(30);
    const auto response = send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::timeout);
    EXPECT_NE(response.error().message.find("127.0.0.1:"), std::string::npos);
}

TEST_F(HttpClientTest, LimitsTheAnswer) {
    serve([](const ServerRequest&) { return ServerAnswer{200, std::string(1001, 'x')}; });
    auto request = get();
    request.max_response_bytes = 1000;
    const auto response = send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::limit_exceeded);
    request.max_response_bytes = 1001;
    EXPECT_TRUE(send(request));
}

TEST_F(HttpClientTest, LimitsAChunkedAnswer) {
    serve([](const ServerRequest&) {
        ServerAnswer answer;
        answer.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (int i = 0; i < 3; ++i) answer.raw += "200\r\n" + std::string(0x200, 'x') + "\r\n";
        answer.raw += "0\r\n\r\n";
        return answer;
    });
    auto request = get();
    request.max_response_bytes = 1000;
    const auto response = send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::limit_exceeded);
}

TEST_F(HttpClientTest, RefusesATruncatedAnswerAndOtherProtocols) {
    std::string raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    serve([&](const ServerRequest&) {
        ServerAnswer answer;
        answer.raw = raw;
        return answer;
    });
    const auto cut = send(get());
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, ErrorCode::unavailable);
    raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    const auto other = send(get());
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::invalid_data);
}

TEST_F(HttpClientTest, NamesTheHostButNotThePathInErrors) {
    serve([](const ServerRequest&) { return ServerAnswer{}; });
    auto request = get("secret-key");
    server_.reset();
    testing::drain(context_);
    const auto response = send(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::unavailable);
    EXPECT_NE(response.error().message.find("127.0.0.1:"), std::string::npos);
    EXPECT_NE(response.error().message.find("refused"), std::string::npos);
    EXPECT_EQ(response.error().message.find("secret"), std::string::npos);
}

TEST_F(HttpClientTest, RefusesInjectionThroughHeadersAndMethod) {
    serve([](const ServerRequest&) { return ServerAnswer{}; });
    auto request = get();
    request.headers = {{"X-Test", "a\r\nX-Other: b"}};
    EXPECT_EQ(send(request).error().code, ErrorCode::invalid_argument);
    request = get();
    request.method = "GET / HTTP/1.1\r\nX:";
    EXPECT_EQ(send(request).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(server_->connections(), 0U);
}

Task<> cancelled_fetch(HttpClient& client, HttpRequest request, bool& unwound) {
    try {
        auto outcome = co_await client.request(std::move(request));
    } catch (const boost::system::system_error& error) {
        unwound = error.code() == asio::error::operation_aborted;
        throw;
    }
}

TEST_F(HttpClientTest, CancellationUnwinds) {
    asio::cancellation_signal signal;
    serve([&](const ServerRequest&) {
        asio::post(context_, [&] { signal.emit(asio::cancellation_type::terminal); });
        ServerAnswer answer;
        answer.hang = true;
        return answer;
    });
    bool unwound = false;
    bool ended = false;
    auto on_end = [&](std::exception_ptr) {
        ended = true;
        context_.stop();
    };
    context_.restart();
    asio::co_spawn(context_, cancelled_fetch(client_, get(), unwound),
                   asio::bind_cancellation_slot(signal.slot(), std::move(on_end)));
    context_.run();
    EXPECT_TRUE(ended);
    EXPECT_TRUE(unwound);
}

TEST(HttpUrl, Parses) {
    const auto url = parse_http_url("https://Example.org/v3/key?x=1");
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->tls);
    EXPECT_EQ(url->port, "443");
    EXPECT_EQ(url->target, "/v3/key?x=1");
    const auto v6 = parse_http_url("http://[::1]:8545");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->host, "::1");
    EXPECT_EQ(v6->authority, "[::1]:8545");
    EXPECT_EQ(v6->target, "/");
}

TEST(HttpUrl, Refuses) {
    for (const auto* text : {"", "example.org", "ftp://example.org/", "http://", "http://user:pass@example.org/",
                             "http://example.org/#part", "http://example.org:0/", "http://example.org:65536/",
                             "http://exa mple.org/", "http://example.org/\r\nX: y"}) {
        EXPECT_FALSE(parse_http_url(text)) << text;
    }
}

/// A self-signed certificate for `name`, made for this run.
HttpTestServer::Tls make_certificate(const char* name) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    auto* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    const auto alternative = "DNS:" + std::string(name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_sign(certificate, key, EVP_sha256());
    HttpTestServer::Tls out;
    char* text = nullptr;
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    auto size = BIO_get_mem_data(bio, &text);
    out.certificate_pem.assign(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    size = BIO_get_mem_data(bio, &text);
    out.key_pem.assign(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    X509_EXTENSION_free(extension);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return out;
}

class HttpsTest : public HttpClientTest {
protected:
    void serve_tls(const char* name) {
        const auto tls = make_certificate(name);
        file_ = ::testing::TempDir() + "http_client_test_" + std::to_string(::getpid()) + ".pem";
        std::ofstream(file_) << tls.certificate_pem;
        server_ = std::make_unique<HttpTestServer>(
            context_,
            [](const ServerRequest&) {
                return ServerAnswer{200, "private"};
            },
            tls);
    }
    ~HttpsTest() override { std::remove(file_.c_str()); }
    HttpRequest get_tls() {
        HttpRequest request;
        request.url = "https://localhost:" + std::to_string(server_->port()) + "/";
        return request;
    }
    void trust() {
        HttpClient::Settings settings;
        settings.ca_file = file_;
        client_ = HttpClient(settings);
    }
    std::string file_;
};

TEST_F(HttpsTest, TalksToATrustedHostAndKeepsTheConnection) {
    serve_tls("localhost");
    trust();
    for (int i = 0; i < 2; ++i) {
        const auto response = send(get_tls());
        ASSERT_TRUE(response) << response.error().message;
        EXPECT_EQ(response->body, "private");
    }
    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpsTest, RefusesAnUnknownIssuer) {
    serve_tls("localhost");
    const auto response = send(get_tls());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::invalid_data);
    EXPECT_NE(response.error().message.find("certificate"), std::string::npos);
}

TEST_F(HttpsTest, RefusesACertificateOfAnotherHost) {
    serve_tls("example.org");
    trust();
    const auto response = send(get_tls());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::invalid_data);
}

}  // namespace
}  // namespace myst::sys
