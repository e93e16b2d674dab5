// A disk for tests: a SQLite VFS over memory that remembers in which order it was written and what was synced, can fail
// at any call, and can say what would be left of it after a killed process or a power failure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "myst/base/bytes.hpp"

namespace myst::sys::testing {

/// Content by name.
using Files = std::map<std::string, Bytes>;

/// Something that changed the disk, or a remark of the test.
struct DiskEvent {
    enum class Kind { create, write, truncate, sync, remove, remark };
    Kind kind{};
    std::string file;          ///< empty for a remark
    std::uint64_t offset = 0;  ///< of a write; new size of a truncated file; 1 for a synced removal; a remark's number
    Bytes data{};              ///< of a write
};
using DiskLog = std::span<const DiskEvent>;

/// What a killed process leaves: every event of the log. `torn`: and the first half of one more write.
[[nodiscard]] Files after_kill(Files before, DiskLog log, const DiskEvent* torn = nullptr);

/// What a power failure leaves: what was synced, and of everything later an arbitrary part, in sectors of 512 bytes. A
/// new file's name is there once the file is synced; one whose removal was not synced may be
/// there again.
[[nodiscard]] Files after_power_failure(Files before, DiskLog log, std::mt19937_64& random);

/// How a call fails.
enum class DiskFault {
    io_error,     ///< EIO, of a read, write, truncation, removal or sync
    no_space,     ///< ENOSPC, of a write
    short_write,  ///< half is written, then ENOSPC
};

/// The disk. Registered with SQLite under `name()` while it lives. Any thread. Takes no locks: a second process cannot
/// be played with it.
class MemoryDisk {
public:
    explicit MemoryDisk(Files files = {});
    ~MemoryDisk();
    MemoryDisk(const MemoryDisk&) = delete;
    MemoryDisk& operator=(const MemoryDisk&) = delete;

    [[nodiscard]] const std::string& name() const;
    /// The call in `calls` calls from now (0: the next one) fails once, if it is one that can fail in this way.
    void fail_once(std::size_t calls, DiskFault fault);
    struct Failure {
        std::string file;
        bool sync = false;       ///< it was a sync
        std::size_t events = 0;  ///< in the log by then
    };
    /// What has failed by `fail_once`.
    [[nodiscard]] std::optional<Failure> failure() const;
    /// Puts a number into the log.
    void remark(std::uint64_t number);

    /// Calls until now that `fail_once` counts.
    [[nodiscard]] std::size_t calls() const;
    [[nodiscard]] std::vector<DiskEvent> log() const;
    [[nodiscard]] Files files() const;

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::sys::testing
