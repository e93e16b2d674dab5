// Puts together the chain layer as the configuration wants it: own index or light calls.
#pragma once

#include <memory>

#include "myst/app/config.hpp"
#include "myst/base/rng.hpp"
#include "myst/chain/endpoint_pool.hpp"
#include "myst/chain/indexed_chain.hpp"
#include "myst/chain/log_audit.hpp"
#include "myst/chain/quorum_block_source.hpp"
#include "myst/chain/tx_outbox.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::app {

/// Control thread.
class ChainAccess {
public:
    ChainAccess(const Config& config, asio::any_io_executor executor, WorkerPool& workers, Rng& rng,
                const Clock& clock);

    /// Opens the index; blocks of an earlier run are there afterwards.
    [[nodiscard]] Task<Result<>> open();
    /// Starts following the chain, and auditing what was followed.
    void start(TaskGroup& tasks);
    [[nodiscard]] ports::ChainReader& reader() { return *reader_; }
    /// Who is registered; null in light mode, which cannot tell.
    [[nodiscard]] ports::ProviderRegistry* registry() { return registry_; }
    /// Starts the transaction outbox of a wallet in `tasks`.
    [[nodiscard]] Result<std::unique_ptr<ports::TxSender>> open_sender(const crypto::PrivateKey& wallet,
                                                                       TaskGroup& tasks);
    /// Endpoints, index and transactions, for people.
    [[nodiscard]] ports::ChainStatus status() const;

private:
    Task<> follow();
    [[nodiscard]] std::vector<chain::LogAudit::Auditor> auditors();

    const Config& config_;
    asio::any_io_executor executor_;
    WorkerPool& workers_;
    const Clock& clock_;
    chain::EndpointPool endpoints_;
    chain::QuorumBlockSource blocks_;
    std::unique_ptr<chain::Indexer> indexer_;  ///< null in light mode
    std::unique_ptr<chain::LogAudit> audit_;   ///< null in light mode
    std::shared_ptr<chain::TxOutbox> outbox_;  ///< null until a wallet sends
    std::unique_ptr<ports::ChainReader> reader_;
    ports::ProviderRegistry* registry_ = nullptr;  ///< the reader's other face
};

}  // namespace myst::app
