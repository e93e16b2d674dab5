// What the roles of a node share: the outside world, as interfaces.
#pragma once

#include <functional>
#include <memory>

#include "myst/base/rng.hpp"
#include "myst/codec/voucher.hpp"
#include "myst/node/key_ring.hpp"
#include "myst/ports/chain.hpp"
#include "myst/ports/chain_status.hpp"
#include "myst/ports/ledger_store.hpp"
#include "myst/ports/mailbox_keys.hpp"
#include "myst/ports/record_network.hpp"
#include "myst/ports/tunnel.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::node {

/// References outlive the node. Control thread.
struct Context {
    asio::any_io_executor executor;
    Clock& clock;
    Rng& rng;
    WorkerPool& workers;
    KeyRing& keys;
    ports::ChainReader& chain;
    ports::RecordNetwork& records;
    ports::LedgerStore& ledger;
    ports::TunnelDriver& driver;
    /// Opens the transaction outbox of a wallet; called once, when the first transaction is due.
    std::function<Result<std::unique_ptr<ports::TxSender>>(const crypto::PrivateKey&)> open_sender;
    /// What the status shows of endpoints, index and transactions; may be empty.
    std::function<ports::ChainStatus()> chain_status{};
    /// Work put into own records that relays are to keep (NIP-13), in bits: what relays ask of strangers.
    unsigned pow_bits = 0;
    /// Where relays' clients find the keys that they may have to prove.
    std::shared_ptr<ports::MailboxKeys> mailboxes = std::make_shared<ports::MailboxKeys>();
};

/// EIP-712 domain of this node's lanes contract.
[[nodiscard]] inline codec::LaneDomain lane_domain(const ports::ChainIdentity& chain) {
    return codec::LaneDomain(chain.chain_id, chain.lanes);
}

}  // namespace myst::node
