#include "myst/db/forwarder.hpp"

#include "myst/base/log.hpp"

namespace myst::db {

void Forwarder::add(const SharedRecord& record) {
    // Reconciliation follows every connection, and brings what is left out here.
    if (!peer_.connected() || waiting_.size() >= settings_.max_waiting) return;
    waiting_.push_back({std::chrono::steady_clock::now() + settings_.delay, record});
    added_.notify();
}

Task<> Forwarder::run() {
    for (;;) {
        while (waiting_.empty()) co_await added_.wait();
        const auto left = std::chrono::ceil<milliseconds>(waiting_.front().due - std::chrono::steady_clock::now());
        if (left.count() > 0) co_await sleep_for(left);
        TaskGroup group(executor_);
        for (auto& record : take_due()) group.spawn("a new record for a peer", send_one(std::move(record)));
        co_await group.join();
    }
}

std::vector<SharedRecord> Forwarder::take_due() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<SharedRecord> due;
    while (!waiting_.empty() && waiting_.front().due <= now && due.size() < settings_.max_under_way) {
        auto record = std::move(waiting_.front().record);
        waiting_.pop_front();
        if (!peer_.has_shown(record->event().id)) due.push_back(std::move(record));
    }
    return due;
}

Task<> Forwarder::send_one(SharedRecord record) {
    if (!peer_.connected()) co_return;
    auto publishing = peer_.publish(std::move(record));
    auto published = co_await std::move(publishing);
    if (!published) log::debug("relay {}: a new record: {}", peer_.status().url, published.error().message);
}

}  // namespace myst::db
