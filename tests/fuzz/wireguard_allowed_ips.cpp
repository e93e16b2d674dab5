// Allowed addresses beside a list of all prefixes.
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/test_support/naive_models.hpp"

namespace {

using namespace myst::wireguard;
using myst::fuzz::Input;

IpAddress address_from(Input& input, bool v4) {
    return v4 ? IpAddress::from(input.array<4>()) : IpAddress::from(input.array<16>());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    AllowedIps ips;
    test::NaiveAllowedIps naive;
    for (int steps = 0; steps < 300 && !input.empty(); ++steps) {
        const auto what = static_cast<unsigned>(input.number(1));
        const bool v4 = (what & 1) != 0;
        const PeerId peer{what >> 1 & 3};
        const auto address = address_from(input, v4);
        const auto prefix = IpPrefix::of(address, static_cast<unsigned>(input.number(1)) % (address.bits() + 1));
        switch (what >> 3 & 3) {
            case 0:
            case 1:
                CHECK(ips.insert(prefix, peer));
                naive.insert(prefix, peer);
                break;
            case 2:
                ips.remove(prefix, peer);
                naive.remove(prefix, peer);
                break;
            default:
                if ((what >> 5) != 0) break;
                ips.remove_all(peer);
                naive.remove_all(peer);
        }
        CHECK(ips.find(address) == naive.find(address));
    }
    for (unsigned peer = 0; peer < 4; ++peer) CHECK(ips.prefixes_of(PeerId{peer}) == naive.prefixes_of(PeerId{peer}));
    return 0;
}
