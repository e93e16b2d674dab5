#include "myst/sys/test_support/memory_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <utility>

namespace myst::sys::testing {
namespace {

constexpr std::uint64_t kSector = 512;

void write_at(Bytes& file, std::uint64_t offset, BytesView data) {
    if (data.empty()) return;
    file.resize(std::max<std::size_t>(file.size(), offset + data.size()));
    std::memcpy(file.data() + offset, data.data(), data.size());
}

void redo(Files& files, const DiskEvent& event) {
    using Kind = DiskEvent::Kind;
    switch (event.kind) {
        case Kind::create: files[event.file]; break;
        case Kind::write: write_at(files[event.file], event.offset, event.data); break;
        case Kind::truncate: files[event.file].resize(event.offset); break;
        case Kind::remove: files.erase(event.file); break;
        case Kind::sync:
        case Kind::remark: break;
    }
}

/// How much of what was not synced reaches the disk.
enum class Survival { none, sectors, last_torn, all };

/// Writes those sectors of a write that the power failure let through.
void write_in_part(Bytes& file, const DiskEvent& write, Survival survival, bool last, std::mt19937_64& random) {
    const bool whole = survival == Survival::all || (survival == Survival::last_torn && !last);
    for (std::uint64_t done = 0; done < write.data.size();) {
        const auto position = write.offset + done;
        const auto size = std::min<std::uint64_t>(kSector - position % kSector, write.data.size() - done);
        if (whole || random() % 2 == 0) write_at(file, position, BytesView(write.data).subspan(done, size));
        done += size;
    }
}

}  // namespace

Files after_kill(Files before, DiskLog log, const DiskEvent* torn) {
    for (const auto& event : log) redo(before, event);
    if (torn && torn->kind == DiskEvent::Kind::write) {
        auto half = *torn;
        half.data.resize(half.data.size() / 2);
        redo(before, half);
    }
    return before;
}

Files after_power_failure(Files before, DiskLog log, std::mt19937_64& random) {
    using Kind = DiskEvent::Kind;
    Files disk = std::move(before);
    std::map<std::string, std::vector<const DiskEvent*>> unsynced;
    for (const auto& event : log) {
        if (event.kind == Kind::remark) continue;
        auto& waiting = unsynced[event.file];
        waiting.push_back(&event);
        if (event.kind == Kind::sync || (event.kind == Kind::remove && event.offset == 1)) {
            for (const auto* done : std::exchange(waiting, {})) redo(disk, *done);
        }
    }
    for (const auto& [file, events] : unsynced) {
        if (events.empty()) continue;
        const auto survival = static_cast<Survival>(random() % 4);
        if (survival == Survival::none) continue;
        for (const auto* event : events) {
            if (event->kind == Kind::write) {
                write_in_part(disk[file], *event, survival, event == events.back(), random);
            } else if (survival == Survival::all || random() % 2 == 0) {
                redo(disk, *event);
            }
        }
    }
    return disk;
}

// ---- the VFS -------------------------------------------------------------------------------------------------------

struct MemoryDisk::Impl {
    /// Whether this call fails now; it can in the `possible` ways.
    bool fails(const std::string& file, std::initializer_list<DiskFault> possible, bool sync = false) {
        const bool here = fault && calls == fault_at;
        ++calls;
        if (!here || std::find(possible.begin(), possible.end(), *fault) == possible.end()) return false;
        failure = Failure{file, sync, log.size()};
        return true;
    }
    void note(DiskEvent event) {
        redo(files, event);
        log.push_back(std::move(event));
    }

    mutable std::mutex mutex;
    Files files;
    std::vector<DiskEvent> log;
    std::size_t calls = 0;
    std::size_t fault_at = 0;
    std::optional<DiskFault> fault;
    std::optional<Failure> failure;
    std::string name;
    sqlite3_vfs vfs{};
};

namespace {

using Kind = DiskEvent::Kind;

/// SQLite's view of an open file.
struct OpenFile {
    sqlite3_file base;
    MemoryDisk::Impl* disk;
    std::string* name;  ///< empty for a temporary file
    Bytes* temporary;   ///< its content
};

OpenFile& open_file(sqlite3_file* file) {
    return *reinterpret_cast<OpenFile*>(file);
}

MemoryDisk::Impl& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<MemoryDisk::Impl*>(vfs->pAppData);
}

Bytes& content(OpenFile& file) {
    return file.name->empty() ? *file.temporary : file.disk->files[*file.name];
}

int close_file(sqlite3_file* handle) {
    auto& file = open_file(handle);
    delete file.name;
    delete file.temporary;
    return SQLITE_OK;
}

int read_file(sqlite3_file* handle, void* target, int size, sqlite3_int64 offset) {
    auto& file = open_file(handle);
    const std::lock_guard lock(file.disk->mutex);
    if (!file.name->empty() && file.disk->fails(*file.name, {DiskFault::io_error})) return SQLITE_IOERR_READ;
    const auto& bytes = content(file);
    const auto wanted = static_cast<std::size_t>(size);
    const auto begin = std::min(static_cast<std::size_t>(offset), bytes.size());
    const auto found = std::min(wanted, bytes.size() - begin);
    std::memset(target, 0, wanted);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), found, static_cast<std::uint8_t*>(target));
    return found == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* handle, const void* source, int size, sqlite3_int64 offset) {
    auto& file = open_file(handle);
    const std::lock_guard lock(file.disk->mutex);
    const BytesView data(static_cast<const std::uint8_t*>(source), static_cast<std::size_t>(size));
    const auto position = static_cast<std::uint64_t>(offset);
    if (file.name->empty()) {
        write_at(*file.temporary, position, data);
        return SQLITE_OK;
    }
    if (!file.disk->fails(*file.name, {DiskFault::io_error, DiskFault::no_space, DiskFault::short_write})) {
        file.disk->note({Kind::write, *file.name, position, Bytes(data.begin(), data.end())});
        return SQLITE_OK;
    }
    if (file.disk->fault == DiskFault::io_error) return SQLITE_IOERR_WRITE;
    if (file.disk->fault == DiskFault::short_write) {
        const auto half = data.first(data.size() / 2);
        file.disk->note({Kind::write, *file.name, position, Bytes(half.begin(), half.end())});
    }
    return SQLITE_FULL;
}

