// A small file beside a database, reached through the same SQLite VFS: whatever stands in for the file system sees it,
// too.
#pragma once

#include <memory>
#include <string>

#include "myst/base/bytes.hpp"

namespace myst::sys {

/// One open file. All calls block; one thread at a time. A failing disk is ErrorCode::io. Move-only.
class SideFile {
public:
    /// Opens or creates the file. `vfs` as in DatabaseSettings.
    [[nodiscard]] static Result<SideFile> open(const std::string& path, const std::string& vfs);

    /// The file's beginning, at most `max_bytes`.
    [[nodiscard]] Result<Bytes> read(std::size_t max_bytes);
    /// Overwrites the file's beginning. It survives the process at once, and a power failure after `sync`.
    [[nodiscard]] Result<> write(BytesView content);
    /// Returns when content, and the file's name if it is new, are on disk.
    [[nodiscard]] Result<> sync();

private:
    struct Handle;
    struct Close {
        void operator()(Handle* handle) const;
    };
    explicit SideFile(std::unique_ptr<Handle, Close> handle) : handle_(std::move(handle)) {}
    std::unique_ptr<Handle, Close> handle_;
};

}  // namespace myst::sys
