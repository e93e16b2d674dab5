// Finds peers in the node records of the own store, and keeps a number of connections to them (docs/records.md,
// "Peers").
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "myst/db/peer_lookup.hpp"
#include "myst/db/peer_selection.hpp"
#include "myst/db/record_hub.hpp"
#include "myst/db/relay_client.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/name_lookup.hpp"

namespace myst::db {

/// Control thread. Everything given by reference must outlive the keeper.
class PeerKeeper {
public:
    struct Settings {
        std::size_t wanted = 0;  ///< found peers; 0: none, and `run` does nothing
        PeerBook::Settings book{};
        std::optional<NodeKey> own_key{};      ///< its node records are passed over
        milliseconds dial_pause{1'000};        ///< between two attempts
        milliseconds look{5'000};              ///< how often candidates are looked at again whose pause may be over
        milliseconds good_connection{30'000};  ///< one that lasted so long was no failure
        milliseconds exchange_interval{30 * 60'000};  ///< between two exchanges of a found peer, on average
        milliseconds rest{3600'000};                  ///< of a peer that was exchanged
        milliseconds registry_interval{10 * 60'000};  ///< between two looks into the registry
        milliseconds registry_retry{30'000};          ///< the same, if it could not be read
        std::size_t stored_records = 5'000;           ///< node records read at the start, newest first
        LookUp look_up{};                             ///< none: the system's resolver, on a thread of its own
        milliseconds lookup_timeout{10'000};
    };
    /// Connects to a relay at one of its addresses, and replicates with it until the connection is over. Says
    /// `connected` to the keeper once it is.
    using Visit = std::function<Task<RelayEnd>(RelayUrl, asio::ip::address)>;

    PeerKeeper(asio::any_io_executor executor, RecordHub& hub, const Clock& clock, Rng& rng,
               const std::vector<RelayUrl>& configured, Visit visit, Settings settings);

    /// Looks for peers and keeps them until cancelled.
    [[nodiscard]] Task<> run();
    /// The connection to a found peer has been made.
    void connected(const RelayUrl& url);
    /// The found peer with this address, as long as it has a place.
    [[nodiscard]] const PeerInUse* find(const RelayUrl& url) const;
    [[nodiscard]] std::size_t candidates() const { return book_.size(); }

private:
    struct Slot {
        PeerInUse peer;
        std::function<void()> stop;  ///< ends the connection, once there is an attempt
        MonotonicTime since{};       ///< of the connection
    };
    using Slots = std::list<Slot>;
    [[nodiscard]] Task<> read_records();
    /// Draws the consequences of a node record, or of a record that may have taken one away.
    [[nodiscard]] Task<> consider(codec::Event event);
    [[nodiscard]] Task<> learn(codec::Event event);
    /// What is in the store of the node records of these authors, or of all.
    [[nodiscard]] Task<Result<std::vector<SharedRecord>>> stored_records(std::vector<NodeKey> authors);
    [[nodiscard]] Task<> fill();
    [[nodiscard]] Task<> exchange();
    [[nodiscard]] Task<> follow_registry();
    /// Takes in the node records of all who are registered, however many others there are, and notes who is no more.
    [[nodiscard]] Task<Result<>> read_registry();
    /// Begins with a candidate, if there is one.
    [[nodiscard]] bool dial_one();
    [[nodiscard]] Task<> keep(Slots::iterator slot);
    [[nodiscard]] Task<> meet(RelayUrl url, asio::ip::address address, std::optional<RelayEnd>* end);
    /// Draws the consequences. No end: the peer made room for another.
    void conclude(const Slot& slot, std::optional<RelayEnd> end);
    [[nodiscard]] Task<Result<asio::ip::address>> address_of(RelayUrl url);
    [[nodiscard]] std::vector<PeerInUse> in_use() const;

    asio::any_io_executor executor_;
    RecordHub& hub_;
    const Clock& clock_;
    Rng& rng_;
    const Visit visit_;
    const Settings settings_;
    sys::SideLookup names_;  ///< strangers choose them, so they must not delay the look-ups of others
    PeerBook book_;
    std::vector<PeerInUse> configured_;
    Slots slots_;
    std::deque<codec::Event> news_;  ///< records that have not been considered yet
    EventSignal news_came_;
    EventSignal changed_;  ///< there is a free place, or a new candidate
    std::unique_ptr<ports::Subscription> following_;
    TaskGroup tasks_;  ///< last member: its tasks use the others
};

}  // namespace myst::db
