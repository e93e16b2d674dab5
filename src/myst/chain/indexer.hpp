// Follows the chain and keeps the tables that follow from the lanes contract's events, through reorganisations and
// restarts. State machine and failure table: docs/chain-integration.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/chain/block_source.hpp"
#include "myst/chain/chain_store.hpp"
#include "myst/ports/chain_status.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::chain {

struct IndexerSettings {
    std::string path;                        ///< of chain.db
    ports::ChainIdentity identity;           ///< as configured
    std::uint64_t start_block = 0;           ///< first block to index: not after the contract's deployment
    milliseconds poll{4000};                 ///< between looks at the head
    milliseconds backoff_limit{30'000};      ///< longest pause after failures; they start with `poll`
    milliseconds identity_check{3'600'000};  ///< between checks of chain id and genesis
    std::uint64_t reorg_limit = 96;          ///< deepest reorganisation that is followed, in blocks below the highest
    std::uint64_t batch = 100;               ///< blocks asked for at once while catching up
    unsigned believe_shorter_after = 3;      ///< polls after which a chain that got shorter is believed
    unsigned contradictions = 5;             ///< attempts at blocks that contradict the tables before halting
};

struct IndexerStatus {
    ports::IndexState state = ports::IndexState::starting;
    std::optional<ports::BlockRef> head{};  ///< newest block in the tables
    std::uint64_t endpoint_head = 0;        ///< newest block the endpoint told of
    bool caught_up = false;                 ///< has been at the endpoint's head since the start of the program
    std::uint64_t reorganisations = 0;      ///< since the start of the program
    std::optional<Error> problem{};         ///< why it is unreachable or halted
};

/// Control thread; its SQLite work runs in the pool. Source and pool must outlive it. One `run` at a time.
class Indexer {
public:
    Indexer(IndexerSettings settings, BlockSource& source, WorkerPool& pool);

    /// Opens the file; `run` does it if it has not been done. Needs no endpoint.
    [[nodiscard]] Task<Result<>> open();
    /// Follows the chain. Returns only an Error, when it has halted: a reorganisation deeper than the limit, another
    /// chain, a damaged or unwritable file. The tables are then as they were. Ends otherwise by cancellation.
    [[nodiscard]] Task<Result<>> run();

    /// Halts for a reason found elsewhere, such as an audit; `run` returns it.
    void raise_alarm(Error reason);

    [[nodiscard]] const IndexerSettings& settings() const { return settings_; }
    [[nodiscard]] const IndexerStatus& status() const { return status_; }
    [[nodiscard]] std::optional<ports::BlockRef> head() const { return status_.head; }

    /// Hash over the derived tables: equal to that of an index built anew from the same chain.
    [[nodiscard]] Task<Result<Hash32>> dump_hash();
    /// Runs `read(ChainStore&)`, which returns a Result, in the pool. failed_precondition before `open`.
    template <class Read>
    [[nodiscard]] Task<std::invoke_result_t<Read&, ChainStore&>> query(Read read) {
        if (!store_) co_return fail(ErrorCode::failed_precondition, "the chain index is not open yet");
        auto work = [store = store_, read = std::move(read)]() mutable { return read(*store); };
        co_return co_await pool_.run(std::move(work));
    }

private:
    /// What a look at the chain led to.
    enum class Step { idle, progressed, halt };
    [[nodiscard]] Task<Result<Step>> advance();
    [[nodiscard]] Task<Result<>> check_identity();
    [[nodiscard]] Task<Result<Step>> extend(std::uint64_t endpoint_head);
    [[nodiscard]] Task<Result<Step>> compare(std::uint64_t endpoint_head);
    [[nodiscard]] Task<Result<Step>> reorganise(std::uint64_t endpoint_head);
    [[nodiscard]] Task<Result<std::optional<std::uint64_t>>> first_differing(std::uint64_t highest);
    [[nodiscard]] Task<Result<Step>> replace(std::uint64_t first, std::vector<Block> blocks);
    [[nodiscard]] Task<Result<std::vector<Block>>> fetch(std::uint64_t first, std::uint64_t endpoint_head);
    Step halt(Error error);
    void note_failure(Error error);
    void note_progress(std::optional<ports::BlockRef> head);

    IndexerSettings settings_;
    BlockSource& source_;
    WorkerPool& pool_;
    std::shared_ptr<ChainStore> store_;
    IndexerStatus status_;
    std::optional<Error> alarm_;
    std::uint64_t batch_;
    std::uint64_t granted_ = 0;  ///< ranges fetched
    unsigned shorter_ = 0;
    unsigned contradictions_ = 0;
    unsigned failures_ = 0;
    std::optional<MonotonicTime> identity_checked_;
};

}  // namespace myst::chain
