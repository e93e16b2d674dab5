// The world between consumer and provider: time, chance, the network, the chain, and the kernel's gate.
#pragma once

#include <memory>
#include <optional>

#include "auditor.hpp"
#include "chain_model.hpp"
#include "disk.hpp"
#include "myst/pay/chunk_policy.hpp"
#include "myst/pay/frame.hpp"
#include "myst/pay/payee.hpp"
#include "myst/pay/payer.hpp"
#include "tally.hpp"
#include "trace.hpp"

namespace myst::sim {

inline constexpr milliseconds kTick{250};

/// What a seed decides before its run begins; what happens during the run is drawn as it goes.
struct Plan {
    explicit Plan(Random& random);

    pay::Tariff tariff;
    pay::ChunkTerms chunk;  ///< the consumer's settings; `risk_limit` is that of a whole connection
    Amount reserve_ahead;   ///< as well
    std::uint64_t credit_bytes;
    std::uint64_t bytes_per_tick;  ///< what the consumer would like to carry
    Amount deposit;
    Amount payee_risk;     ///< the provider's limit per payer
    Amount payee_trigger;  ///< of it, at so much the provider settles
    std::uint64_t fee_bps;
    seconds window{};
    milliseconds faulty_time{};
    // Chances, in thousandths
    std::uint64_t loss;          ///< of a frame
    std::uint64_t duplicate;     ///< of a frame
    std::uint64_t flip;          ///< of a frame, one bit of it
    std::uint64_t overtake;      ///< of a frame, by those sent later
    std::uint64_t mishap;        ///< of one of the great faults, each tick
    std::uint64_t meter_excess;  ///< by how much the provider's meter is too high
    std::uint64_t packet_loss;   ///< behind the provider's meter
    bool rival;                  ///< the payer promises its deposit to another provider as well
    bool freeloader;             ///< the consumer stops paying now and then
};

/// The kernel's quota of the one tunnel, and the provider's meter of the session.
struct Gate {
    std::optional<SessionId> session;
    std::uint64_t allowance = 0;
    std::uint64_t passed = 0;
};

/// The best proof of payment for each epoch of the lane, as either ledger keeps it.
class ProofsByEpoch {
public:
    /// Unless the one that is there is as good.
    void keep(const ports::HeldVoucher& proof) {
        const auto [place, is_new] = proofs_.try_emplace(proof.voucher.voucher.epoch, proof);
        if (!is_new && proof.replaces(place->second)) place->second = proof;
    }
    [[nodiscard]] const ports::HeldVoucher* find(std::uint32_t epoch) const {
        const auto found = proofs_.find(epoch);
        return found == proofs_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] Amount highest(std::uint32_t epoch) const {
        const auto* proof = find(epoch);
        return proof != nullptr ? proof->total() : Amount{};
    }
    [[nodiscard]] const std::map<std::uint32_t, ports::HeldVoucher>& all() const { return proofs_; }

private:
    std::map<std::uint32_t, ports::HeldVoucher> proofs_;
};

class Consumer;
class Provider;

struct World {
    World(std::uint64_t seed, Tally& tally, bool tell);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// A frame on a connection, through encoder, network and decoder. What does not decode arrives as an error.
    void send_to_provider(std::uint64_t connection, const pay::Frame& frame) { send(true, connection, frame); }
    void send_to_consumer(std::uint64_t connection, const pay::Frame& frame) { send(false, connection, frame); }
    /// A sealed message of the database: late or lost, but not changed.
    void post(Engine::Action deliver);
    /// One tick of traffic through the gate.
    void carry();

    /// Into the trace.
    void note(const char* what, std::uint64_t value = 0) { trace.note(engine.now(), what, value); }
    void note(const char* what, Amount value) { note(what, static_cast<std::uint64_t>(value.units())); }

    [[nodiscard]] UnixTime unix_now() const { return clock.unix_now(); }
    [[nodiscard]] Address payer() const { return signatures.payer().address(); }

    Random random;
    Plan plan;
    Tally& tally;
    Engine engine;
    EngineClock clock{engine};
    Signatures signatures;
    ChainModel chain;
    Auditor auditor;
    Trace trace;
    Gate gate;
    std::uint64_t largest_chunk = 0;  ///< that the consumer has paid ahead
    bool faults = true;               ///< nothing goes wrong any more once this is false
    milliseconds link_down_until{0};
    std::unique_ptr<Consumer> consumer;
    std::unique_ptr<Provider> provider;

private:
    void send(bool to_provider, std::uint64_t connection, const pay::Frame& frame);
    void arrive(bool to_provider, std::uint64_t connection, const Bytes& bytes);
    [[nodiscard]] bool goes_wrong(std::uint64_t per_mille) { return faults && random.chance(per_mille); }
};

}  // namespace myst::sim
