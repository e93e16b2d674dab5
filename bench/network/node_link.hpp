// A client of one node's relay that sees everything, and verifies nothing: it measures, and trusts the node.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/db/negentropy.hpp"
#include "myst/db/outgoing_queue.hpp"
#include "myst/db/web_socket.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::bench {

/// Control thread. `join` before destruction.
class NodeLink {
public:
    struct Handlers {
        std::function<void(const Hash32&)> on_record;                     ///< a live record
        std::function<void(const Hash32&, bool, std::string)> on_answer;  ///< OK to a published one
        std::function<void()> on_lost;                                    ///< the connection is gone
    };
    NodeLink(asio::any_io_executor executor, db::RelayUrl url, Handlers handlers);

    /// Connects, and subscribes for new proposals; one that is there is closed before.
    [[nodiscard]] Task<Result<>> connect();
    [[nodiscard]] bool connected() const { return session_ != nullptr; }
    void publish(const std::string& json);
    /// What differs between a set and the node's.
    struct Difference {
        std::vector<Hash32> have;  ///< the node lacks
        std::vector<Hash32> need;  ///< only the node has
    };
    [[nodiscard]] Task<Result<Difference>> compare(std::vector<db::SyncItem> items);
    [[nodiscard]] Task<> join();

private:
    struct Session;
    [[nodiscard]] static Task<> read_loop(NodeLink* link, std::shared_ptr<Session> session);
    [[nodiscard]] static Task<> write_loop(NodeLink* link, std::shared_ptr<Session> session);
    void end(const std::shared_ptr<Session>& session);
    void dispatch(Session& session, const std::string& text);
    [[nodiscard]] Task<Result<Bytes>> ask(std::shared_ptr<Session> session, std::string text);

    asio::any_io_executor executor_;
    db::RelayUrl url_;
    Handlers handlers_;
    std::shared_ptr<Session> session_;
    TaskGroup tasks_;
};

}  // namespace myst::bench
