// Runs a function at the end of a scope, however it is left; for coroutines, whose cancellation unwinds.
#pragma once

#include <utility>

namespace myst {

template <class Function>
class AtExit {
public:
    explicit AtExit(Function function) : function_(std::move(function)) {}
    ~AtExit() { function_(); }
    AtExit(const AtExit&) = delete;
    AtExit& operator=(const AtExit&) = delete;

private:
    Function function_;
};

}  // namespace myst
