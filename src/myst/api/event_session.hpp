// One client of the event stream: reads its subscription, tells what changes, closes with a reason. Internal to the
// server.
#pragma once

#include "myst/node/control.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/web_socket.hpp"

namespace myst::api {

/// Bounds of the event stream (docs/api.md, "Events").
struct EventSettings {
    std::size_t max_clients = 16;
    std::size_t max_message_bytes = 16 * 1024;  ///< from a client
    milliseconds subscribe_timeout{10'000};     ///< for the subscription to arrive
    milliseconds idle_timeout{60'000};          ///< without a sign of life; pings go out after half of it
    milliseconds slow_limit{10'000};            ///< who takes longer to take a message is closed after it
    milliseconds stuck_limit{30'000};           ///< who takes longer still is dropped
};

/// Control thread.
class EventSession {
public:
    EventSession(asio::any_io_executor executor, std::unique_ptr<sys::WebSocket> socket, node::Control& node,
                 const Clock& clock, const EventSettings& settings);

    /// Serves until the stream ends. Cancellation tells the client that the daemon stops, and unwinds.
    [[nodiscard]] Task<> run();

private:
    struct End {
        sys::CloseCode code{};
        std::string reason;
        std::optional<Error> error{};  ///< told before the connection is closed
    };

    [[nodiscard]] Task<> wait_for_end();
    [[nodiscard]] Task<> read();
    [[nodiscard]] Task<> tell();
    [[nodiscard]] Task<> tell_changes();
    /// False: the stream ends.
    [[nodiscard]] Task<bool> write(std::string message);
    [[nodiscard]] Task<> say_goodbye();
    /// The first reason counts.
    void end(End why);
    void refuse(Error error);
    void end_after_reading(const Error& error);

    node::Control& node_;
    const Clock& clock_;
    const EventSettings& settings_;
    std::unique_ptr<sys::WebSocket> socket_;
    std::unique_ptr<node::OfferWatch> watch_;
    std::optional<End> end_;
    EventSignal ending_;
    EventSignal written_;
    bool is_writing_ = false;
    bool is_lost_ = false;
    TaskGroup tasks_;  ///< last: they use the others
};

}  // namespace myst::api
