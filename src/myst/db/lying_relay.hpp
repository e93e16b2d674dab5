// A relay that lies, for tests.
#pragma once

#include "myst/db/fake_relay.hpp"

namespace myst::db::test {

/// Accepts clients one after another; answers every REQ and every NEG-OPEN with the same texts, "$" standing for the
/// name of the subscription.
struct LyingRelay {
    explicit LyingRelay(World& world) : acceptor(listen_on_loopback(world)) {}
    asio::ip::tcp::acceptor acceptor;
    std::vector<std::string> answers;
    std::vector<std::string> to_neg_open;
    int connections = 0;

    [[nodiscard]] RelayUrl url() const { return url_of(acceptor); }
    Task<> run() {
        for (;;) {
            auto socket = co_await acceptor.async_accept(asio::use_awaitable);
            ++connections;
            auto receiving = receive(std::move(socket));
            const auto client = co_await std::move(receiving);
            if (client) co_await lie_to(client.get());
        }
    }
    Task<> lie_to(WebSocket* client) {
        for (;;) {
            auto text = co_await client->read();
            if (!text) co_return;
            const bool told = co_await answer(client, *text, "[\"REQ\",\"", answers);
            const bool compared = co_await answer(client, *text, "[\"NEG-OPEN\",\"", to_neg_open);
            if (!told || !compared) co_return;
        }
    }
    /// To a message that begins so; false if the client has gone.
    static Task<bool> answer(WebSocket* client, std::string text, std::string beginning,
                             std::vector<std::string> texts) {
        if (!text.starts_with(beginning)) co_return true;
        const auto name = text.substr(beginning.size(), text.find('"', beginning.size()) - beginning.size());
        for (auto& each : texts) {
            const auto place = each.find('$');
            if (place != std::string::npos) each.replace(place, 1, name);
            auto message = std::make_shared<const std::string>(std::move(each));
            auto written = co_await client->write(std::move(message));
            if (!written) co_return false;
        }
        co_return true;
    }
};

inline std::string event_text(const codec::Event& event) {
    return encode_relay_event("$", codec::to_json(event));
}

}  // namespace myst::db::test
