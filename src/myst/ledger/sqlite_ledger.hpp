// The ledger on SQLite: what was paid to us, what we promised, and which sessions there were.
#pragma once

#include <memory>
#include <string>

#include "myst/ports/ledger_store.hpp"

namespace myst::ledger {

/// A ports::LedgerStore in one file, opened exclusively: a second process on the same file is refused, because two
/// writers of one payment key could sign conflicting totals. Commits reach the disk (synchronous=FULL, WAL); writes
/// that are waiting at the same time share one commit. After a failed commit every later call fails. A damaged file is
/// refused with invalid_data.
/// Lives on the control thread; SQLite runs on a thread of its own.
class SqliteLedger final : public ports::LedgerStore {
public:
    /// Opens or creates the file, and `path`-mark beside it. Blocks shortly; call at start-up. `vfs`: SQLite's name of
    /// what stands in for the file system; empty for the real one.
    [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const std::string& path,
                                                                    const std::string& vfs = {});
    ~SqliteLedger() override;

    [[nodiscard]] Task<Result<>> keep_voucher(ports::HeldVoucher held, ports::SessionRecord session) override;
    [[nodiscard]] Task<Result<std::optional<ports::HeldVoucher>>> highest_voucher(Address signer,
                                                                                  Address provider) override;
    [[nodiscard]] Task<Result<std::vector<ports::HeldVoucher>>> held_vouchers(Address provider) override;
    [[nodiscard]] Task<Result<>> record_issued(ports::HeldVoucher issued) override;
    [[nodiscard]] Task<Result<std::optional<ports::HeldVoucher>>> highest_issued(Address signer, Address provider,
                                                                                 std::uint32_t epoch) override;
    [[nodiscard]] Task<Result<std::vector<ports::HeldVoucher>>> issued_vouchers(Address signer) override;
    [[nodiscard]] Task<Result<bool>> knows_session(SessionId id) override;
    [[nodiscard]] Task<Result<>> save_session(ports::SessionRecord session) override;
    [[nodiscard]] Task<Result<Amount>> unpaid(Address signer, Address provider) override;
    [[nodiscard]] Task<Result<std::vector<ports::SessionRecord>>> sold_sessions(Address provider,
                                                                                std::size_t limit) override;
    [[nodiscard]] Task<Result<std::vector<ports::SessionRecord>>> open_sessions(Address provider) override;

private:
    struct Impl;
    explicit SqliteLedger(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::ledger
