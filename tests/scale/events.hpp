// Virtual time for millions of events: plain values in a heap, in order of time and, at one time, in the order in which
// they were asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "myst/base/clock.hpp"

namespace myst::scale {

/// Since the beginning of the simulation.
using Time = std::chrono::microseconds;

enum class What : std::uint8_t {
    refresh,    ///< a: provider
    inject,     ///< a: node, b: record; from a provider that is a client of its relay
    live,       ///< a: link, b: session, c: record; from the link's server to its client
    push,       ///< the same from client to server
    join,       ///< a: link, b: session, c: attempts before this one
    cut,        ///< a: link
    leave,      ///< a: node
    back,       ///< a: node
    reconcile,  ///< a: link, b: session; a comparison begins
    step,       ///< a: link, b: session; the next message of a reconciliation has arrived
    search,     ///< a light client asks
    sample,     ///< what is missing is counted
    split,      ///< the network falls into two
    heal,       ///< and is one again
    forget,     ///< a: node; it comes back with an empty store
    start,      ///< measuring begins
    stop,       ///< measuring ends
    quiet,      ///< nothing is published and nothing breaks any more
    end,        ///< of the simulation
};

struct Event {
    Time at{};
    std::uint64_t order = 0;
    What what{};
    std::uint8_t hops = 0;
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
};

class EventQueue {
public:
    void add(Event event) {
        event.order = next_++;
        heap_.push_back(event);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] Event take() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const Event event = heap_.back();
        heap_.pop_back();
        return event;
    }

private:
    static bool later(const Event& a, const Event& b) { return std::tie(a.at, a.order) > std::tie(b.at, b.order); }
    std::vector<Event> heap_;
    std::uint64_t next_ = 0;
};

}  // namespace myst::scale
