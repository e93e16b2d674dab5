// What relays that tests make up have in common: an address, and clients that connect to it.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "myst/db/relay_fixtures.hpp"
#include "myst/db/relay_handshake.hpp"

namespace myst::db::test {

/// A free port of the loopback address. Clients wait in the kernel's queue until they are accepted.
inline asio::ip::tcp::acceptor listen_on_loopback(World& world) {
    return {world.loop.context, {asio::ip::address_v4::loopback(), 0}};
}

inline RelayUrl url_of(const asio::ip::tcp::acceptor& acceptor) {
    return loopback_url(acceptor.local_endpoint().port());
}

/// Makes a WebSocket of a client's connection; `admit` decides, or everybody may come in. Null: there is none.
inline Task<std::unique_ptr<WebSocket>> receive(asio::ip::tcp::socket socket, detail::Admit admit = {}) {
    if (!admit) admit = [](const detail::Visitor&) { return detail::Welcome::come_in; };
    auto information = std::make_shared<const std::string>("{}");
    WebSocketSettings settings;
    auto accepting = detail::accept_client(std::move(socket), information, settings, std::move(admit));
    auto client = co_await std::move(accepting);
    co_return client ? std::move(*client) : nullptr;
}

}  // namespace myst::db::test
