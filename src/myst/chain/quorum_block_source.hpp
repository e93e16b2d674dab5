// Blocks and logs that as many endpoints as the quorum agree on.
#pragma once

#include <memory>
#include <vector>

#include "myst/chain/endpoint_pool.hpp"
#include "myst/chain/rpc_block_source.hpp"

namespace myst::chain {

/// Control thread. `pool` must outlive it.
///
/// A range comes from one endpoint, checked as RpcBlockSource does. It is passed on if enough others have the same
/// last header and the same logs in the range; otherwise the next endpoint's range is tried. Since headers name their
/// parents, an endpoint on a branch of its own is left out, and since every log is compared, no single endpoint can
/// invent, change or hide one.
class QuorumBlockSource final : public BlockSource {
public:
    /// `workers`: see RpcBlockSource.
    QuorumBlockSource(EndpointPool& pool, const Address& contract, WorkerPool* workers = nullptr);

    [[nodiscard]] Task<Result<std::uint64_t>> chain_id() override;
    [[nodiscard]] Task<Result<std::uint64_t>> head_number() override { return pool_.head_number(); }
    [[nodiscard]] Task<Result<BlockHeader>> header(std::uint64_t number) override;
    [[nodiscard]] Task<Result<std::vector<Block>>> blocks(std::uint64_t first, std::uint64_t last) override;

    /// What a single endpoint says, by its position in the pool.
    [[nodiscard]] RpcBlockSource& single(std::size_t i) { return *singles_.at(i); }

private:
    [[nodiscard]] Task<Result<>> confirm(std::size_t origin, const std::vector<Block>& blocks,
                                         std::vector<std::size_t> others);

    EndpointPool& pool_;
    std::vector<std::unique_ptr<RpcBlockSource>> singles_;
};

}  // namespace myst::chain
