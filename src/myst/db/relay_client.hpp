// A lasting connection to one relay: reconnects, subscribes again, verifies everything it hands on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/base/rng.hpp"
#include "myst/db/relay_message.hpp"
#include "myst/db/self_check.hpp"
#include "myst/db/web_socket.hpp"
#include "myst/ports/mailbox_keys.hpp"
#include "myst/ports/record_network.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {

/// How an attempt to connect, or the connection that it made, has ended.
enum class RelayEnd {
    unreachable,  ///< there was no connection
    lost,         ///< by either side, or by the network
    forged,       ///< dropped, because the relay sent too many forged or malformed messages
    is_self,      ///< it is the node's own relay
};

/// Control thread. The relay is a stranger: an event whose id, signature or match to the subscription is wrong is
/// dropped, and a relay that sends many of them is disconnected.
class RelayClient {
public:
    using Callback = std::function<void(const SharedRecord&)>;

    struct Settings {
        RelayUrl url;
        WebSocketSettings socket{};
        MessageLimits message{};
        /// Keys that the client proves to a relay which asks for it, before it reads what is addressed to them; may be
        /// null.
        std::shared_ptr<const ports::MailboxKeys> mailboxes{};
        milliseconds answer_timeout{10'000};  ///< for OK and EOSE, waiting for a connection included
        milliseconds first_retry{500};        ///< pause before reconnecting; doubles up to `last_retry`
        bool spread_start = false;            ///< a random part of it before the first attempt, too
        milliseconds last_retry{10'000};
        seconds overlap{60};  ///< how far a renewed subscription reaches back before the last event
        std::size_t max_waiting_messages = 256;
        std::size_t max_bad_messages = 16;        ///< in one connection, until it is dropped
        std::size_t max_received = SIZE_MAX;      ///< bytes of messages in one connection, until it is dropped
        milliseconds distrust{10 * 60'000};       ///< pause after a connection that ended as `forged` or `is_self`
        std::shared_ptr<SelfCheck> self_check{};  ///< shared with the own relay, if there is one
        /// Records that a subscription need not hand on, nor verify: what several relays send is checked once.
        std::function<bool(const Hash32&)> known{};
    };

    RelayClient(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers, Settings settings);
    ~RelayClient();
    RelayClient(const RelayClient&) = delete;
    RelayClient& operator=(const RelayClient&) = delete;

    /// Connects and reconnects until cancelled.
    [[nodiscard]] Task<> run();
    /// One attempt, and the connection that it makes, until that is lost. Not while `run` runs.
    [[nodiscard]] Task<RelayEnd> connect_once();

    /// Sends a record and waits for the relay's OK; returns its remark. Waits for a connection first. permission_denied
    /// with the relay's reason if it refuses, limit_exceeded if it cannot take it at the moment, unavailable or timeout
    /// if there is no answer.
    [[nodiscard]] Task<Result<std::string>> publish(SharedRecord record);
    /// The relay's stored records that match any filter, in its order, at most `limit`.
    [[nodiscard]] Task<Result<std::vector<SharedRecord>>> query(std::vector<codec::Filter> filters, std::size_t limit);
    /// Set reconciliation (NIP-77), one message and its answer at a time. `sync_open` waits for a connection and begins
    /// one under a name from `sync_name`; failed_precondition if the relay does not know how, or refuses. `sync_close`
    /// has the relay forget it.
    [[nodiscard]] std::string sync_name();
    [[nodiscard]] Task<Result<Bytes>> sync_open(std::string name, codec::Filter filter, Bytes message);
    [[nodiscard]] Task<Result<Bytes>> sync_next(std::string name, Bytes message);
    void sync_close(const std::string& name);
    /// Stored, then new records that match any filter; an id comes once unless thousands of others came between.
    /// Destroying the handle ends it; it may happen inside the callback.
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters, Callback callback);

    [[nodiscard]] const RelayUrl& url() const;

    /// Whether the relay has sent this record lately, in this connection.
    [[nodiscard]] bool has_shown(const Hash32& id) const;

    [[nodiscard]] ports::RelayStatus status() const;
    [[nodiscard]] bool connected() const;
    /// Called whenever a connection has been made. Set before `run`.
    void on_connected(std::function<void()> callback);

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace myst::db