int truncate_file(sqlite3_file* handle, sqlite3_int64 size) {
    auto& file = open_file(handle);
    const std::lock_guard lock(file.disk->mutex);
    if (file.name->empty()) {
        file.temporary->resize(static_cast<std::size_t>(size));
        return SQLITE_OK;
    }
    if (file.disk->fails(*file.name, {DiskFault::io_error})) return SQLITE_IOERR_TRUNCATE;
    file.disk->note({Kind::truncate, *file.name, static_cast<std::uint64_t>(size)});
    return SQLITE_OK;
}

int sync_file(sqlite3_file* handle, int) {
    auto& file = open_file(handle);
    const std::lock_guard lock(file.disk->mutex);
    if (file.name->empty()) return SQLITE_OK;
    if (file.disk->fails(*file.name, {DiskFault::io_error}, true)) return SQLITE_IOERR_FSYNC;
    file.disk->note({Kind::sync, *file.name});
    return SQLITE_OK;
}

int file_size(sqlite3_file* handle, sqlite3_int64* size) {
    auto& file = open_file(handle);
    const std::lock_guard lock(file.disk->mutex);
    *size = static_cast<sqlite3_int64>(content(file).size());
    return SQLITE_OK;
}

int no_lock(sqlite3_file*, int) {
    return SQLITE_OK;
}

int no_reserved_lock(sqlite3_file*, int* result) {
    *result = 0;
    return SQLITE_OK;
}

int no_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
    return 4096;  // what SQLite assumes on Linux
}

int characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // likewise
}

const sqlite3_io_methods kMethods{
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = no_lock,
    .xUnlock = no_lock,
    .xCheckReservedLock = no_reserved_lock,
    .xFileControl = no_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_on(sqlite3_vfs* vfs, const char* name, sqlite3_file* handle, int flags, int* out_flags) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    handle->pMethods = nullptr;
    if (name && disk.fails(name, {DiskFault::io_error})) return SQLITE_CANTOPEN;
    if (name && !disk.files.contains(name)) {
        if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
        disk.note({Kind::create, name});
    }
    auto& file = open_file(handle);
    file.disk = &disk;
    file.name = new std::string(name ? name : "");
    file.temporary = new Bytes;
    handle->pMethods = &kMethods;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

int remove_on(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    if (!disk.files.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
    if (disk.fails(name, {DiskFault::io_error})) return SQLITE_IOERR_DELETE;
    disk.note({Kind::remove, name, sync_folder ? 1U : 0U});
    return SQLITE_OK;
}

int exists_on(sqlite3_vfs* vfs, const char* name, int, int* result) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex);
    *result = disk.files.contains(name) ? 1 : 0;
    return SQLITE_OK;
}

int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

sqlite3_vfs* system_vfs() {
    return sqlite3_vfs_find(nullptr);
}

}  // namespace

MemoryDisk::MemoryDisk(Files files) : impl_(std::make_unique<Impl>()) {
    static std::atomic<std::uint64_t> count{0};
    impl_->files = std::move(files);
    impl_->name = "memory-disk-" + std::to_string(++count);
    auto& vfs = impl_->vfs;
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(OpenFile);
    vfs.mxPathname = 512;
    vfs.zName = impl_->name.c_str();
    vfs.pAppData = impl_.get();
    vfs.xOpen = open_on;
    vfs.xDelete = remove_on;
    vfs.xAccess = exists_on;
    vfs.xFullPathname = full_name;
    vfs.xRandomness = [](sqlite3_vfs*, int size, char* out) {
        return system_vfs()->xRandomness(system_vfs(), size, out);
    };
    vfs.xSleep = [](sqlite3_vfs*, int) { return 0; };
    vfs.xCurrentTime = [](sqlite3_vfs*, auto* out) { return system_vfs()->xCurrentTime(system_vfs(), out); };
    vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    sqlite3_vfs_register(&vfs, 0);
}

MemoryDisk::~MemoryDisk() {
    sqlite3_vfs_unregister(&impl_->vfs);
}

const std::string& MemoryDisk::name() const {
    return impl_->name;
}

void MemoryDisk::fail_once(std::size_t calls, DiskFault fault) {
    const std::lock_guard lock(impl_->mutex);
    impl_->fault_at = impl_->calls + calls;
    impl_->fault = fault;
    impl_->failure.reset();
}

std::optional<MemoryDisk::Failure> MemoryDisk::failure() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->failure;
}

void MemoryDisk::remark(std::uint64_t number) {
    const std::lock_guard lock(impl_->mutex);
    impl_->note({Kind::remark, "", number});
}

std::size_t MemoryDisk::calls() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->calls;
}

std::vector<DiskEvent> MemoryDisk::log() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->log;
}

Files MemoryDisk::files() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->files;
}

}  // namespace myst::sys::testing
