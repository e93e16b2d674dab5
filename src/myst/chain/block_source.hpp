// Blocks and the lanes contract's logs in them, wherever they come from. The indexer needs no more of a chain.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "myst/chain/lanes_events.hpp"
#include "myst/runtime/task.hpp"

namespace myst::chain {

/// logsBloom of a header: which addresses and topics may occur in the block's logs.
using Bloom = FixedBytes<256, struct BloomTag>;

struct BlockHeader {
    std::uint64_t number = 0;
    Hash32 hash;
    Hash32 parent;
    UnixTime time{};
    Bloom bloom;
};

/// A block with the lanes contract's logs in the order of their index.
struct Block {
    BlockHeader header;
    std::vector<Log> logs;
};

/// Control thread. Every answer is checked as far as it can be: numbers as asked, each block the child of the one
/// before, logs of these blocks, contract and order only.
class BlockSource {
public:
    virtual ~BlockSource() = default;
    [[nodiscard]] virtual Task<Result<std::uint64_t>> chain_id() = 0;
    /// The newest block's number.
    [[nodiscard]] virtual Task<Result<std::uint64_t>> head_number() = 0;
    /// not_found if the chain is shorter.
    [[nodiscard]] virtual Task<Result<BlockHeader>> header(std::uint64_t number) = 0;
    /// Blocks first … last, both included and known to exist. unavailable if the chain changed meanwhile;
    /// limit_exceeded if the endpoint wants a smaller range.
    [[nodiscard]] virtual Task<Result<std::vector<Block>>> blocks(std::uint64_t first, std::uint64_t last) = 0;
};

}  // namespace myst::chain
