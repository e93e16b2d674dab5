// Set reconciliation between a node and a peer, as db/replication runs it, with the real messages of db/negentropy.
#pragma once

#include <map>
#include <memory>

#include "myst/base/token_bucket.hpp"
#include "myst/db/negentropy.hpp"
#include "myst/db/seen_ids.hpp"
#include "scale/world.hpp"

namespace myst::scale {

class Reconciler {
public:
    explicit Reconciler(World& world) : world_(world) {}

    /// The link's client begins.
    void begin(std::uint32_t link);
    /// The next message of the link's reconciliation has arrived.
    void step(std::uint32_t link);
    /// The connection ended.
    void drop(std::uint32_t link);

private:
    enum class Phase : std::uint8_t { question, answer, fetching, fetched, offered, acknowledged };
    struct Run {
        Phase phase{};
        std::shared_ptr<const db::SyncSet> ours;    ///< the client's
        std::shared_ptr<const db::SyncSet> theirs;  ///< the server's; made when the first message arrives
        Bytes message;                              ///< under way
        std::vector<Handle> need;
        std::vector<Handle> have;
        std::vector<Handle> page;  ///< of either, under way
        std::size_t next = 0;      ///< in need, then in have
        std::size_t rounds = 0;
        std::size_t runs = 0;
        std::size_t moved = 0;  ///< taken and given in this run
        bool whole = false;
    };
    [[nodiscard]] std::shared_ptr<const db::SyncSet> snapshot(std::uint32_t node);
    void open(std::uint32_t link, Run& run);
    void on_question(std::uint32_t link, Run& run);
    void on_answer(std::uint32_t link, Run& run);
    void learn(std::uint32_t link, std::vector<Handle>& to, const std::vector<Hash32>& from);
    void fetch(std::uint32_t link, Run& run);
    void on_fetching(std::uint32_t link, Run& run);
    void on_fetched(std::uint32_t link, Run& run);
    void offer(std::uint32_t link, Run& run);
    void on_offered(std::uint32_t link, Run& run);
    void finish(std::uint32_t link, Run& run);
    void send(std::uint32_t link, Run& run, Phase phase, std::size_t bytes);

    World& world_;
    std::vector<db::SyncItem> items_;               ///< by record
    std::map<std::uint32_t, Run> runs_;             ///< by link
    std::map<std::uint32_t, db::SeenIds> refused_;  ///< by link; what one side did not take
    std::map<std::uint32_t, TokenBucket> buckets_;  ///< by link: messages that the relay reads
};

/// The id of a simulated record: as evenly spread as a hash, and the handle can be read from it.
[[nodiscard]] Hash32 id_of(Handle record);
[[nodiscard]] Handle handle_of(const Hash32& id);

}  // namespace myst::scale
