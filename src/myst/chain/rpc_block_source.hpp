// Blocks and logs from an Ethereum endpoint over JSON-RPC, with everything checked that can be checked.
#pragma once

#include "myst/chain/block_source.hpp"
#include "myst/chain/rpc_caller.hpp"

namespace myst::chain {

/// Control thread. `client` must outlive it.
///
/// A range is asked for in one batch: its headers and its logs. Every log must lie in one of the headers, by hash. If
/// a header's bloom filter admits logs of the contract and there are none, the block is asked for again by its hash,
/// and then by its receipts, whose logs must give the header's bloom. A filter of zeros says nothing (some chains
/// leave it empty).
class RpcBlockSource final : public BlockSource {
public:
    RpcBlockSource(RpcEndpoint& client, const Address& contract) : client_(client), contract_(contract) {}

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
    [[nodiscard]] Task<Result<>> confirm(Block& block);
    [[nodiscard]] Task<Result<>> confirm_by_receipts(BlockHeader header);
    [[nodiscard]] bool bloom_admits(const Bloom& bloom) const;

    RpcEndpoint& client_;
    Address contract_;
};

}  // namespace myst::chain
