// The framed TCP stream inside the tunnel on which payments travel (docs/protocol.md section 2).
#pragma once

#include <memory>
#include <string>

#include "myst/pay/frame.hpp"
#include "myst/runtime/task.hpp"

namespace myst::node {

/// One connection. One reader and one writer at a time; control thread.
class PaymentStream {
public:
    /// Connects from the own to the provider's address inside the tunnel (IP literals); timeout after `limit`.
    [[nodiscard]] static Task<Result<PaymentStream>> connect(std::string own, std::string address, std::uint16_t port,
                                                             milliseconds limit);
    PaymentStream(PaymentStream&&) noexcept;
    PaymentStream& operator=(PaymentStream&&) noexcept;
    ~PaymentStream();

    /// The peer's address inside the tunnel.
    [[nodiscard]] const std::string& remote_address() const;
    [[nodiscard]] Task<Result<>> send(pay::Frame frame);
    /// Waits for a frame, at most `limit`. unavailable when the peer has closed.
    [[nodiscard]] Task<Result<pay::Frame>> receive(milliseconds limit);
    /// Ends pending operations; harmless when repeated.
    void close();

private:
    friend class PaymentListener;
    struct Socket;
    explicit PaymentStream(std::unique_ptr<Socket> socket);
    std::unique_ptr<Socket> socket_;
};

/// The provider's listening socket inside the tunnel.
class PaymentListener {
public:
    /// Takes over a listening descriptor from ExitTunnel::listen_inside.
    [[nodiscard]] static Result<PaymentListener> adopt(const asio::any_io_executor& executor, int descriptor);
    PaymentListener(PaymentListener&&) noexcept;
    PaymentListener& operator=(PaymentListener&&) noexcept;
    ~PaymentListener();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] Task<Result<PaymentStream>> accept();

private:
    struct Acceptor;
    explicit PaymentListener(std::unique_ptr<Acceptor> acceptor);
    std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace myst::node
