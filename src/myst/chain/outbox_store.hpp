// The journal of the transaction outbox: every intent, and what became of it. SQLite, each change on disk when the
// call returns.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/codec/transaction.hpp"
#include "myst/ports/chain.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::chain {

/// How far an intent has come. Numbers are stored in the file.
enum class TxState {
    stored = 0,     ///< wanted, not signed: nothing can have been sent
    is_signed = 1,  ///< the nonce is fixed and a version signed; any version may have been sent
    mined = 2,      ///< in a block; may fall out of the chain again until it is `settled`
    closed = 3,     ///< will never be sent: refused before signing, or its nonce was used by somebody else
};

struct OutboxEntry {
    std::int64_t id = 0;
    ports::TxIntent intent;
    TxState state = TxState::stored;
    std::uint64_t nonce = 0;  ///< from `is_signed` on
    /// From `is_signed` on: everything ever signed for the nonce, oldest first. They differ in their fees only; at most
    /// one of them can be mined.
    std::vector<codec::SignedTransaction> versions{};
    ports::TxOutcome outcome{};      ///< if `mined`; its hash says which version
    bool settled = false;            ///< mined so deep that it is no longer watched
    std::optional<Error> refusal{};  ///< if `closed`

    /// For people: the purpose, or the key of an intent without one.
    [[nodiscard]] const std::string& name() const { return intent.purpose.empty() ? intent.key : intent.purpose; }
};

/// Blocking; any thread, calls wait for each other.
class OutboxStore {
public:
    [[nodiscard]] static Result<std::unique_ptr<OutboxStore>> open(const std::string& path);

    /// Remembers chain and account in a new file, compares them in an old one: failed_precondition if they differ.
    [[nodiscard]] Result<> claim(std::uint64_t chain_id, const Address& sender);

    /// Stores an intent, or returns the entry that its key already has. already_exists if that one has another target
    /// or other data; limit_exceeded if `max_open` intents are unfinished.
    [[nodiscard]] Result<OutboxEntry> add(const ports::TxIntent& intent, std::size_t max_open);
    /// not_found if there is none.
    [[nodiscard]] Result<OutboxEntry> find(const std::string& key);
    /// The oldest stored or signed intent whose key begins with `kind` and a colon; none if there is none.
    [[nodiscard]] Result<std::optional<OutboxEntry>> find_open(const std::string& kind);
    /// Unfinished entries, oldest first: stored, signed, and mined but not settled.
    [[nodiscard]] Result<std::vector<OutboxEntry>> unfinished();
    /// The nonce after the highest one ever signed; zero if there is none.
    [[nodiscard]] Result<std::uint64_t> next_nonce();

    /// stored → is_signed, with the first version. failed_precondition if the entry is in another state.
    [[nodiscard]] Result<> set_signed(std::int64_t id, std::uint64_t nonce, const codec::SignedTransaction& version,
                                      UnixTime now);
    /// Another version of a signed entry. failed_precondition if the entry is in another state.
    [[nodiscard]] Result<> add_version(std::int64_t id, const codec::SignedTransaction& version, UnixTime now);
    /// The newest version of each entry of which one was signed at `from` or later; without the entry `except`.
    [[nodiscard]] Result<std::vector<Bytes>> signed_since(UnixTime from, std::int64_t except);
    /// is_signed or mined → mined. failed_precondition if the outcome's hash is none of the versions.
    [[nodiscard]] Result<> set_mined(std::int64_t id, const ports::TxOutcome& outcome, bool settled);
    /// mined → is_signed, after a reorganisation.
    [[nodiscard]] Result<> set_unmined(std::int64_t id);
    /// stored or is_signed → closed.
    [[nodiscard]] Result<> set_closed(std::int64_t id, const Error& refusal);
    /// stored → closed. failed_precondition if the entry is in another state.
    [[nodiscard]] Result<> set_given_up(std::int64_t id, const Error& refusal);

private:
    explicit OutboxStore(sys::Database database) : database_(std::move(database)) {}
    [[nodiscard]] Result<OutboxEntry> find_locked(const std::string& key);
    [[nodiscard]] Result<OutboxEntry> read_entry(const sys::Statement& row);
    [[nodiscard]] Result<> insert_version(std::int64_t id, const codec::SignedTransaction& version, UnixTime now);
    [[nodiscard]] Result<> change(sys::Statement& update);

    std::mutex mutex_;
    sys::Database database_;
};

}  // namespace myst::chain
