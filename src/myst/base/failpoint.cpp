#include "myst/base/failpoint.hpp"

#include "myst/base/check.hpp"

namespace myst {
namespace {

FailpointHook& current_hook() {
    static FailpointHook hook;
    return hook;
}

}  // namespace

namespace detail {

std::atomic<bool> failpoints_armed = false;

void report_failpoint(std::string_view place) {
    current_hook()(place);
}

}  // namespace detail

FailpointWatch::FailpointWatch(FailpointHook hook) {
    CHECK(!current_hook());
    current_hook() = std::move(hook);
    detail::failpoints_armed.store(true);
}

FailpointWatch::~FailpointWatch() {
    detail::failpoints_armed.store(false);
    current_hook() = nullptr;
}

}  // namespace myst
