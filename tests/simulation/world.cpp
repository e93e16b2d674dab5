#include "world.hpp"

#include "consumer.hpp"
#include "provider.hpp"

namespace myst::sim {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// What a signature takes: on a common machine, on a weak one, and on one that does little else.
constexpr std::array<std::chrono::microseconds, 3> kSigningTimes{std::chrono::microseconds{60}, milliseconds{5},
                                                                 milliseconds{50}};

pay::TickUse choose_tick_use(Random& random) {
    if (random.chance(500)) return pay::TickUse::automatic;
    return random.chance(700) ? pay::TickUse::always : pay::TickUse::never;
}

Amount share(Amount of, std::uint64_t part) {
    return Amount(static_cast<std::uint64_t>(of.units()) / part);
}

}  // namespace

Plan::Plan(Random& random) {
    const std::uint64_t scale = std::uint64_t{1} << random.below(20);
    tariff.per_gib = Amount(random.chance(900) ? 1024 * 100 * scale : 0);
    tariff.per_hour = Amount(tariff.per_gib.is_zero() || random.chance(300) ? 72'000 * scale : 0);
    chunk.tariff = tariff;
    chunk.bounds.least = std::uint64_t{pay::kLeastChunk} << random.below(6);
    chunk.bounds.most = random.chance(300) ? chunk.bounds.least : pay::kMostChunk;
    chunk.tick_use = choose_tick_use(random);
    chunk.voucher.processor = kSigningTimes[random.below(kSigningTimes.size())];
    credit_bytes = std::uint64_t{256 << 10} << random.below(4);
    bytes_per_tick = random.between(32 << 10, kMiB);
    const auto step = pay::cost_of(tariff, chunk.bounds.least + chunk.tolerance_bytes, chunk.time_slice);
    const auto steps = [&](std::uint64_t least, std::uint64_t most) {
        return Amount(static_cast<std::uint64_t>(step.units()) * random.between(least, most));
    };
    deposit = steps(1, 100).plus_saturating(Amount(random.below(1'000)));
    chunk.risk_limit = steps(2, random.chance(500) ? 20 : 80);
    payee_risk = steps(1, random.chance(700) ? 2 : 15);
    // A chunk that costs more than the provider's limit is refused, and with it all that follows.
    if (random.chance(600)) payee_risk = std::max(payee_risk, share(chunk.risk_limit, 4));
    payee_trigger = random.chance(500) ? share(payee_risk, 2) : Amount{};
    reserve_ahead = random.chance(250) ? steps(1, 10) : Amount{};
    fee_bps = random.below(101);
    window = seconds(random.chance(250) ? 20 : 3'600);
    const bool outlives_a_chain = random.chance(30);
    faulty_time = seconds(outlives_a_chain ? random.between(70, 100) : random.between(15, 30));
    const bool bad_network = !outlives_a_chain && random.chance(500);
    loss = bad_network ? random.below(80) : 0;
    duplicate = bad_network ? random.below(100) : 0;
    flip = bad_network ? random.below(60) : 0;
    overtake = bad_network ? random.below(200) : 0;
    mishap = random.below(random.chance(500) ? 300 : 100);
    if (outlives_a_chain) {
        mishap = random.below(10);
        bytes_per_tick /= 16;
    }
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
