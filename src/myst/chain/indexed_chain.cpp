#include "myst/chain/indexed_chain.hpp"

#include <fmt/format.h>

namespace myst::chain {
namespace {

/// Blocks that the endpoint may be ahead: what it adds between two looks, while those are being fetched.
constexpr std::uint64_t kMaxLag = 16;

}  // namespace

Result<> IndexedChain::usable() const {
    const auto& status = indexer_.status();
    if (status.state == ports::IndexState::halted) return tl::unexpected<Error>(*status.problem);
    if (!status.head) {
        return fail(ErrorCode::unavailable, "the chain index is empty", "wait until it has caught up");
    }
    if (!status.caught_up && status.problem) {
        return fail(ErrorCode::unavailable, "the chain index has not caught up yet: " + status.problem->message,
                    status.problem->cure);
    }
    if (!status.caught_up || status.head->number + kMaxLag < status.endpoint_head) {
        return fail(ErrorCode::unavailable,
                    fmt::format("the chain index is at block {} of {}", status.head->number, status.endpoint_head),
                    "wait until it has caught up");
    }
    return {};
}

Task<Result<ports::BlockRef>> IndexedChain::head() {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    co_return *indexer_.head();
}

Task<Result<ports::AccountState>> IndexedChain::account(Address signer) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [signer](ChainStore& store) { return store.account(signer); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<Address>> IndexedChain::owner_of(Address signer) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [signer](ChainStore& store) { return store.owner(signer); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<ports::LaneState>> IndexedChain::lane(Address signer, Address provider) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [signer, provider](ChainStore& store) { return store.lane(signer, provider); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<ports::ProviderState>> IndexedChain::provider(Address provider) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [provider](ChainStore& store) { return store.provider(provider); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<bool>> IndexedChain::is_registered(NodeKey node_key) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [node_key](ChainStore& store) { return store.is_registered(node_key); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<std::vector<ports::RegisteredProvider>>> IndexedChain::registered(Address after, std::size_t limit) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [after, limit](ChainStore& store) { return store.registered(after, limit); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<ports::PayeeStates>> IndexedChain::payees(std::vector<Address> addresses) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [wanted = std::move(addresses)](ChainStore& store) { return store.payees(wanted); };
    co_return co_await indexer_.query(std::move(read));
}

Task<Result<ports::SalesVolumes>> IndexedChain::volumes(std::vector<ports::SalesKey> pairs) {
    if (auto ready = usable(); !ready) co_return forward_error(ready);
    auto read = [wanted = std::move(pairs)](ChainStore& store) { return store.volumes(wanted); };
    co_return co_await indexer_.query(std::move(read));
}

}  // namespace myst::chain
