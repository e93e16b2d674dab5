// SQLite, LMDB and RocksDB at the work of the record store (docs/adr/0007-record-store.md):
// `bench_stores RESULT.json [FOLDER]`. One core; each store in a process of its own; every batch is on disk before the
// next. Signatures are not part of it.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>

#include <fmt/format.h>

#include "db_workload.hpp"
#include "measure.hpp"
#include "results_file.hpp"
#include "store_engines.hpp"

namespace {

using namespace myst;
using namespace myst::bench;
using Records = std::vector<db::SharedRecord>;
using Folder = std::filesystem::path;

constexpr std::size_t kRecords = 100'000;
constexpr std::size_t kReplaced = 20'000;
constexpr std::size_t kBatch = 256;  ///< records that share a commit
constexpr std::size_t kQueries = 2'000;
constexpr std::size_t kBatchesBeforeKill = 40;

struct Span {
    double wall_us = 0;
    double processor_us = 0;
};

/// What one of `operations` took.
template <class Work>
Span time_of(std::size_t operations, Work work) {
    using Micro = std::chrono::duration<double, std::micro>;
    const auto used_before = processor_time();
    const auto start = std::chrono::steady_clock::now();
    work();
    const auto count = static_cast<double>(operations);
    return {Micro(std::chrono::steady_clock::now() - start).count() / count,
            Micro(processor_time() - used_before).count() / count};
}

Records batch_of(const Records& records, std::size_t first) {
    const auto last = std::min(first + kBatch, records.size());
    return {records.begin() + static_cast<std::ptrdiff_t>(first), records.begin() + static_cast<std::ptrdiff_t>(last)};
}

std::size_t put_all(StoreEngine& store, const Records& records, UnixTime now) {
    std::size_t stored = 0;
    for (std::size_t i = 0; i < records.size(); i += kBatch) stored += store.put(batch_of(records, i), now);
    return stored;
}

std::uint64_t bytes_in(const Folder& folder) {
    std::uint64_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        // LMDB's file may have holes.
        struct stat status {};
        CHECK(::stat(file.path().c_str(), &status) == 0);
        sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    return sum;
}

Folder empty_folder(const Folder& parent, const std::string& name) {
    auto folder = parent / ("bench-store-" + name);
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    return folder;
}

/// Kills a process while it writes; how many records it had been told are stored, and what opening took then.
/// Ends the program if one of them is gone.
double reopen_after_kill(const std::string& name, const Folder& folder, const Records& records) {
    std::array<int, 2> pipe_ends{};
    CHECK(pipe(pipe_ends.data()) == 0);
    const auto writer = fork();
    CHECK(writer >= 0);
    if (writer == 0) {
        const auto store = open_engine(name, folder);
        for (std::size_t i = 0; i < records.size(); i += kBatch) {
            std::ignore = store->put(batch_of(records, i), kNow);
            CHECK(::write(pipe_ends[1], "x", 1) == 1);
        }
        _exit(EXIT_SUCCESS);
    }
    ::close(pipe_ends[1]);
    char mark = 0;
    std::size_t batches = 0;
    while (batches < kBatchesBeforeKill && ::read(pipe_ends[0], &mark, 1) == 1) ++batches;
    CHECK(kill(writer, SIGKILL) == 0);
    while (::read(pipe_ends[0], &mark, 1) == 1) ++batches;
    ::close(pipe_ends[0]);
    waitpid(writer, nullptr, 0);
    std::unique_ptr<StoreEngine> store;
    const auto opening = time_of(1, [&] { store = open_engine(name, folder); });
    for (std::size_t i = 0; i < batches; ++i) CHECK(store->put(batch_of(records, i * kBatch), kNow) == 0);
    return opening.wall_us / 1'000;
}

std::vector<nanoseconds> ask(StoreEngine& store) {
    std::vector<nanoseconds> times;
    for (std::size_t i = 0; i < kQueries; ++i) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(store.query(question(i), kNow).size() == kPageOfQuery);
        times.push_back(std::chrono::steady_clock::now() - start);
    }
    std::sort(times.begin(), times.end());
    return times;
}

boost::json::object measure_store(const std::string& name, const Folder& parent, const Records& records,
                                  const Records& newer) {
    const auto folder = empty_folder(parent, name);
    const auto memory_before = resident_bytes();
    auto store = open_engine(name, folder);
    const auto ingest = time_of(kRecords, [&] { CHECK(put_all(*store, records, kNow) == kRecords); });
    const auto times = ask(*store);
    const auto memory = resident_bytes() - memory_before;
    const auto replacing = time_of(kReplaced, [&] { CHECK(put_all(*store, newer, kNow) == kReplaced); });
    store.reset();
    const auto disk = bytes_in(folder);
    const auto opening = time_of(1, [&] { store = open_engine(name, folder); });
    const auto later = kNow + seconds(6 * 3'600) + db::kVersionMemory;
    const auto expiry = time_of(kRecords, [&] { CHECK(store->purge(later) == kRecords); });
    store.reset();
    const auto crashed = empty_folder(parent, name);
    const auto reopening = reopen_after_kill(name, crashed, records);
    std::filesystem::remove_all(crashed);
    std::cout << fmt::format("{:<9}{:>8.1f}{:>8.1f}{:>8.2f}{:>8.2f}{:>9.1f}{:>9.1f}{:>8}{:>8}{:>9.1f}{:>9.1f}\n", name,
                             ingest.wall_us, ingest.processor_us, percentile_ms(times, 50), percentile_ms(times, 99),
                             replacing.processor_us, expiry.processor_us, disk >> 20, memory >> 20,
                             opening.wall_us / 1'000, reopening)
              << std::flush;
    return {{name + "_ingest_us", ingest.wall_us},
            {name + "_ingest_cpu_us", ingest.processor_us},
            {name + "_query_p50_ms", percentile_ms(times, 50)},
            {name + "_query_p99_ms", percentile_ms(times, 99)},
            {name + "_replace_cpu_us", replacing.processor_us},
            {name + "_expire_cpu_us", expiry.processor_us},
            {name + "_disk_bytes", disk},
            {name + "_memory_bytes", memory},
            {name + "_open_ms", opening.wall_us / 1'000},
            {name + "_open_after_kill_ms", reopening}};
}

Records records_of(const std::vector<std::string>& texts) {
    Records records;
    for (const auto& text : texts) records.push_back(*db::Record::verify_json(text));
    return records;
}

int run(const Folder& result, const Folder& folder) {
    pin_to_one_processor();
    const auto records = records_of(proposals(kRecords, kNow));
    std::vector<std::string> newer_texts;
    for (std::size_t i = 0; i < kReplaced; ++i) newer_texts.push_back(proposal(i, kNow + seconds(1)));
    const auto newer = records_of(newer_texts);
    std::cout << "one core; µs a record, ms a query or opening, MiB\n"
                 "            store  of CPU   query    p99  replace   expire    disk  memory     open  killed\n"
              << std::flush;
    for (const std::string name : {"sqlite", "lmdb", "rocksdb"}) {
        const auto child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            save_figures(result, measure_store(name, folder, records, newer));
            _exit(EXIT_SUCCESS);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: bench_stores RESULT.json [FOLDER OF THE STORES]\n";
        return EXIT_FAILURE;
    }
    const Folder result = argv[1];
    return run(result, argc == 3 ? Folder(argv[2]) : result.parent_path());
}
