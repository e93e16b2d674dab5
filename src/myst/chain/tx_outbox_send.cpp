// The part of TxOutbox that signs and sends: prices, nonces, replacements, and what refusals mean.
#include <fmt/format.h>

#include "myst/base/failpoint.hpp"
#include "myst/base/log.hpp"
#include "myst/chain/eth_json.hpp"
#include "myst/chain/tx_outbox.hpp"
#include "myst/crypto/address.hpp"

namespace myst::chain {
namespace {

/// Estimates are for the state now; the state when it is mined may need more. A fifth is added.
std::uint64_t with_margin(std::uint64_t gas) {
    return gas + gas / 5;
}

}  // namespace

/// Not mined: offers more once it has waited long enough, and sends it again now and then.
Task<Result<>> TxOutbox::push(OutboxEntry entry) {
    const auto now = clock_.now();
    const auto tracking = tracking_[entry.id];
    if (!tracking.waiting) tracking_[entry.id].waiting = now;
    Result<> offered;
    if (tracking.waiting && now - *tracking.waiting >= settings_.replace_after) {
        auto replacement = co_await replace(entry);
        if (status_.halted) co_return Result<>{};
        if (!replacement) {
            offered = forward_error(replacement);
        } else if (*replacement) {
            entry.versions.push_back(std::move(**replacement));
            co_return co_await send(std::move(entry));
        }
    }
    if (!tracking.sent || now - *tracking.sent >= settings_.resend) {
        auto sent = co_await send(std::move(entry));
        if (!sent) co_return sent;
    }
    co_return offered;
}

/// Hands the newest version to the endpoint. A lost answer is no failure of the transaction: the next round looks it
/// up.
Task<Result<>> TxOutbox::send(OutboxEntry entry) {
    const auto version = entry.versions.back();
    failpoint("outbox: about to send");
    auto reply = co_await rpc_.send(version.raw);
    failpoint("outbox: sent");
    if (!reply) co_return forward_error(reply);
    if (!*reply) co_return co_await examine_refusal(std::move(entry), std::move(reply->error()));
    auto hash = as_fixed<Hash32>(**reply);
    if (!hash || *hash != version.hash) {
        co_return fail(ErrorCode::invalid_data, "eth_sendRawTransaction: the endpoint reports another hash");
    }
    // Some endpoints return the hash of whatever they are given: that it was sent before and is not mined asks for
    // proof.
    const bool again = tracking_[entry.id].sent.has_value();
    tracking_[entry.id].sent = clock_.now();
    Result<> sent;
    if (!again) co_return sent;
    co_return co_await look_for_foreign_use(std::move(entry), std::move(sent));
}

/// "already known", "nonce too low" and the rest are told apart by asking, not by their wording.
Task<Result<>> TxOutbox::examine_refusal(OutboxEntry entry, RpcFault fault) {
    auto known = co_await is_known(entry.versions);
    if (!known) co_return forward_error(known);
    auto& tracking = tracking_[entry.id];
    if (*known) {
        tracking.sent = clock_.now();
        tracking.foreign_proofs = 0;
        co_return Result<>{};
    }
    Result<> refused = tl::unexpected<Error>(to_error(fault, "eth_sendRawTransaction"));
    co_return co_await look_for_foreign_use(std::move(entry), std::move(refused));
}

/// `otherwise` while the entry's nonce is free or one of its versions is mined.
Task<Result<>> TxOutbox::look_for_foreign_use(OutboxEntry entry, Result<> otherwise) {
    auto& tracking = tracking_[entry.id];
    auto count = co_await rpc_.mined_count();
    if (!count) co_return forward_error(count);
    if (*count <= entry.nonce) {
        tracking.foreign_proofs = 0;
        co_return otherwise;
    }
    auto outcome = co_await find_outcome(entry.versions);
    if (!outcome) co_return forward_error(outcome);
    if (*outcome) co_return Result<>{};
    if (++tracking.foreign_proofs >= settings_.foreign_use_proofs) co_return co_await lose_nonce(std::move(entry));
    // Ends the round: nothing younger is sent while this is not clear.
    co_return fail(ErrorCode::unavailable, fmt::format("nonce {} seems to be used by another program", entry.nonce));
}

/// Whether the endpoint knows any of the versions, mined or waiting.
Task<Result<bool>> TxOutbox::is_known(std::vector<codec::SignedTransaction> versions) {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
        auto known = co_await rpc_.knows(version->hash);
        if (!known || *known) co_return known;
    }
    co_return false;
}

