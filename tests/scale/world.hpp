// Full nodes, the connections between them, and what each of them holds: the rules of db (record_hub, full_network,
// relay_client) without sockets, signatures and disks.
#pragma once

#include <array>
#include <optional>

#include "scale/events.hpp"
#include "scale/parameters.hpp"
#include "scale/sizes.hpp"
#include "simulation/random.hpp"
#include "simulation/trace.hpp"

namespace myst::scale {

/// A record's number; 0 is none. Numbers rise with time, so of two versions the higher is the newer.
using Handle = std::uint32_t;

struct RecordInfo {
    std::uint32_t provider = 0;
    Time born{};
    Time expires{};
};

/// What bytes were sent for.
enum class Traffic : std::uint8_t {
    live,       ///< from a subscription, new to the receiver
    duplicate,  ///< from a subscription, known to the receiver
    author,     ///< from providers to relays, and full nodes' own records to their peers, with the answers
    compare,    ///< messages of reconciliations
    repair,     ///< what is fetched and offered after them
    clients,    ///< answers to light clients
};
inline constexpr std::size_t kTraffics = 6;

/// How a record came to a node.
enum class Way : std::uint8_t { own, author, live, repair };

/// Sums over all nodes while measuring is on.
struct Counters {
    std::array<std::uint64_t, kTraffics> bytes{};  ///< each is counted once; it leaves one node and enters another
    std::uint64_t published = 0;
    std::uint64_t copies = 0;       ///< records that arrived: parsed and checked
    std::uint64_t stored = 0;       ///< of them, new
    std::uint64_t sent = 0;         ///< handed to subscribers
    std::uint64_t repaired = 0;     ///< stored after a reconciliation
    std::uint64_t fetched = 0;      ///< records that came because they were asked for after one
    std::uint64_t comparisons = 0;  ///< reconciliations
    std::uint64_t sync_items = 0;   ///< looked at for them, by both sides
    std::uint64_t lost = 0;         ///< messages under way on a connection that broke
    std::uint64_t searches = 0;     ///< questions of light clients to one relay
    std::uint64_t answered = 0;     ///< records in the answers
    std::uint64_t outdated = 0;     ///< versions in them that their provider had replaced
};

/// How many times a value came, for percentiles.
class Histogram {
public:
    explicit Histogram(std::size_t largest) : counts_(largest + 1) {}
    void add(std::size_t value) {
        ++counts_[std::min(value, counts_.size() - 1)];
        ++total_;
    }
    /// The least value that `per_mille` of all do not exceed.
    [[nodiscard]] std::size_t at(std::uint64_t per_mille) const;
    [[nodiscard]] std::uint64_t total() const { return total_; }

private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 0;
};

/// A node's connection to one of its configured peers: records flow from server to client, as in a subscription.
struct Link {
    std::uint32_t client = 0;
    std::uint32_t server = 0;
    Time latency{};             ///< one way
    std::uint32_t session = 0;  ///< changes with every connection, and when it ends
    bool up = false;
    Time last_down{};  ///< arrival of the last message to the client; none overtakes another
    Time last_up{};
};

struct Node {
    bool up = true;
    bool side = false;                     ///< of a network that has fallen into two
    std::vector<std::uint32_t> links;      ///< to its peers
    std::vector<std::uint32_t> followers;  ///< links of others to it
    std::vector<Handle> newest;            ///< by provider
    Time busy_until{};
};

class World {
public:
    explicit World(const Parameters& chosen);

    // Records
    [[nodiscard]] Handle publish(std::uint32_t provider);
    [[nodiscard]] bool expired(Handle record) const { return records[record].expires <= now; }
    /// A record arrives at a node; true if it is new there. It then goes on to the node's followers.
    bool take(std::uint32_t node, Handle record, Way way, std::uint8_t hops);
    /// A full node's own record goes to its peers, too.
    void push_own(std::uint32_t node, Handle record);

    // Connections
    void connect(std::uint32_t link);
    void disconnect(std::uint32_t link);
    void try_again(std::uint32_t link, std::uint32_t attempts);
    [[nodiscard]] bool reachable(const Link& link) const;
    /// Whether a message that left in this session still arrives; counts it as lost otherwise.
    [[nodiscard]] bool arrives(const Event& event);
    /// When a message that leaves at `from` arrives.
    [[nodiscard]] Time arrival(std::uint32_t link, bool to_client, Time from, std::size_t bytes);
    [[nodiscard]] Time latency();
    /// Between none and twice the mean, so the mean is right.
    [[nodiscard]] Time around(Time mean) { return Time(static_cast<std::int64_t>(random.below(2 * as_number(mean)))); }

    void count(Traffic traffic, std::size_t bytes) {
        if (measuring) counters.bytes[static_cast<std::size_t>(traffic)] += bytes;
    }
    void count(std::uint64_t Counters::*what, std::uint64_t by = 1) {
        if (measuring) counters.*what += by;
    }
    static std::uint64_t as_number(Time time) { return static_cast<std::uint64_t>(time.count()); }

    // Convergence: every node is to have what is newest now.
    void expect_all();
    [[nodiscard]] std::uint64_t missing_pairs() const { return outstanding_; }
    [[nodiscard]] std::optional<Time> converged() const { return converged_; }

    const Parameters parameters;
    const Sizes sizes;
    const Costs costs;
    sim::Random random;
    sim::Trace trace{false};
    EventQueue queue;
    Time now{};
    bool measuring = false;
    Time measured_from{};  ///< records that are older do not count in `delay` and `hops`
    bool divided = false;
    std::vector<RecordInfo> records{1};
    std::vector<Handle> current;  ///< by provider
    std::vector<Node> nodes;
    std::vector<Link> links;
    Counters counters;
    Histogram delay{600'000};  ///< ms from publication to each node
    Histogram hops{64};

private:
    void make_links();
    /// The node's processor is one; work waits for what came before it. Returns when this is done.
    Time work(Node& node, std::chrono::nanoseconds cost);
    std::vector<Handle> wanted_;
    std::uint64_t outstanding_ = 0;
    std::optional<Time> converged_;
};

}  // namespace myst::scale
