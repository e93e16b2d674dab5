// How fast records go into the store and out of it, on one core and this disk: `bench_db RESULT.json [FOLDER]`.
// A record takes the relay's way: JSON → strict parse → id and signature → admission → store, which shares commits.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include "db_workload.hpp"
#include "fan_out.hpp"
#include "measure.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/db/admission.hpp"
#include "myst/db/negentropy.hpp"
#include "myst/db/sqlite_record_store.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "results_file.hpp"

namespace {

using namespace myst;
using namespace myst::bench;

constexpr std::size_t kIngested = 20'000;  ///< of one repetition
constexpr std::size_t kRecords = 100'000;  ///< in the store that is queried
constexpr std::size_t kAtOnce = 1'024;     ///< records under way at a time
constexpr std::size_t kQueries = 2'000;
constexpr std::size_t kSignatures = 10'000;
constexpr std::size_t kOneSided = 500;  ///< records that either side of a reconciliation has for itself

Task<> take(const std::vector<std::string>& texts, std::size_t first, db::RecordStore& store, std::size_t& stored) {
    const db::AdmissionPolicy policy;
    for (std::size_t i = first; i < texts.size(); i += kAtOnce) {
        auto record = db::Record::verify_json(texts[i]);
        CHECK(record && !db::check_admission((*record)->event(), policy, kNow));
        auto put = co_await store.put(std::move(*record), kNow);
        CHECK(put && *put == db::PutOutcome::stored);
        ++stored;
    }
}

Task<> take_all(const std::vector<std::string>& texts, db::RecordStore& store, std::size_t& stored) {
    TaskGroup group(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < kAtOnce; ++i) group.spawn("sender", take(texts, i, store, stored));
    co_await group.join();
}

Task<> ask_all(db::RecordStore& store, std::vector<nanoseconds>& times) {
    for (std::size_t i = 0; i < kQueries; ++i) {
        const auto start = std::chrono::steady_clock::now();
        std::vector<codec::Filter> filters{question(i)};
        auto found = co_await store.query(std::move(filters), {}, kNow);
        times.push_back(std::chrono::steady_clock::now() - start);
        CHECK(found && found->size() == kPageOfQuery);
    }
}

/// A store in a file that is removed with it.
class StoreOnDisk {
public:
    explicit StoreOnDisk(const std::filesystem::path& folder) : file_(folder / "bench-records.db") {
        remove();
        auto opened = db::SqliteRecordStore::open({.path = file_.string()});
        CHECK(opened);
        store_ = std::move(*opened);
    }
    ~StoreOnDisk() {
        store_.reset();
        remove();
    }
    StoreOnDisk(const StoreOnDisk&) = delete;
    StoreOnDisk& operator=(const StoreOnDisk&) = delete;
    void fill(const std::vector<std::string>& texts) {
        std::size_t stored = 0;
        CHECK(run_task(context_, take_all(texts, *store_, stored)) == nullptr);
        CHECK(stored == texts.size());
    }
    /// How long each of the queries took.
    [[nodiscard]] std::vector<nanoseconds> ask() {
        std::vector<nanoseconds> times;
        CHECK(run_task(context_, ask_all(*store_, times)) == nullptr);
        return times;
    }
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const char* suffix : {"", "-wal"}) {
            const auto path = file_.string() + suffix;
            if (std::filesystem::exists(path)) sum += std::filesystem::file_size(path);
        }
        return sum;
    }

private:
    void remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + suffix);
    }
    std::filesystem::path file_;
    asio::io_context context_;  ///< outlives the store, whose thread ends its tasks on it
    std::unique_ptr<db::SqliteRecordStore> store_;
};

/// The signatures alone: what no store that checks them can pass on this core.
Rate measure_signatures() {
    crypto::SystemRng rng;
    const auto key = crypto::PrivateKey::generate(rng);
    std::vector<std::pair<Hash32, crypto::SchnorrSignature>> signatures;
    for (std::size_t i = 0; i < kSignatures; ++i) {
        const auto digest = random_bytes<Hash32>(rng);
        signatures.emplace_back(digest, key.sign_schnorr(digest.bytes, Hash32{}));
    }
    const auto author = key.node_key();
    return measure(kSignatures, [&] {
        for (const auto& [digest, signature] : signatures)
            CHECK(crypto::verify_schnorr(author, digest.bytes, signature));
    });
}

Rate measure_ingest(const std::vector<std::string>& texts, const std::filesystem::path& folder) {
    return measure(texts.size(), [&] { StoreOnDisk(folder).fill(texts); });
}

struct Queries {
    double p50_ms = 0;
    double p99_ms = 0;
    std::uint64_t disk_bytes = 0;    ///< of the store, its log included
    std::uint64_t memory_bytes = 0;  ///< by which the program grew while the store was filled and asked
};

Queries measure_queries(const std::vector<std::string>& texts, const std::filesystem::path& folder) {
    const auto before = resident_bytes();
    StoreOnDisk disk(folder);
    disk.fill(texts);
    auto times = disk.ask();
    std::sort(times.begin(), times.end());
    const auto after = resident_bytes();
    return {percentile_ms(times, 50), percentile_ms(times, 99), disk.bytes(), after > before ? after - before : 0};
}

struct Reconciliation {
    double ms = 0;  ///< of both sides' work, without a network
    std::size_t rounds = 0;
    std::size_t bytes = 0;
    std::size_t differences = 0;
};