/// The intent is closed, or no later run could go on; halting makes the operator look before anything else is sent.
Task<Result<>> TxOutbox::lose_nonce(OutboxEntry entry) {
    Error why{ErrorCode::failed_precondition,
              fmt::format("nonce {} of {} was used by another program: \"{}\" ({}) cannot be mined any more",
                          entry.nonce, crypto::to_checksum(key_.address()), entry.name(), entry.intent.key),
              "stop the other program that uses this wallet, then restart the daemon and repeat what failed"};
    halt(why);
    co_return co_await refuse(std::move(entry), std::move(why));
}

/// A stored intent: estimate, choose fees and nonce, sign.
Task<Result<>> TxOutbox::prepare(OutboxEntry entry) {
    auto reply = co_await rpc_.estimate_gas(entry.intent.to, entry.intent.data);
    if (!reply) co_return forward_error(reply);
    if (!*reply) co_return co_await refuse_estimate(std::move(entry), std::move(reply->error()));
    estimates_.erase(entry.id);
    auto estimate = as_u64(**reply);
    if (!estimate) co_return forward_error(estimate, "eth_estimateGas");
    if (*estimate > settings_.max_gas) {
        Error why{ErrorCode::limit_exceeded,
                  fmt::format("{} needs {} gas, allowed are {}", entry.name(), *estimate, settings_.max_gas),
                  "do less in one transaction"};
        co_return co_await refuse(std::move(entry), std::move(why));
    }
    const auto gas = with_margin(*estimate);
    auto fees = co_await fees_.quote();
    if (!fees) co_return forward_error(fees);
    const Uint256 cost = fees->max_fee * gas;
    auto affordable = co_await check_cost(entry.name(), entry.id, cost);
    if (!affordable && affordable.error().code == ErrorCode::insufficient_funds) {
        co_return co_await refuse(std::move(entry), std::move(affordable.error()));
    }
    if (!affordable) co_return affordable;
    co_return co_await sign_and_send(std::move(entry), gas, *fees);
}

Task<Result<>> TxOutbox::refuse_estimate(OutboxEntry entry, RpcFault fault) {
    if (fault.message.find("insufficient funds") != std::string::npos) {
        Error why{ErrorCode::insufficient_funds, entry.name() + ": " + fault.message,
                  "send ether to " + crypto::to_checksum(key_.address())};
        co_return co_await refuse(std::move(entry), std::move(why));
    }
    if (is_revert(fault)) {
        Error why{ErrorCode::failed_precondition, entry.name() + " would revert: " + describe_revert(fault)};
        co_return co_await refuse(std::move(entry), std::move(why));
    }
    auto error = to_error(fault, "eth_estimateGas");
    if (++estimates_[entry.id] < settings_.estimate_attempts) co_return tl::unexpected<Error>(std::move(error));
    error.code = ErrorCode::failed_precondition;
    co_return co_await refuse(std::move(entry), std::move(error));
}

Task<Result<>> TxOutbox::sign_and_send(OutboxEntry entry, std::uint64_t gas, FeeQuote fees) {
    auto nonce = co_await choose_nonce();
    if (!nonce) co_return forward_error(nonce);
    if (status_.halted) co_return Result<>{};
    codec::Transaction1559 transaction;
    transaction.chain_id = settings_.chain_id;
    transaction.nonce = *nonce;
    transaction.max_priority_fee_per_gas = fees.priority;
    transaction.max_fee_per_gas = fees.max_fee;
    transaction.gas_limit = gas;
    transaction.to = entry.intent.to;
    transaction.data = entry.intent.data;
    auto version = codec::sign(transaction, key_);
    auto write = [id = entry.id, number = *nonce, version, now = clock_.unix_now()](OutboxStore& store) {
        return store.set_signed(id, number, version, now);
    };
    auto stored = co_await on_store(std::move(write));
    if (!stored) {
        // Nothing was sent, but whether these bytes are in the file is unknown.
        if (stored.error().code != ErrorCode::failed_precondition) halt(std::move(stored.error()));
        co_return Result<>{};
    }
    log::info("sending transaction {} with nonce {}: {}", version.hash.hex0x(), *nonce, entry.name());
    entry.nonce = *nonce;
    entry.versions.push_back(std::move(version));
    co_return co_await send(std::move(entry));
}

