// For tests: an Ethereum node with one account's worth of transactions, answering JSON-RPC. It executes every
// transaction that reaches it with the right nonce, once, like the real thing, and can be made to misbehave.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "myst/chain/json_rpc_message.hpp"
#include "myst/ports/chain.hpp"

namespace myst::chain::testing {

class NodeDouble {
public:
    explicit NodeDouble(std::uint64_t id = 31337);

    /// The answer to a request or batch.
    [[nodiscard]] std::string handle(const std::string& request);

    /// Puts waiting transactions that offer the base fee into a new block.
    void mine();
    /// Replaces the newest blocks by empty ones of other hashes; their transactions are gone (`keep`: wait again).
    void reorganise(std::size_t depth, bool keep);
    /// Forgets the waiting transactions.
    void drop_waiting() { waiting_.clear(); }
    /// A transaction of another program with the next free nonce, mined at once.
    void use_nonce_elsewhere();

    /// How often calldata was executed in the chain as it is now.
    [[nodiscard]] std::size_t executions(const Bytes& data) const;
    [[nodiscard]] std::size_t transactions() const;
    [[nodiscard]] const std::vector<std::string>& received() const { return received_; }

    std::uint64_t chain_id;
    bool auto_mine = true;  ///< every accepted transaction is mined at once
    std::uint64_t base_fee = 1'000'000'000;
    Uint256 balance{"1000000000000000000"};
    std::uint64_t gas = 50'000;  ///< what every estimation says
    std::optional<RpcFault> estimate_fault{};
    std::optional<RpcFault> send_fault{};  ///< instead of taking a transaction
    bool echo = false;                     ///< every transaction is said to be taken, and none is
    bool revert = false;                   ///< mined transactions fail
    std::int64_t count_lie = 0;            ///< added to eth_getTransactionCount
    bool hide_receipts = false;
    std::map<std::string, std::size_t> calls{};

private:
    struct Transaction {
        std::uint64_t nonce = 0;
        Hash32 hash;
        Bytes data;
        Uint256 max_fee{};
        Uint256 priority{};
    };
    struct MinedBlock {
        Hash32 hash;
        Hash32 parent;
        std::vector<Transaction> transactions;
    };
    RpcReply answer(const std::string& method, const boost::json::array& params);
    RpcReply take(const std::string& raw);
    [[nodiscard]] std::uint64_t mined_count() const;
    [[nodiscard]] boost::json::value header_json(std::uint64_t number) const;
    [[nodiscard]] boost::json::value receipt_json(const std::string& hash) const;
    [[nodiscard]] bool knows(const Hash32& hash) const;
    void add_block(std::vector<Transaction> transactions);

    std::vector<MinedBlock> blocks_;
    std::map<std::uint64_t, Transaction> waiting_;
    std::vector<std::string> received_;
    std::uint64_t salt_ = 0;
};

}  // namespace myst::chain::testing