/// Two sets of 100,000, of which the other does not know 500, scattered over the whole time.
Reconciliation measure_reconciliation(const std::vector<std::string>& texts) {
    std::vector<db::SyncItem> ours;
    std::vector<db::SyncItem> theirs;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto event = codec::parse_event(texts[i]);
        CHECK(event);
        const db::SyncItem item{static_cast<std::uint64_t>(event->created_at.time_since_epoch().count()), event->id};
        const auto turn = i % (texts.size() / kOneSided);
        if (turn != 0) ours.push_back(item);
        if (turn != texts.size() / kOneSided / 2) theirs.push_back(item);
    }
    Reconciliation result;
    const auto start = std::chrono::steady_clock::now();
    const db::SyncSet client(std::move(ours));
    const db::SyncSet server(std::move(theirs));
    std::optional<Bytes> message = db::sync_open(client);
    while (message) {
        ++result.rounds;
        const auto answer = db::sync_answer(server, *message);
        CHECK(answer);
        result.bytes += message->size() + answer->size();
        auto step = db::sync_step(client, *answer);
        CHECK(step);
        result.differences += step->have.size() + step->need.size();
        message = std::move(step->next);
    }
    result.ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    CHECK(result.differences == 2 * kOneSided);
    return result;
}

void print_rates(const Rate& ingest, const Rate& shuffled, const Rate& signatures) {
    std::cout << fmt::format("{:<52}{:>12}{:>16}\n", fmt::format("one core, medians of {}", kRepetitions), "per second",
                             "per CPU second");
    const auto print = [](const char* what, const Rate& rate) {
        std::cout << fmt::format("{:<52}{:>12}{:>16}\n", what, rate.per_second, rate.per_processor_second);
    };
    print("records checked and stored durably", ingest);
    print("the same, not in the order of their time", shuffled);
    print("Schnorr signatures verified (the limit)", signatures);
}

void print_rest(const Queries& queries, const Reconciliation& sync, const FanOut& fan_out) {
    std::cout << fmt::format("a query for {} of {} proposals: median {:.2f} ms, 99 % within {:.2f} ms\n", kPageOfQuery,
                             kRecords, queries.p50_ms, queries.p99_ms);
    std::cout << fmt::format("{} records: {} MiB on disk, {} MiB of memory\n", kRecords, queries.disk_bytes >> 20,
                             queries.memory_bytes >> 20);
    std::cout << fmt::format("reconciling {} records, {} differences: {:.0f} ms, {} rounds, {} bytes ({} for each)\n",
                             kRecords, sync.differences, sync.ms, sync.rounds, sync.bytes,
                             sync.bytes / sync.differences);
    std::cout << fmt::format(
        "{} subscribers, {} updates per second: {} deliveries, median {:.2f} ms, 99 % within {:.2f} ms, {:.0f} % of a "
        "core, {} KiB each\n",
        fan_out.subscribers, fan_out.updates_per_second, fan_out.deliveries, fan_out.p50_ms, fan_out.p99_ms,
        fan_out.processor_share * 100, fan_out.bytes_per_subscriber >> 10);
}

int run(const std::filesystem::path& result, const std::filesystem::path& folder) {
    pin_to_one_processor();
    const auto fan_out = measure_fan_out();
    const auto texts = proposals(kRecords, kNow);
    std::vector<std::string> some(texts.begin(), texts.begin() + kIngested);
    const auto signatures = measure_signatures();
    const auto ingest = measure_ingest(some, folder);
    std::shuffle(some.begin(), some.end(), std::minstd_rand(1));
    const auto shuffled = measure_ingest(some, folder);
    const auto queries = measure_queries(texts, folder);
    const auto sync = measure_reconciliation(texts);
    print_rates(ingest, shuffled, signatures);
    print_rest(queries, sync, fan_out);
    save_figures(result, {{"ingest_per_s", ingest.per_second},
                          {"ingest_per_cpu_s", ingest.per_processor_second},
                          {"ingest_shuffled_per_s", shuffled.per_second},
                          {"ingest_shuffled_per_cpu_s", shuffled.per_processor_second},
                          {"schnorr_verify_per_s", signatures.per_second},
                          {"schnorr_verify_per_cpu_s", signatures.per_processor_second},
                          {"query_p50_ms", queries.p50_ms},
                          {"query_p99_ms", queries.p99_ms},
                          {"disk_bytes_per_100k", queries.disk_bytes},
                          {"memory_bytes_per_100k", queries.memory_bytes},
                          {"reconcile_ms", sync.ms},
                          {"reconcile_rounds", sync.rounds},
                          {"reconcile_bytes", sync.bytes},
                          {"reconcile_bytes_per_difference", sync.bytes / sync.differences},
                          {"subscribers", fan_out.subscribers},
                          {"subscriber_updates_per_s", fan_out.updates_per_second},
                          {"subscriber_deliveries", fan_out.deliveries},
                          {"subscriber_p50_ms", fan_out.p50_ms},
                          {"subscriber_p99_ms", fan_out.p99_ms},
                          {"subscriber_processor_share", fan_out.processor_share},
                          {"memory_bytes_per_subscriber", fan_out.bytes_per_subscriber}});
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "--subscribers") {
        return run_subscribers(static_cast<std::uint16_t>(std::stoul(argv[2])), std::stoul(argv[3]));
    }
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: bench_db RESULT.json [FOLDER OF THE STORE]\n";
        return EXIT_FAILURE;
    }
    const std::filesystem::path result = argv[1];
    const auto folder = argc == 3 ? std::filesystem::path(argv[2]) : result.parent_path();
    return run(result, folder);
}