/// Signs and stores a version with higher fees; none if that would not help: fees have not risen, or others are before
/// it. An error says what forbids it.
Task<Result<std::optional<codec::SignedTransaction>>> TxOutbox::replace(OutboxEntry entry) {
    auto count = co_await rpc_.mined_count();
    if (!count) co_return forward_error(count);
    if (*count != entry.nonce) co_return std::nullopt;
    auto transaction = codec::decode_1559(entry.versions.back().raw);
    if (!transaction) {
        halt(std::move(transaction.error()));
        co_return std::nullopt;
    }
    auto wanted = co_await fees_.quote();
    if (!wanted) co_return forward_error(wanted);
    const FeeQuote old{transaction->max_fee_per_gas, transaction->max_priority_fee_per_gas};
    auto raised = raise_fees(old, *wanted, settings_.fees);
    if (!raised) co_return forward_error(raised);
    if (!*raised) co_return std::nullopt;
    transaction->max_fee_per_gas = (*raised)->max_fee;
    transaction->max_priority_fee_per_gas = (*raised)->priority;
    const auto cost = highest_cost(*transaction);
    auto affordable = co_await check_cost(entry.name(), entry.id, cost);
    if (!affordable) co_return forward_error(affordable);
    auto version = codec::sign(*transaction, key_);
    auto write = [id = entry.id, version, now = clock_.unix_now()](OutboxStore& store) {
        return store.add_version(id, version, now);
    };
    auto stored = co_await on_store(std::move(write));
    if (!stored) {
        halt(std::move(stored.error()));
        co_return std::nullopt;
    }
    failpoint("outbox: replacement stored");
    log::info("replacing the transaction with nonce {} by {}, which offers {} instead of {} wei per gas: {}",
              entry.nonce, version.hash.hex0x(), (*raised)->max_fee.str(), old.max_fee.str(), entry.name());
    tracking_[entry.id].waiting = clock_.now();
    co_return version;
}

/// Whether the wallet can pay `cost` wei for the intent `id`, and may.
Task<Result<>> TxOutbox::check_cost(std::string name, std::int64_t id, Uint256 cost) {
    auto affordable = co_await fees_.check_funds(std::move(name), cost);
    if (!affordable) co_return affordable;
    auto permitted = co_await fees_.check_hour_of(id, cost);
    if (!permitted && permitted.error().code != ErrorCode::limit_exceeded) halt(permitted.error());
    co_return permitted;
}

/// The journal's next nonce, or the chain's if that is higher: somebody used the wallet before, by agreement or not.
/// A single answer does not suffice for that, since a nonce too high is never mined.
Task<Result<std::uint64_t>> TxOutbox::choose_nonce() {
    auto journal = co_await on_store([](OutboxStore& store) { return store.next_nonce(); });
    if (!journal) {
        halt(journal.error());
        co_return forward_error(journal);
    }
    auto count = co_await rpc_.mined_count();
    if (!count) co_return forward_error(count);
    if (*count <= *journal) co_return *journal;
    auto again = co_await rpc_.mined_count();
    if (!again) co_return forward_error(again);
    if (*again != *count) {
        co_return fail(ErrorCode::unavailable, "the endpoint reports different nonces for the wallet",
                       "if this stays, use another endpoint");
    }
    if (*journal != 0) {
        log::warn("the wallet was used by another program: continuing with nonce {} instead of {}", *count, *journal);
    }
    co_return *count;
}

}  // namespace myst::chain
