#include "myst/chain/outbox_file.hpp"

namespace myst::chain {

Task<Result<>> OutboxFile::open() {
    if (store_) co_return Result<>{};
    auto work = [slot = slot_, path = path_, chain_id = chain_id_,
                 sender = sender_]() -> Result<std::shared_ptr<OutboxStore>> {
        const std::lock_guard lock(slot->mutex);
        if (slot->store) return slot->store;
        auto opened = OutboxStore::open(path);
        if (!opened) return forward_error(opened);
        if (auto claimed = (*opened)->claim(chain_id, sender); !claimed) return forward_error(claimed);
        slot->store = std::move(*opened);
        return slot->store;
    };
    auto opened = co_await pool_.run(std::move(work));
    if (!opened) co_return forward_error(opened);
    store_ = std::move(*opened);
    co_return Result<>{};
}

}  // namespace myst::chain
