// Blocks and logs from an Ethereum endpoint over JSON-RPC, with everything checked that can be checked.
#pragma once

#include <map>

#include "myst/chain/block_source.hpp"
#include "myst/chain/rpc_caller.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::chain {

/// Control thread. `client` and `workers` must outlive it; these scan receipts, without them the control thread does.
///
/// A range is asked for in one batch: its headers and its logs. Every log must lie in one of the headers, by hash. If
/// a header's bloom filter admits logs of the contract and there are none, the block is asked for again by its hash,
/// and then by its receipts, whose logs must give the header's bloom. A filter of zeros says nothing (some chains
/// leave it empty). Receipts that are too large, refused, or not to be had in three attempts are done without: anybody
/// can make a block whose receipts are.
class RpcBlockSource final : public BlockSource {
public:
    RpcBlockSource(RpcEndpoint& client, const Address& contract, WorkerPool* workers = nullptr)
        : client_(client), contract_(contract), workers_(workers) {}

    [[nodiscard]] Task<Result<std::uint64_t>> chain_id() override;
    [[nodiscard]] Task<Result<std::uint64_t>> head_number() override;
    [[nodiscard]] Task<Result<BlockHeader>> header(std::uint64_t number) override;
    [[nodiscard]] Task<Result<std::vector<Block>>> blocks(std::uint64_t first, std::uint64_t last) override;

    /// The header of `last`, and all logs of blocks first … last in order: what another endpoint's blocks are compared
    /// with. Two calls in one request, whatever the range.
    struct Extract {
        BlockHeader last;
        std::vector<Log> logs;
    };
    [[nodiscard]] Task<Result<Extract>> extract(std::uint64_t first, std::uint64_t last);

private:
    [[nodiscard]] Task<Result<std::vector<Block>>> tip(std::uint64_t number);
    [[nodiscard]] Task<Result<std::vector<Log>>> logs_of(Hash32 block);
    [[nodiscard]] Task<Result<std::vector<Log>>> logs_by_topic(Hash32 block);
    [[nodiscard]] Task<Result<Extract>> extract_one(std::uint64_t number);
    [[nodiscard]] Task<Result<>> confirm(Block& block);
    [[nodiscard]] Task<Result<>> confirm_by_receipts(BlockHeader header);
    [[nodiscard]] Task<Result<>> compare_receipts(BlockHeader header, boost::json::value receipts);
    /// Whether it is time to do without the receipts of a block.
    [[nodiscard]] bool gives_no_receipts(const Hash32& block) const;
    [[nodiscard]] bool bloom_admits(const Bloom& bloom) const;

    RpcEndpoint& client_;
    Address contract_;
    WorkerPool* workers_;
    std::map<Hash32, unsigned> unanswered_;  ///< attempts at receipts that brought none, by block
};

}  // namespace myst::chain
