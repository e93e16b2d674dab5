// Sends transactions from the operator's wallet, each intent exactly once, through crashes, lost answers and
// reorganisations. State machine and failure table: docs/chain-integration.md.
#pragma once

#include <map>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "myst/chain/fee_guard.hpp"
#include "myst/chain/outbox_file.hpp"
#include "myst/chain/wallet_rpc.hpp"
#include "myst/codec/transaction.hpp"
#include "myst/crypto/secp256k1.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::chain {

struct OutboxSettings {
    std::string path;  ///< of outbox.db; its loss after a crash can mean a second execution
    std::uint64_t chain_id = 0;
    FeeLimits fees{};                     ///< what would exceed them waits
    std::uint64_t max_gas = 15'000'000;   ///< refuses calls that need more
    milliseconds poll{2000};              ///< between looks at unfinished transactions
    milliseconds backoff_limit{30'000};   ///< longest pause after failures; they start with `poll`
    milliseconds resend{15'000};          ///< a transaction that is not mined is sent again this often
    milliseconds replace_after{120'000};  ///< not mined for so long, and fees have risen: offer more
    milliseconds fee_sample{60'000};      ///< between samples of the base fee for its median
    std::uint64_t confirmations = 1;      ///< blocks, its own included, before the outcome is reported
    std::uint64_t settled_depth = 96;     ///< a mined transaction is watched until it is this deep
    std::size_t max_open = 256;           ///< intents waiting at once
    unsigned foreign_use_proofs = 3;      ///< sightings of a stolen nonce before halting
    unsigned estimate_attempts = 10;      ///< estimations that fail for unclear reasons before refusing
};

struct OutboxStatus {
    bool halted = false;
    std::size_t unfinished = 0;      ///< stored and signed intents at the last look
    std::optional<Error> problem{};  ///< why it halted, or what holds transactions up
};

/// Control thread; SQLite work runs in the pool. All versions signed for an intent have the same nonce, target and
/// calldata, so that the chain executes at most one of them. Client, pool and clock must outlive it. One `run` at a
/// time.
class TxOutbox final : public ports::TxSender {
public:
    TxOutbox(OutboxSettings settings, crypto::PrivateKey key, RpcCaller& client, WorkerPool& pool,
             asio::any_io_executor executor, const Clock& clock);

    /// Opens the file; `run` and `submit` do it if it has not been done. Needs no endpoint.
    [[nodiscard]] Task<Result<>> open() { return file_.open(); }
    /// Drives all intents; sends again, at its start, what was signed before. Returns only an Error, when it has
    /// halted: the wallet is used by another program, another chain, or the file cannot be written.
    [[nodiscard]] Task<Result<>> run();

    [[nodiscard]] Address sender() const override { return key_.address(); }
    /// Needs `run`. Errors: failed_precondition (the call would revert; the reason is in the message),
    /// insufficient_funds, already_exists (key used for something else), limit_exceeded, invalid_argument; the reason
    /// of the halt after a halt, which also refuses an intent that was not signed yet. A refused intent stays refused;
    /// try again under a new key. Cancelling stops the waiting, not the transaction.
    [[nodiscard]] Task<Result<ports::TxOutcome>> submit(ports::TxIntent intent) override;
    [[nodiscard]] Task<Result<std::optional<ports::TxIntent>>> open_intent(ports::TxKind kind) override;

    [[nodiscard]] const OutboxStatus& status() const { return status_; }

private:
    /// What this process knows about a signed transaction.
    struct Tracking {
        std::optional<MonotonicTime> sent;     ///< last time the endpoint took it or said that it knows it
        std::optional<MonotonicTime> waiting;  ///< since when its newest version has not been mined
        unsigned foreign_proofs = 0;
    };

    [[nodiscard]] Task<Result<>> start();
    [[nodiscard]] Task<Result<>> round();
    [[nodiscard]] Task<Result<>> follow(OutboxEntry entry, std::uint64_t head);
    [[nodiscard]] Task<Result<>> push(OutboxEntry entry);
    [[nodiscard]] Task<Result<std::optional<ports::TxOutcome>>> find_outcome(
        std::vector<codec::SignedTransaction> versions);
    [[nodiscard]] Task<Result<bool>> is_known(std::vector<codec::SignedTransaction> versions);
    [[nodiscard]] Task<Result<>> send(OutboxEntry entry);
    [[nodiscard]] Task<Result<>> examine_refusal(OutboxEntry entry, RpcFault fault);
    [[nodiscard]] Task<Result<>> look_for_foreign_use(OutboxEntry entry, Result<> otherwise);
    [[nodiscard]] Task<Result<>> prepare(OutboxEntry entry);
    [[nodiscard]] Task<Result<>> refuse_estimate(OutboxEntry entry, RpcFault fault);
    [[nodiscard]] Task<Result<>> sign_and_send(OutboxEntry entry, std::uint64_t gas, FeeQuote fees);
    [[nodiscard]] Task<Result<std::optional<codec::SignedTransaction>>> replace(OutboxEntry entry);
    [[nodiscard]] Task<Result<>> check_cost(std::string name, std::int64_t id, Uint256 cost);
    [[nodiscard]] Task<Result<std::uint64_t>> choose_nonce();
    [[nodiscard]] Task<Result<>> lose_nonce(OutboxEntry entry);
    [[nodiscard]] Task<Result<>> refuse(OutboxEntry entry, Error why);
    [[nodiscard]] Task<Error> give_up(OutboxEntry entry);
    [[nodiscard]] Task<Result<>> watch_mined(OutboxEntry entry, std::uint64_t head);
    template <class Work>
    [[nodiscard]] Task<std::invoke_result_t<Work&, OutboxStore&>> on_store(Work work) {
        return file_.on_store(std::move(work));
    }
    void wake_submitters();
    void halt(Error error);
    void note(Error problem);

    OutboxSettings settings_;
    crypto::PrivateKey key_;
    WalletRpc rpc_;
    const Clock& clock_;
    OutboxFile file_;
    FeeGuard fees_;
    EventSignal work_;                ///< a new intent was stored
    asio::steady_timer changed_;      ///< cancelled whenever an intent was finished
    std::uint64_t changes_ = 0;       ///< how often that happened
    std::uint64_t watched_head_ = 0;  ///< head at which mined transactions were last looked at
    OutboxStatus status_;
    std::map<std::int64_t, Tracking> tracking_;
    std::map<std::int64_t, unsigned> estimates_;  ///< failed estimations by intent
    unsigned failures_ = 0;
};

}  // namespace myst::chain
