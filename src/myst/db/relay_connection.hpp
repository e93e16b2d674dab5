// One client of the relay: its subscriptions, its limits, its queue.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "myst/base/token_bucket.hpp"
#include "myst/db/catch_up.hpp"
#include "myst/db/outgoing_queue.hpp"
#include "myst/db/record_hub.hpp"
#include "myst/db/relay_auth.hpp"
#include "myst/db/relay_info.hpp"
#include "myst/db/relay_sync.hpp"
#include "myst/db/web_socket.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {

/// Control thread. Everything given by reference must outlive the connection.
class RelayConnection {
public:
    RelayConnection(asio::any_io_executor executor, std::unique_ptr<WebSocket> socket, RecordHub& hub,
                    WorkerPool& workers, const Clock& clock, const RelayLimits& limits, SyncBudget& sync_budget,
                    RelayReader reader);
    RelayConnection(const RelayConnection&) = delete;
    RelayConnection& operator=(const RelayConnection&) = delete;

    /// Serves the client until it leaves, breaks a rule, or the task is cancelled.
    [[nodiscard]] Task<> run();

private:
    struct Subscribed {
        CatchUp catch_up{kMaxWaiting};
        std::size_t filter_values = 0;
        std::unique_ptr<ports::Subscription> following;
    };
    static constexpr std::size_t kMaxWaiting = 1024;

    [[nodiscard]] Task<> read_loop();
    [[nodiscard]] Task<> write_loop();
    [[nodiscard]] Task<> close_loop();
    /// Ends reconciliations that the client has left open.
    [[nodiscard]] Task<> sync_loop();
    /// Waits until the client may send again; meanwhile TCP holds it back, so nothing is lost.
    [[nodiscard]] Task<> wait_for_token();
    [[nodiscard]] Task<> handle(std::string text);
    [[nodiscard]] Task<> on_event(EventMessage message);
    void on_auth(const AuthMessage& message);
    [[nodiscard]] Task<> on_req(ReqMessage message);
    [[nodiscard]] Task<> on_sync_open(NegOpenMessage message);
    [[nodiscard]] Task<> on_sync(Task<RelaySync::Reply> work);
    /// Why another subscription is refused; empty if there is room.
    [[nodiscard]] std::string check_room(std::size_t filter_values) const;
    /// Sends stored records as fast as the client reads them, while no more than a page of them is in memory. An error
    /// is the store's; if the client does not read, the connection is given up.
    [[nodiscard]] Task<Result<>> send_stored(std::string name, std::vector<Hash32> ids);
    void on_live(Subscribed& subscribed, const std::string& name, const SharedRecord& record);
    void send(std::string message);
    /// Ends the connection with this reason in the close frame; only the first call counts.
    void give_up(CloseCode code, std::string reason);

    const RelayLimits& limits_;
    RecordHub& hub_;
    WorkerPool& workers_;
    const Clock& clock_;
    std::unique_ptr<WebSocket> socket_;
    RelayReader reader_;
    OutgoingQueue outgoing_;
    TokenBucket bucket_;
    EventSignal ending_;
    std::optional<std::pair<CloseCode, std::string>> end_reason_;
    std::map<std::string, std::shared_ptr<Subscribed>> subscriptions_;
    RelaySync syncs_;
    TaskGroup tasks_;
};

}  // namespace myst::db
