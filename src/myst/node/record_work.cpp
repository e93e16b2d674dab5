#include "myst/node/record_work.hpp"

#include "myst/codec/proof_of_work.hpp"

namespace myst::node {
namespace {

constexpr std::uint64_t kPiece = 8'192;  ///< tries in one piece of work: some milliseconds
constexpr std::uint64_t kPatience = 64;  ///< times the expected number of tries

}  // namespace

Task<Result<codec::Event>> sign_with_work(RecordWork work, codec::Event event, const crypto::PrivateKey& key) {
    const unsigned bits = work.bits;
    event.pubkey = key.node_key();
    bool found = bits == 0;
    const std::uint64_t limit = (kPatience << bits) + kPiece;
    for (std::uint64_t first = 0; !found && first < limit; first += kPiece) {
        auto piece = [event = std::move(event), bits, first]() mutable {
            const bool done = codec::add_work(event, bits, first, kPiece);
            return std::pair(done, std::move(event));
        };
        auto job = work.workers.run(std::move(piece));
        auto [done, tried] = co_await std::move(job);
        found = done;
        event = std::move(tried);
    }
    if (!found) co_return fail(ErrorCode::unavailable, "no proof of work was found for a record", "try again");
    Hash32 aux;
    work.rng.fill(aux.bytes);
    codec::sign_event(event, key, aux);
    co_return event;
}

Task<Result<codec::Event>> sign_with_work(Context& context, codec::Event event, const crypto::PrivateKey& key) {
    return sign_with_work(RecordWork{context.workers, context.rng, context.pow_bits}, std::move(event), key);
}

}  // namespace myst::node
