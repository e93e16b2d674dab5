#include "world.hpp"

#include "consumer.hpp"
#include "provider.hpp"

namespace myst::sim {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

}  // namespace

Plan::Plan(Random& random) {
    const std::uint64_t scale = std::uint64_t{1} << random.below(20);
    tariff.per_gib = Amount(random.chance(900) ? 1024 * 100 * scale : 0);
    tariff.per_hour = Amount(tariff.per_gib.is_zero() || random.chance(300) ? 72'000 * scale : 0);
    chunk_bytes = std::uint64_t{64 << 10} << random.below(6);
    credit_bytes = std::uint64_t{256 << 10} << random.below(4);
    bytes_per_tick = random.between(32 << 10, kMiB);
    const auto step =
        pay::cost_of(tariff, chunk_bytes + pay::PayerTerms{}.tolerance_bytes, pay::PayerTerms{}.time_slice);
    deposit = Amount(static_cast<std::uint64_t>(step.units()) * random.between(1, 100) + random.below(1'000));
    payee_risk = Amount(static_cast<std::uint64_t>(step.units()) * random.between(1, 15));
    payer_risk = Amount(static_cast<std::uint64_t>(step.units()) * random.between(2, 20));
    fee_bps = random.below(101);
    window = seconds(random.chance(250) ? 20 : 3'600);
    faulty_time = seconds(random.between(15, 30));
    const bool bad_network = random.chance(500);
    loss = bad_network ? random.below(80) : 0;
    duplicate = bad_network ? random.below(100) : 0;
    flip = bad_network ? random.below(60) : 0;
    overtake = bad_network ? random.below(200) : 0;
    mishap = random.below(random.chance(500) ? 300 : 100);
    meter_excess = random.chance(150) ? random.below(100) : 0;
    packet_loss = random.below(20);
    rival = random.chance(300);
    freeloader = random.chance(250);
}

World::World(std::uint64_t seed, Tally& count, bool tell)
    : random(seed),
      plan(random),
      tally(count),
      chain(LanesModel(signatures, plan.fee_bps, plan.window)),
      trace(tell),
      consumer(std::make_unique<Consumer>(*this)),
      provider(std::make_unique<Provider>(*this)) {}

World::~World() = default;

void World::send(bool to_provider, std::uint64_t connection, const pay::Frame& frame) {
    if (engine.now() < link_down_until || goes_wrong(plan.loss)) return;
    auto bytes = pay::encode_frame(frame);
    if (goes_wrong(plan.flip)) {
        bytes[random.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
        ++tally.flips;
    }
    const auto copies = goes_wrong(plan.duplicate) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        const milliseconds delay(goes_wrong(plan.overtake) ? random.between(50, 1'500) : 20);
        engine.after(delay, [this, to_provider, connection, bytes] { arrive(to_provider, connection, bytes); });
    }
}

void World::arrive(bool to_provider, std::uint64_t connection, const Bytes& bytes) {
    const auto length = static_cast<std::size_t>(bytes[0]) << 8 | bytes[1];
    auto frame = length == bytes.size() - pay::kFrameHeaderSize
                     ? pay::decode_frame(BytesView(bytes).subspan(pay::kFrameHeaderSize))
                     : fail(ErrorCode::invalid_data, "a frame of another length than it says");
    note(to_provider ? "provider hears" : "consumer hears", frame ? frame->index() : 99);
    if (to_provider)
        provider->receive(connection, std::move(frame));
    else
        consumer->receive(connection, std::move(frame));
}

void World::post(Engine::Action deliver) {
    if (engine.now() < link_down_until || goes_wrong(plan.loss)) return;
    engine.after(milliseconds(random.between(20, 200)), std::move(deliver));
}

void World::carry() {
    if (!gate.session || engine.now() < link_down_until || gate.allowance <= gate.passed) return;
    const auto bytes = std::min(plan.bytes_per_tick, gate.allowance - gate.passed);
    gate.passed += bytes;
    consumer->carried(*gate.session, bytes - bytes / 1000 * plan.packet_loss);
    provider->audit_traffic();
}

}  // namespace myst::sim
