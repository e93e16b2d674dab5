// How fast payments go, on one core and this disk: `bench_pay RESULT.json [FOLDER OF THE LEDGER]`.
// Vouchers take the provider's way: frame → signer → examine → ledger (fdatasync) → credit → acknowledgement.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <fmt/format.h>

#include "measure.hpp"
#include "myst/base/amount.hpp"
#include "myst/base/check.hpp"
#include "myst/codec/voucher.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/ledger/sqlite_ledger.hpp"
#include "myst/pay/frame.hpp"
#include "myst/pay/payee.hpp"
#include "myst/pay/ticks.hpp"
#include "myst/ports/ledger_store.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"

namespace {

using namespace myst;
using namespace myst::bench;

constexpr std::size_t kSessions = 512;
constexpr std::size_t kVouchersPerSession = 64;
constexpr std::size_t kSignatures = 10'000;
constexpr std::uint64_t kPrice = 1'000'000'000;  ///< of one chunk

/// A consumer's session: the frames of its vouchers as they come from the wire.
struct Session {
    Address signer;
    SessionId id;
    std::vector<Bytes> frames;
};

struct World {
    codec::LaneDomain domain{31337, Address{{7}}};
    Address provider{{2}};
    std::vector<Session> sessions;
};

Amount total_after(std::size_t vouchers) {
    return Amount(kPrice * vouchers);
}

World make_world() {
    crypto::SystemRng rng;
    World world;
    for (std::size_t i = 0; i < kSessions; ++i) {
        const auto key = crypto::PrivateKey::generate(rng);
        Session session{key.address(), random_bytes<SessionId>(rng), {}};
        for (std::size_t k = 1; k <= kVouchersPerSession; ++k) {
            const codec::Voucher voucher{world.provider, 0, total_after(k), total_after(k)};
            const auto frame = pay::VoucherFrame::of(codec::sign_voucher(world.domain, voucher, key));
            session.frames.push_back(pay::encode_frame(frame));
        }
        world.sessions.push_back(std::move(session));
    }
    return world;
}

pay::PayeeTerms terms() {
    pay::PayeeTerms terms;
    terms.tariff = {Amount(kPrice << 10), Amount(kPrice)};
    terms.risk_limit = Amount::max();
    return terms;
}

/// The provider's side of one session.
Task<> serve(const World& world, const Session& session, ports::LedgerStore& ledger, std::size_t& acknowledged) {
    pay::PayeeSession payee(terms(), session.signer, world.provider, 0, Amount{});
    const pay::Coverage coverage{Amount::max(), Amount::max(), 0, false};
    ports::SessionRecord record;
    record.id = session.id;
    record.signer = session.signer;
    record.provider = world.provider;
    for (const auto& bytes : session.frames) {
        const auto frame = pay::decode_frame(BytesView(bytes).subspan(pay::kFrameHeaderSize));
        CHECK(frame);
        const auto voucher = std::get<pay::VoucherFrame>(*frame).with_provider(world.provider);
        const auto signer = codec::recover_signer(world.domain, voucher);
        CHECK(signer && payee.examine(voucher, *signer, coverage) == pay::Verdict::store);
        record.paid = voucher.voucher.total;
        ++record.vouchers;
        record.bytes_down += 1 << 20;
        const ports::HeldVoucher held{session.signer, voucher, session.id};
        auto stored = co_await ledger.keep_voucher(held, record);
        CHECK(stored);
        payee.credit(voucher.voucher.total);
        const pay::AckFrame ack{payee.total(), 0, record.bytes_down, payee.allowance(seconds(1))};
        CHECK(!pay::encode_frame(ack).empty());
        ++acknowledged;
    }
}

Task<> serve_all(const World& world, ports::LedgerStore& ledger, std::size_t& acknowledged) {
    TaskGroup group(co_await asio::this_coro::executor);
    for (const auto& session : world.sessions) group.spawn("session", serve(world, session, ledger, acknowledged));
    co_await group.join();
}

Rate measure_vouchers(const World& world, const std::filesystem::path& folder) {
    const auto file = folder / "bench-ledger.db";
    const auto remove = [&file] {
        for (const char* suffix : {"", "-wal", "-mark"}) std::filesystem::remove(file.string() + suffix);
    };
    remove();
    const auto outcome = measure(kSessions * kVouchersPerSession, [&] {
        auto ledger = ledger::SqliteLedger::open(file.string());
        CHECK(ledger);
        asio::io_context context;
        std::size_t acknowledged = 0;
        CHECK(run_task(context, serve_all(world, **ledger, acknowledged)) == nullptr);
        CHECK(acknowledged == kSessions * kVouchersPerSession);
        ledger->reset();
        remove();
    });
    return outcome;
}

Rate measure_signing(const World& world) {
    crypto::SystemRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    return measure(kSignatures, [&] {
        for (std::size_t k = 1; k <= kSignatures; ++k) {
            const codec::Voucher voucher{world.provider, 0, total_after(k), total_after(k)};
            CHECK(!codec::sign_voucher(world.domain, voucher, key).signature.r.is_zero());
        }
    });
}

/// The signature alone, without the hashes of the voucher: the limit of what the vouchers can reach.
Rate measure_verifying() {
    crypto::SystemRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    std::vector<std::pair<Hash32, crypto::CompactSignature>> signatures;
    for (std::size_t i = 0; i < kSignatures; ++i) {
        const auto digest = random_bytes<Hash32>(rng);
        signatures.emplace_back(digest, key.sign(digest));
    }
    return measure(kSignatures, [&] {
        for (const auto& [digest, signature] : signatures) {
            const auto signer = crypto::recover(digest, signature);
            CHECK(signer && *signer == key.address());
        }
    });
}

/// Chains of 64 ticks, the provider's side; one hash a tick.
Rate measure_ticks(const World& world) {
    constexpr std::size_t kChains = 2'000;
    const codec::Voucher voucher{world.provider, 0, Amount(kPrice), Amount::max()};
    auto payer = pay::TickPayer::begin(world.domain, voucher, kPrice, codec::kMaxTicks, Hash32{{9}});
    CHECK(payer);
    std::vector<pay::Tick> ticks;
    while (const auto tick = payer->next()) ticks.push_back(*tick);
    return measure(kChains * ticks.size(), [&] {
        for (std::size_t i = 0; i < kChains; ++i) {
            auto payee = pay::TickPayee::begin(world.domain, payer->voucher());
            CHECK(payee);
            for (const auto& tick : ticks) CHECK(payee->take(tick));
        }
    });
}

void print(const char* what, const Rate& rate) {
    std::cout << fmt::format("{:<44}{:>12}{:>16}\n", what, rate.per_second, rate.per_processor_second);
}

int run(const std::filesystem::path& result, const std::filesystem::path& folder) {
    pin_to_one_processor();
    const auto world = make_world();
    const auto signing = measure_signing(world);
    const auto verifying = measure_verifying();
    const auto vouchers = measure_vouchers(world, folder);
    const auto ticks = measure_ticks(world);
    const auto voucher_bytes = world.sessions.front().frames.front().size();
    const auto ack_bytes = pay::encode_frame(pay::AckFrame{}).size();

    std::cout << fmt::format("{:<44}{:>12}{:>16}\n", fmt::format("one core, medians of {}", kRepetitions), "per second",
                             "per CPU second");
    print("vouchers verified and durably stored", vouchers);
    print("ticks verified", ticks);
    print("ECDSA signatures verified (the limit)", verifying);
    print("vouchers signed", signing);
    std::cout << fmt::format("bytes per payment: {} for the voucher, {} for its acknowledgement\n", voucher_bytes,
                             ack_bytes);

    const boost::json::object figures{{"vouchers_per_s", vouchers.per_second},
                                      {"ticks_per_s", ticks.per_second},
                                      {"ecdsa_verify_per_s", verifying.per_second},
                                      {"sign_per_s", signing.per_second},
                                      {"vouchers_per_cpu_s", vouchers.per_processor_second},
                                      {"ticks_per_cpu_s", ticks.per_processor_second},
                                      {"ecdsa_verify_per_cpu_s", verifying.per_processor_second},
                                      {"sign_per_cpu_s", signing.per_processor_second},
                                      {"voucher_bytes", voucher_bytes},
                                      {"ack_bytes", ack_bytes}};
    std::ofstream(result) << boost::json::serialize(figures) << '\n';
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: bench_pay RESULT.json [FOLDER OF THE LEDGER]\n";
        return EXIT_FAILURE;
    }
    const std::filesystem::path result = argv[1];
    const auto folder = argc == 3 ? std::filesystem::path(argv[2]) : result.parent_path();
    return run(result, folder);
}
