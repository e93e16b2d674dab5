#include "myst/sys/side_file.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

namespace myst::sys {

struct SideFile::Handle {
    std::string path;  ///< the VFS keeps a pointer to it
    std::vector<std::max_align_t> memory;
    [[nodiscard]] sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory.data()); }
    [[nodiscard]] const sqlite3_io_methods& methods() { return *file()->pMethods; }
    [[nodiscard]] tl::unexpected<Error> failure(int code, std::string_view what) const {
        return fail(ErrorCode::io, fmt::format("{} {}: {}", what, path, sqlite3_errstr(code)));
    }
};

void SideFile::Close::operator()(Handle* handle) const {
    if (handle->file()->pMethods) handle->methods().xClose(handle->file());
    delete handle;
}

Result<SideFile> SideFile::open(const std::string& path, const std::string& vfs) {
    auto* system = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
    if (!system) return fail(ErrorCode::not_found, "no such SQLite VFS: " + vfs);
    const auto size = static_cast<std::size_t>(system->szOsFile) / sizeof(std::max_align_t) + 1;
    std::unique_ptr<Handle, Close> handle(new Handle{path, std::vector<std::max_align_t>(size)});
    // Of the kinds that SQLite knows, the one that stands for itself: no lock, no name derived from a database's.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL;
    const int code = system->xOpen(system, handle->path.c_str(), handle->file(), flags, nullptr);
    if (code != SQLITE_OK) return handle->failure(code, "opening");
    return SideFile(std::move(handle));
}

Result<Bytes> SideFile::read(std::size_t max_bytes) {
    sqlite3_int64 size = 0;
    if (const int code = handle_->methods().xFileSize(handle_->file(), &size); code != SQLITE_OK) {
        return handle_->failure(code, "reading");
    }
    Bytes content(std::min(static_cast<std::size_t>(size), max_bytes));
    if (content.empty()) return content;
    const int code = handle_->methods().xRead(handle_->file(), content.data(), static_cast<int>(content.size()), 0);
    if (code != SQLITE_OK) return handle_->failure(code, "reading");
    return content;
}

Result<> SideFile::write(BytesView content) {
    const int code = handle_->methods().xWrite(handle_->file(), content.data(), static_cast<int>(content.size()), 0);
    if (code != SQLITE_OK) return handle_->failure(code, "writing");
    return {};
}

Result<> SideFile::sync() {
    if (const int code = handle_->methods().xSync(handle_->file(), SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
        code != SQLITE_OK) {
        return handle_->failure(code, "syncing");
    }
    return {};
}

}  // namespace myst::sys
