#include "myst/node/record_pages.hpp"

#include <algorithm>

namespace myst::node {
namespace {

constexpr std::size_t kLargestPage = 8'000;
constexpr std::size_t kMaxPages = 20;

}  // namespace

Task<Result<std::vector<codec::Event>>> RecordPages::next() {
    std::vector<codec::Filter> query{query_};
    auto events = co_await records_.query(std::move(query), page_);
    if (!events) co_return forward_error(events);
    go_back(*events);
    if (++pages_ == kMaxPages) at_end_ = true;
    std::erase_if(*events, [this](const codec::Event& event) { return !seen_.insert(event.id).second; });
    co_return std::move(*events);
}

/// Decides what to ask for next.
void RecordPages::go_back(const std::vector<codec::Event>& events) {
    if (events.empty()) {
        at_end_ = true;
        return;
    }
    const UnixTime oldest = events.back().created_at;
    if (query_.until != oldest) {
        query_.until = oldest;  // and this second again, of which there may be more
        page_ = kPage;
    } else if (events.size() < kPage) {
        at_end_ = true;
    } else if (events.size() == page_ && page_ < kLargestPage) {
        page_ *= 2;  // one second fills the page; a larger one shows the rest, if it comes from the own store
    } else {
        query_.until = oldest - seconds(1);  // a relay's answer ends here
        page_ = kPage;
    }
}

}  // namespace myst::node
