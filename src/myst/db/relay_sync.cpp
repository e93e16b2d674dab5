#include "myst/db/relay_sync.hpp"

#include "myst/base/log.hpp"

namespace myst::db {
namespace {

RelaySync::Reply refuse(const std::string& name, std::string_view reason, std::size_t items = 0) {
    return {encode_neg_error(name, reason), items};
}

}  // namespace

Task<RelaySync::Reply> RelaySync::open(NegOpenMessage message) {
    const std::string name = std::move(message.name);
    open_.erase(name);
    if (open_.size() >= limits_.syncs) co_return refuse(name, "blocked: too many reconciliations on this connection");
    auto items = co_await hub_.items(std::move(message.filter), limits_.sync_items + 1);
    if (!items) {
        const bool theirs = items.error().code == ErrorCode::limit_exceeded;
        if (!theirs) log::error("{}", items.error().describe());
        co_return refuse(name, theirs ? "invalid: " + items.error().message : "error: this relay cannot read now");
    }
    const std::size_t count = items->size();
    if (count > limits_.sync_items) co_return refuse(name, "blocked: this query is too big", count);
    if (count > budget_.limit - std::min(budget_.limit, budget_.used)) {
        co_return refuse(name, "blocked: too many reconciliations at the moment", count);
    }
    auto held = std::make_shared<Held>(budget_, count);
    auto work = [items = std::move(*items), bytes = std::move(message.message)] {
        auto set = std::make_shared<const SyncSet>(items);
        auto answer = sync_answer(*set, bytes);
        return std::pair(std::move(set), std::move(answer));
    };
    auto job = workers_.run(std::move(work));
    auto [set, answer] = co_await std::move(job);
    held->set = std::move(set);
    held->last_used = clock_.now();
    open_.emplace(name, std::move(held));
    co_return reply(name, answer, count);
}

Task<RelaySync::Reply> RelaySync::go_on(NegMessage message) {
    const std::string name = std::move(message.name);
    const auto found = open_.find(name);
    if (found == open_.end()) co_return refuse(name, "closed: there is no reconciliation of this id");
    const auto held = found->second;
    auto work = [set = held->set, bytes = std::move(message.message)] { return sync_answer(*set, bytes); };
    auto job = workers_.run(std::move(work));
    const auto answer = co_await std::move(job);
    held->last_used = clock_.now();
    co_return reply(name, answer, held->items);
}

RelaySync::Reply RelaySync::reply(const std::string& name, const Answer& answer, std::size_t items) {
    if (answer) return {encode_neg_message(name, *answer), items};
    open_.erase(name);
    return refuse(name, "invalid: " + std::string(to_string(answer.error())), items);
}

std::vector<std::string> RelaySync::drop_idle() {
    std::vector<std::string> told;
    std::erase_if(open_, [&](const auto& entry) {
        if (clock_.now() - entry.second->last_used < limits_.sync_timeout) return false;
        told.push_back(encode_neg_error(entry.first, "closed: you took too long to respond"));
        return true;
    });
    return told;
}

}  // namespace myst::db
