// Small files that must be whole and private: keys, settings, saved state. All calls block; any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "myst/base/bytes.hpp"

namespace myst::sys {

/// The whole regular file; a missing one is not_found, one of more than `max_bytes` is limit_exceeded.
[[nodiscard]] Result<Bytes> read_file(const std::string& path, std::size_t max_bytes);

/// Replaces `path` so that after a crash or power loss either the old or the new content is there, never a mixture:
/// temporary file beside it, fsync, rename, fsync of the directory. `mode` is applied exactly, whatever the umask.
/// On failure the old file is untouched and the temporary one is removed.
[[nodiscard]] Result<> write_file_atomic(const std::string& path, BytesView content, mode_t mode = 0600);

/// Likewise for a file that must not be there yet: already_exists, and nothing is changed, if something has the name.
[[nodiscard]] Result<> write_new_file(const std::string& path, BytesView content, mode_t mode = 0600);

/// Creates a directory of mode 0700 with missing parents (0755). One that exists must pass `check_private`.
[[nodiscard]] Result<> make_private_directory(const std::string& path);

/// Refuses (permission_denied, with the chmod or chown that helps) a file or directory that belongs to somebody else
/// or that group or others may read, write or enter. A symbolic link is refused, too.
[[nodiscard]] Result<> check_private(const std::string& path);

/// Removes a file and makes the removal durable; a missing one is no error.
[[nodiscard]] Result<> remove_file(const std::string& path);

}  // namespace myst::sys
