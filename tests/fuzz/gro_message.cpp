// A message of UDP_GRO: flags (a control message), segment size, bytes.
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/offload/datagrams.hpp"

namespace myst::fuzz {
namespace {

void run(BytesView input) {
    Input reader(input.data(), input.size());
    const auto flags = reader.byte();
    const auto low = reader.word();
    const auto size = static_cast<int>(std::uint32_t{low} | std::uint32_t{reader.word()} << 16);
    const auto rest = reader.rest();
    Bytes bytes(rest.begin(), rest.end());
    wireguard::GroMessage message{bytes, {}};
    if ((flags & 1) != 0) message.segment_size = size;

    const auto datagrams = wireguard::split_gro(message);
    if (!datagrams) return;
    CHECK(datagrams->size() >= 1 && datagrams->size() <= wireguard::kMaxGroDatagrams);
    Bytes together;
    for (std::size_t i = 0; i < datagrams->size(); ++i) {
        const auto datagram = (*datagrams)[i];
        CHECK(i + 1 == datagrams->size() || datagram.size() == static_cast<std::size_t>(size));
        CHECK(datagrams->size() == 1 || (!datagram.empty() && datagram.size() <= static_cast<std::size_t>(size)));
        together.insert(together.end(), datagram.begin(), datagram.end());
    }
    CHECK(together == bytes);
}

}  // namespace
}  // namespace myst::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    myst::fuzz::run({data, size});
    return 0;
}
