// The relays that node records name: candidates for connections, bounded in number, by network and by author
// (docs/records.md, "Peers"). Pure: no I/O, time is a parameter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "myst/base/rng.hpp"
#include "myst/db/node_record.hpp"
#include "myst/db/peer_address.hpp"

namespace myst::db {

/// One address that could be connected to now.
struct PeerCandidate {
    RelayUrl url;
    std::string group;             ///< of the address it last stood for; see `group_of`
    std::vector<NodeKey> authors;  ///< who named it, registered ones first
    bool registered = false;       ///< one of them is
};

class PeerBook {
public:
    struct Settings {
        AddressScope scope = AddressScope::public_only;
        std::size_t candidates = 1'024;
        std::size_t candidates_per_group = 32;
        std::size_t authors_per_candidate = 4;
        unsigned failures = 6;             ///< one after the other, until a candidate is dropped
        milliseconds first_pause{60'000};  ///< after a failure; doubles up to `last_pause`
        milliseconds last_pause{6 * 3600'000};
        milliseconds ban{24 * 3600'000};  ///< of a host that forged
        std::size_t remembered = 1'024;   ///< banned hosts and dropped addresses
    };
    /// `rng` must outlive the book; it chooses who gives way.
    PeerBook(Settings settings, Rng& rng) : settings_(settings), rng_(rng) {}

    /// Takes in what an author's node record says; an older record than the known one changes nothing.
    void learn(const NodeKey& author, const NodeRecord& record, bool registered, MonotonicTime now);
    void set_registered(const NodeKey& author, bool registered);
    /// Drops what the author has said: his record is gone.
    void forget(const NodeKey& author);
    /// Drops what expired records have said.
    void expire(UnixTime now);

    /// Those that may be tried now.
    [[nodiscard]] std::vector<PeerCandidate> candidates(MonotonicTime now) const;
    [[nodiscard]] std::vector<NodeKey> authors() const;
    [[nodiscard]] bool knows(const NodeKey& author) const { return authors_.contains(author); }
    [[nodiscard]] std::size_t size() const { return addresses_.size(); }

    /// The name was looked up: the candidate's group is now that of the address.
    void looked_up(const RelayUrl& url, const asio::ip::address& address);
    /// A connection was made: it gives way to nobody from now on.
    void proved(const RelayUrl& url);
    /// A pause, longer with each failure; after the last one it is dropped and not taken in again for `last_pause`.
    void failed(const RelayUrl& url, MonotonicTime now);
    /// A good connection is over: not to be tried before `until`, and its failures are forgotten.
    void rest(const RelayUrl& url, MonotonicTime until);
    /// It forged: its host is not tried for the time of a ban, whoever names it.
    void ban(const RelayUrl& url, MonotonicTime now);
    /// It is this node itself: dropped for good.
    void is_self(const RelayUrl& url);

private:
    struct Author {
        UnixTime published{};
        UnixTime expires{};
        bool registered = false;
        std::vector<std::string> urls;  ///< keys of `addresses_`
    };
    struct Address {
        RelayUrl url;
        std::string group;
        std::vector<NodeKey> authors;
        unsigned failures = 0;
        MonotonicTime not_before{};
        bool proved = false;  ///< there was a connection
    };
    using Addresses = std::map<std::string, Address>;  ///< by the URL's normal form

    [[nodiscard]] bool registered(const Address& address) const;
    [[nodiscard]] bool may_give_way(const Address& address) const;
    [[nodiscard]] bool shunned(const std::string& what, MonotonicTime now) const;
    void shun(std::string what, MonotonicTime until);
    [[nodiscard]] bool permitted(const RelayUrl& url, MonotonicTime now) const;
    /// Adds the author's claim to an address; whether there was room.
    [[nodiscard]] bool claim(const NodeKey& author, const RelayUrl& url);
    [[nodiscard]] bool make_room(const std::string& group);
    /// Drops a random candidate of the group that may give way; whether there was one.
    [[nodiscard]] bool drop_one_of(const std::string& group);
    [[nodiscard]] std::map<std::string, std::size_t> group_sizes() const;
    /// Takes an author's claim to an address back; what nobody names is gone.
    void withdraw(const NodeKey& author, const std::string& key);
    void drop(std::string key);
    /// Forgets authors without an address.
    void sweep();

    const Settings settings_;
    Rng& rng_;
    std::map<NodeKey, Author> authors_;
    Addresses addresses_;
    std::map<std::string, MonotonicTime> shunned_;  ///< hosts and URLs, until when
};

}  // namespace myst::db
