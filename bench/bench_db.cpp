// How fast records go into the store and out of it, on one core and this disk: `bench_db RESULT.json [FOLDER]`.
// A record takes the relay's way: JSON → strict parse → id and signature → admission → store, which shares commits.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <fmt/format.h>

#include "measure.hpp"
#include "myst/db/admission.hpp"
#include "myst/db/sqlite_record_store.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "proposals.hpp"

namespace {

using namespace myst;
using namespace myst::bench;

constexpr std::size_t kIngested = 20'000;  ///< of one repetition
constexpr std::size_t kRecords = 100'000;  ///< in the store that is queried
constexpr std::size_t kAtOnce = 256;       ///< records under way at a time
constexpr std::size_t kQueries = 2'000;
constexpr std::size_t kSignatures = 10'000;
constexpr std::size_t kPageOfQuery = 100;  ///< records that a query asks for
constexpr UnixTime kNow{seconds(1'800'000'000)};

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
        std::vector<codec::Filter> filters{question(i, kPageOfQuery)};
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
    const auto at = [&times](std::size_t percent) {
        return std::chrono::duration<double, std::milli>(times[times.size() * percent / 100]).count();
    };
    const auto after = resident_bytes();
    return {at(50), at(99), disk.bytes(), after > before ? after - before : 0};
}

int run(const std::filesystem::path& result, const std::filesystem::path& folder) {
    pin_to_one_processor();
    const auto texts = proposals(kRecords, kNow);
    const std::vector<std::string> some(texts.begin(), texts.begin() + kIngested);
    const auto signatures = measure_signatures();
    const auto ingest = measure_ingest(some, folder);
    const auto queries = measure_queries(texts, folder);

    std::cout << fmt::format("{:<44}{:>12}{:>16}\n", fmt::format("one core, medians of {}", kRepetitions), "per second",
                             "per CPU second");
    const auto print = [](const char* what, const Rate& rate) {
        std::cout << fmt::format("{:<44}{:>12}{:>16}\n", what, rate.per_second, rate.per_processor_second);
    };
    print("records checked and stored", ingest);
    print("Schnorr signatures verified (the limit)", signatures);
    std::cout << fmt::format("a query for {} of {} proposals: median {:.2f} ms, 99 % within {:.2f} ms\n", kPageOfQuery,
                             kRecords, queries.p50_ms, queries.p99_ms);
    std::cout << fmt::format("{} records: {} MiB on disk, {} MiB of memory\n", kRecords, queries.disk_bytes >> 20,
                             queries.memory_bytes >> 20);

    const boost::json::object figures{{"ingest_per_s", ingest.per_second},
                                      {"ingest_per_cpu_s", ingest.per_processor_second},
                                      {"schnorr_verify_per_s", signatures.per_second},
                                      {"schnorr_verify_per_cpu_s", signatures.per_processor_second},
                                      {"query_p50_ms", queries.p50_ms},
                                      {"query_p99_ms", queries.p99_ms},
                                      {"disk_bytes_per_100k", queries.disk_bytes},
                                      {"memory_bytes_per_100k", queries.memory_bytes}};
    std::ofstream(result) << boost::json::serialize(figures) << '\n';
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: bench_db RESULT.json [FOLDER OF THE STORE]\n";
        return EXIT_FAILURE;
    }
    const std::filesystem::path result = argv[1];
    const auto folder = argc == 3 ? std::filesystem::path(argv[2]) : result.parent_path();
    return run(result, folder);
}
