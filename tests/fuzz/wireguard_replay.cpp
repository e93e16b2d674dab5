// The replay filter beside a set of all counters.
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/test_support/naive_models.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    myst::fuzz::Input input(data, size);
    myst::wireguard::ReplayFilter filter;
    myst::wireguard::test::NaiveReplayFilter naive;
    std::uint64_t last = 0;
    while (!input.empty()) {
        // Mostly steps of up to ±32768 from the last counter, sometimes anywhere.
        const auto what = input.number(1);
        const auto counter = what < 8 ? input.number(8) : last + input.number(2) - 32'768;
        const bool plausible = filter.plausible(counter);
        const bool expected = naive.accept(counter);
        CHECK(plausible == expected);
        CHECK(filter.accept(counter) == expected);
        last = counter;
    }
    return 0;
}
