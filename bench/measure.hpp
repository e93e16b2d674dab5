// What the benchmarks share: one processor, and medians of operations per second.
#pragma once

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <vector>

#include "myst/base/check.hpp"
#include "myst/base/clock.hpp"

namespace myst::bench {

using std::chrono::nanoseconds;

constexpr std::size_t kRepetitions = 7;

/// The whole program, threads included that come later, stays on the processor it runs on.
inline void pin_to_one_processor() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

inline nanoseconds processor_time() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return seconds(used.tv_sec) + nanoseconds(used.tv_nsec);
}

/// Memory of this process that is not swapped out.
inline std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Of sorted times.
inline double percentile_ms(const std::vector<nanoseconds>& times, std::size_t percent) {
    return std::chrono::duration<double, std::milli>(times[times.size() * percent / 100]).count();
}

/// Operations per second of wall time, and of the processor time that the program was given of it.
struct Rate {
    std::uint64_t per_second = 0;
    std::uint64_t per_processor_second = 0;
};

inline std::uint64_t rate(std::size_t operations, nanoseconds time) {
    constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
    return operations * kNanosecondsPerSecond / static_cast<std::uint64_t>(std::max(time.count(), std::int64_t{1}));
}

inline std::uint64_t median(std::vector<std::uint64_t> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Medians over the repetitions of `work`, which does `operations`.
template <class Work>
Rate measure(std::size_t operations, Work work) {
    std::vector<std::uint64_t> wall;
    std::vector<std::uint64_t> processor;
    for (std::size_t i = 0; i < kRepetitions; ++i) {
        const auto used_before = processor_time();
        const auto start = std::chrono::steady_clock::now();
        work();
        wall.push_back(rate(operations, std::chrono::steady_clock::now() - start));
        processor.push_back(rate(operations, processor_time() - used_before));
    }
    return {median(std::move(wall)), median(std::move(processor))};
}

}  // namespace myst::bench
