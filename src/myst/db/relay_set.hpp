// The relays a node talks to, used together.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "myst/db/relay_client.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::db {

/// Control thread. Everything given by reference must outlive the set.
class RelaySet {
public:
    struct Settings {
        std::vector<RelayUrl> relays;
        RelayClient::Settings client{};  ///< for each of them; its url is not used
        milliseconds grace{300};         ///< how long slower relays are waited for after the first good answer
        std::size_t max_kept = 64;       ///< own records that are sent again after a reconnect
    };
    /// Whom to ask when no relay is connected at the moment.
    enum class Absent { skip, wait_for };
    /// Who chose a relay. One that was `found` in the records of a stranger is not shown who this node is: it gets
    /// neither the own records directly, nor subscriptions for what is addressed to somebody.
    enum class Trust { configured, found };

    RelaySet(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers, Settings settings);
    RelaySet(const RelaySet&) = delete;
    RelaySet& operator=(const RelaySet&) = delete;

    /// Keeps the connections until cancelled.
    [[nodiscard]] Task<> run();

    /// Sends a record to every connected relay at once, those that were found excepted. With `wait_for`, and if none is
    /// connected, waits for the first. Returns when all have answered, or shortly after the first has accepted; the
    /// others count as rejections.
    [[nodiscard]] Task<ports::PublishReport> publish(SharedRecord record, Absent absent);
    /// Sends an own record again to every configured relay that (re)connects, until it expires or is replaced.
    void keep(const SharedRecord& record);
    /// The merged answers of the configured relays that answered in time; unavailable if none did.
    [[nodiscard]] Task<Result<std::vector<SharedRecord>>> query(std::vector<codec::Filter> filters, std::size_t limit);
    /// Adds a relay; `client.url` is its address. It takes part in everything that its trust permits from now on,
    /// subscriptions included; its connections are the caller's (`connect_once`).
    [[nodiscard]] std::shared_ptr<RelayClient> add(RelayClient::Settings client, Trust trust);
    void remove(const RelayClient& client);
    /// Subscribes at every relay, those that are added later too. Found ones are asked only if every filter names
    /// kinds, and none of them ephemeral. The same record may come from several of them.
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                 RelayClient::Callback callback);
    [[nodiscard]] std::vector<ports::RelayStatus> status() const;
    /// The configured relays that are connected at the moment.
    [[nodiscard]] std::vector<RelayUrl> reached() const;
    [[nodiscard]] const std::vector<std::shared_ptr<RelayClient>>& clients() const { return clients_; }
    /// Called whenever a connection to one of them has been made. Set before `run`.
    void on_connected(std::function<void(const RelayClient&)> callback) { on_connected_ = std::move(callback); }

private:
    [[nodiscard]] std::vector<RelayClient*> chosen(Absent absent);
    [[nodiscard]] Task<> send_kept(std::weak_ptr<RelayClient> client);
    /// A subscription of the caller, and its part at each relay.
    struct Live {
        std::vector<codec::Filter> filters;
        RelayClient::Callback callback;
        std::map<const RelayClient*, std::unique_ptr<ports::Subscription>> parts{};
    };
    class Handle;
    /// Subscribes at one relay, if it may see the filters.
    static void subscribe_at(RelayClient& client, Live& live, Trust trust);
    [[nodiscard]] Trust trust_in(const RelayClient& client) const;

    asio::any_io_executor executor_;
    const Clock& clock_;
    Rng& rng_;
    WorkerPool& workers_;
    const Settings settings_;
    std::vector<std::shared_ptr<RelayClient>> clients_;
    std::set<const RelayClient*> found_;  ///< those of `clients_` that were found
    std::vector<std::weak_ptr<Live>> live_;
    std::map<RecordAddress, SharedRecord> kept_;
    std::function<void(const RelayClient&)> on_connected_;
    TaskGroup tasks_;  ///< last member: its tasks use the clients
};

}  // namespace myst::db
