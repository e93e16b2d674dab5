#include "myst/db/relay_server.hpp"

#include <map>

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>

#include "myst/base/log.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/db/relay_connection.hpp"
#include "myst/db/relay_handshake.hpp"

namespace myst::db {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;

/// Origins that are no address: a proxy whose request has not been read, and one that does not say for whom it asks.
constexpr std::string_view kProxy = "proxy";
constexpr std::string_view kNobody = "unnamed";

/// Whom a connection counts for: an IPv4 address, or the /64 network of an IPv6 address.
std::string origin_of(const asio::ip::address& address) {
    if (address.is_v4()) return address.to_string();
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
    const auto bytes = v6.to_bytes();
    return to_hex(BytesView(bytes).first(8));
}

}  // namespace

class RelayServer::Impl {
public:
    Impl(tcp::acceptor acceptor, RecordHub& hub, WorkerPool& workers, const Clock& clock, Settings settings)
        : acceptor_(std::move(acceptor)),
          hub_(hub),
          workers_(workers),
          clock_(clock),
          settings_(std::move(settings)),
          information_(std::make_shared<const std::string>(
              relay_information(settings_.identity, settings_.limits, hub.policy(), settings_.access))),
          sync_budget_{settings_.limits.sync_items_in_all, 0},
          tasks_(acceptor_.get_executor()) {}

    Task<> run() {
        tasks_.spawn("relay acceptor", accept_loop());
        co_await tasks_.join();
    }
    std::uint16_t local_port() const {
        error_code ignored;
        return acceptor_.local_endpoint(ignored).port();
    }
    std::size_t connections() const { return connections_; }

private:
    /// Counts a connection for as long as it lives.
    class Place {
    public:
        Place(Impl& server, std::string origin) : server_(server), origin_(std::move(origin)) {
            ++server_.connections_;
            ++server_.by_origin_[origin_];
        }
        ~Place() {
            --server_.connections_;
            leave();
        }
        [[nodiscard]] bool proxied() const { return origin_ == kProxy; }
        /// Counts for another origin from now on.
        void move_to(std::string origin) {
            leave();
            origin_ = std::move(origin);
            ++server_.by_origin_[origin_];
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

    private:
        void leave() {
            const auto found = server_.by_origin_.find(origin_);
            if (--found->second == 0) server_.by_origin_.erase(found);
        }
        Impl& server_;
        std::string origin_;
    };

    Task<> accept_loop() {
        for (;;) {
            auto [ec, socket] = co_await acceptor_.async_accept(no_throw);
            if (ec) {
                // Out of descriptors, or the client has gone; a pause keeps this from spinning.
                log::debug("relay: accepting a connection: {}", ec.message());
                co_await sleep_for(milliseconds(50));
                continue;
            }
            error_code lost;
            const auto peer = socket.remote_endpoint(lost);
            if (lost) continue;
            // For whom a proxy asks is known when the request has been read; until then it only counts in all.
            const bool proxied = settings_.trusted_proxy && peer.address().is_loopback();
            auto origin = proxied ? std::string(kProxy) : origin_of(peer.address());
            if (connections_ >= settings_.limits.connections || (!proxied && !has_room(origin))) {
                refuse(socket);
                continue;
            }
            auto place = std::make_shared<Place>(*this, std::move(origin));
            tasks_.spawn("relay connection", serve(std::move(socket), std::move(place)));
        }
    }

    /// Whether one more connection may count for this origin.
    bool has_room(const std::string& origin) const {
        const auto found = by_origin_.find(origin);
        return found == by_origin_.end() || found->second < settings_.limits.connections_per_ip;
    }

    /// Counts the connection of a proxy for the address that the proxy names; those without a usable address
    /// share one allowance. False: that address has too many connections.
    bool admit(Place& place, std::string_view forwarded_for) {
        error_code malformed;
        const auto address = asio::ip::make_address(std::string(forwarded_for), malformed);
        auto origin = malformed ? std::string(kNobody) : origin_of(address);
        if (!has_room(origin)) return false;
        place.move_to(std::move(origin));
        return true;
    }

    /// The send buffer of a new connection is empty, so this does not wait.
    static void refuse(tcp::socket& socket) {
        static constexpr std::string_view kAnswer =
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        error_code ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(kAnswer), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
    }

    Task<> serve(tcp::socket socket, std::shared_ptr<Place> place) {
        const auto held = std::move(place);
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        WebSocketSettings socket_settings;
        socket_settings.max_message_bytes = settings_.limits.message.max_message_bytes;
        socket_settings.handshake_timeout = settings_.limits.handshake_timeout;
        socket_settings.idle_timeout = settings_.limits.idle_timeout;
        detail::Admit admit_client = [this, held](const detail::Visitor& visitor) {
            // The own client knows now. Whoever passes a node's number on learns nothing: he is answered as when the
            // relay is full.
            if (settings_.self_check && settings_.self_check->meet(visitor.connection_id)) {
                return detail::Welcome::busy;
            }
            const bool admitted = !held->proxied() || admit(*held, visitor.forwarded_for);
            return admitted ? detail::Welcome::come_in : detail::Welcome::busy;
        };
        auto accepting =
            detail::accept_client(std::move(socket), information_, std::move(socket_settings), std::move(admit_client));
        auto accepted = co_await std::move(accepting);
        if (!accepted) log::debug("relay: handshake: {}", accepted.error().message);
        if (!accepted || !*accepted) co_return;
        RelayReader reader(settings_.access, to_hex(random_bytes<Hash32>(rng_).view()));
        RelayConnection connection(acceptor_.get_executor(), std::move(*accepted), hub_, workers_, clock_,
                                   settings_.limits, sync_budget_, std::move(reader));
        co_await connection.run();
    }

    tcp::acceptor acceptor_;
    RecordHub& hub_;
    WorkerPool& workers_;
    const Clock& clock_;
    const Settings settings_;
    const std::shared_ptr<const std::string> information_;
    SyncBudget sync_budget_;
    crypto::SystemRng rng_;  ///< of challenges, which nobody may foresee
    std::size_t connections_ = 0;
    std::map<std::string, std::size_t> by_origin_;
    TaskGroup tasks_;  ///< last member: its tasks use the others
};

RelayServer::RelayServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RelayServer::~RelayServer() = default;

Result<std::unique_ptr<RelayServer>> RelayServer::open(asio::any_io_executor executor, RecordHub& hub,
                                                       WorkerPool& workers, const Clock& clock, Settings settings) {
    error_code ec;
    const auto address = asio::ip::make_address(settings.address, ec);
    if (ec) {
        return fail(ErrorCode::invalid_argument, "relay address '" + settings.address + "' is not an IP address",
                    "write 0.0.0.0, ::, or an address of this machine");
    }
    const auto place = fmt::format("relay on {} port {}", settings.address, settings.port);
    const tcp::endpoint endpoint(address, settings.port);
    tcp::acceptor acceptor(executor);
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
        return fail(ErrorCode::io, place + ": " + ec.message(),
                    ec == asio::error::address_in_use ? "choose another port, or stop the program that uses it" : "");
    }
    auto impl = std::make_unique<Impl>(std::move(acceptor), hub, workers, clock, std::move(settings));
    return std::unique_ptr<RelayServer>(new RelayServer(std::move(impl)));
}

Task<> RelayServer::run() {
    co_await impl_->run();
}

std::uint16_t RelayServer::local_port() const {
    return impl_->local_port();
}

std::size_t RelayServer::connections() const {
    return impl_->connections();
}

}  // namespace myst::db
