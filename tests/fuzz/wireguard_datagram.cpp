// Datagrams of strangers and of a peer gone mad, against a device: the classifier, handshakes, cookies, data, time.
//
// An input is a list of steps. To get behind the macs and the encryption, a step can let the other side speak truly and
// damage what it says.
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/test_support/pair.hpp"

namespace {

using namespace myst::wireguard;
using myst::fuzz::Input;
using test::Pair;

void damage(test::Sent& sent, Input& input) {
    if (const auto at = input.number(1); at < sent.bytes.size())
        sent.bytes[at] ^= static_cast<std::uint8_t>(input.number(1));
}

/// Macs over what the input claims to be a handshake message.
myst::Bytes with_macs(myst::BytesView body, std::uint8_t type, std::size_t size, const Pair& pair) {
    myst::Bytes message(body.begin(), body.end());
    message.resize(size);
    std::fill_n(message.begin(), 4, std::uint8_t{0});
    message[0] = type;
    CookieGenerator(pair.a.key()).add_macs(message, pair.clock.now().steady);
    return message;
}

void step(Pair& pair, Input& input) {
    const auto from_b = [&](myst::Bytes bytes) { pair.a.receive({pair.b.where(), pair.a.where(), std::move(bytes)}); };
    switch (input.number(1) % 8) {
        case 0: {
            const auto raw = input.take(input.number(1));
            from_b({raw.begin(), raw.end()});
            break;
        }
        case 1: from_b(with_macs(input.take(kInitiationSize), 1, kInitiationSize, pair)); break;
        case 2: from_b(with_macs(input.take(kResponseSize), 2, kResponseSize, pair)); break;
        case 3:
            for (auto& sent : Pair::take(pair.b)) {
                damage(sent, input);
                pair.a.receive(sent);
            }
            break;
        case 4: pair.exchange(); break;
        case 5: pair.run_for(milliseconds(input.number(2) * 10), (input.number(1) & 1) != 0); break;
        case 6: pair.a.device().load().report(input.number(1), 16, pair.clock.now().steady); break;
        default: pair.a.send(Pair::packet_to_b(input.number(1))); pair.b.send(Pair::packet_to_a(input.number(1)));
    }
    CHECK(pair.a.device().indexes().size() <= 4);
    CHECK(pair.a_to_b().staged() <= kMaxStagedPackets);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    Pair pair;
    for (int steps = 0; steps < 40 && !input.empty(); ++steps) step(pair, input);
    return 0;
}
