#include "myst/db/author_standing.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kRemembered = 16'384;
/// Who has left keeps his share so long; who has come waits so long for his.
constexpr seconds kRegisteredFor{300};
constexpr seconds kStrangerFor{15};

}  // namespace

Task<Standing> AuthorStanding::of(NodeKey author) {
    if (registry_ == nullptr) co_return Standing::stranger;
    const auto found = known_.find(author);
    if (found != known_.end() && clock_.now() < found->second.until) co_return found->second.standing;
    auto answer = co_await registry_->is_registered(author);
    if (answer) {
        const auto standing = *answer ? Standing::registered : Standing::stranger;
        remember(author, standing);
        co_return standing;
    }
    const auto last = known_.find(author);
    co_return last != known_.end() ? last->second.standing : Standing::stranger;
}

Task<Result<std::vector<ports::RegisteredProvider>>> AuthorStanding::registered(Address after, std::size_t limit) {
    if (registry_ == nullptr) co_return fail(ErrorCode::unavailable, "this node does not know who is registered");
    co_return co_await registry_->registered(after, limit);
}

void AuthorStanding::remember(const NodeKey& author, Standing standing) {
    const auto until = clock_.now() + (standing == Standing::registered ? kRegisteredFor : kStrangerFor);
    if (!known_.insert_or_assign(author, Known{standing, until}).second) return;
    order_.push_back(author);
    if (order_.size() <= kRemembered) return;
    known_.erase(order_.front());
    order_.pop_front();
}

}  // namespace myst::db
