#include "myst/sys/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "myst/base/failpoint.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::sys {
namespace {

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> sync_directory(const std::string& directory) {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return fail_errno("open directory " + directory, errno);
    if (::fsync(fd.get()) != 0) return fail_errno("fsync directory " + directory, errno);
    failpoint("file: directory synced");
    return {};
}

Result<> write_all(int fd, BytesView content) {
    while (!content.empty()) {
        const auto written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno("write", errno, "check free space and permissions");
        content = content.subspan(static_cast<std::size_t>(written));
        failpoint("file: written");
    }
    return {};
}

Result<> fill(int fd, BytesView content, mode_t mode) {
    if (auto written = write_all(fd, content); !written) return written;
    if (::fchmod(fd, mode) != 0) return fail_errno("chmod", errno);
    if (::fsync(fd) != 0) return fail_errno("fsync", errno, "check the disk");
    failpoint("file: synced");
    return {};
}

Result<> make_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    return fail_errno("create directory " + path, errno, "check the parent's permissions");
}

}  // namespace

Result<Bytes> read_file(const std::string& path, std::size_t max_bytes) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.valid()) return fail_errno("open " + path, errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return fail_errno("stat " + path, errno);
    if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid_argument, path + " is not a regular file");
    Bytes content;
    constexpr std::size_t kStep = 16 * 1024;
    while (true) {
        const auto used = content.size();
        content.resize(used + kStep);
        const auto got = ::read(fd.get(), content.data() + used, kStep);
        if (got < 0 && errno != EINTR) return fail_errno("read " + path, errno);
        content.resize(used + (got > 0 ? static_cast<std::size_t>(got) : 0));
        if (content.size() > max_bytes) {
            return fail(ErrorCode::limit_exceeded, fmt::format("{} is larger than {} bytes", path, max_bytes));
        }
        if (got == 0) return content;
    }
}

namespace {

Result<> write_whole(const std::string& path, BytesView content, mode_t mode, unsigned rename_flags) {
    std::string temporary = path + ".XXXXXX";
    const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd.valid()) return fail_errno("create a file beside " + path, errno, "check the directory's permissions");
    failpoint("file: temporary file created");
    auto done = fill(fd.get(), content, mode);
    if (done && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), rename_flags) != 0) {
        done = fail_errno("rename", errno);
    }
    if (!done) {
        ::unlink(temporary.c_str());
        return forward_error(done, "write " + path);
    }
    failpoint("file: renamed");
    return sync_directory(directory_of(path));
}

}  // namespace

Result<> write_file_atomic(const std::string& path, BytesView content, mode_t mode) {
    return write_whole(path, content, mode, 0);
}

Result<> write_new_file(const std::string& path, BytesView content, mode_t mode) {
    return write_whole(path, content, mode, RENAME_NOREPLACE);
}

Result<> make_private_directory(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        if (slash + 1 == path.size()) break;
        if (auto made = make_directory(path.substr(0, slash), 0755); !made) return made;
    }
    if (auto made = make_directory(path, 0700); !made) return made;
    return check_private(path);
}

Result<> check_private(const std::string& path) {
    struct stat info {};
    std::string name = path;
    while (name.size() > 1 && name.back() == '/') name.pop_back();  // lstat would follow "link/"
    if (::lstat(name.c_str(), &info) != 0) return fail_errno("check " + name, errno);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        return fail(ErrorCode::permission_denied, name + " is neither a regular file nor a directory",
                    "replace it by a real file; links are not followed");
    }
    if (info.st_uid != ::geteuid()) {
        return fail(ErrorCode::permission_denied, fmt::format("{} belongs to user {}", name, info.st_uid),
                    fmt::format("chown {} {}", ::geteuid(), name));
    }
    if ((info.st_mode & 077) != 0) {
        return fail(ErrorCode::permission_denied,
                    fmt::format("{} has mode {:04o}: others than its owner have access", name, info.st_mode & 07777),
                    fmt::format("chmod go= {}", name));
    }
    return {};
}

Result<> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0) {
        if (errno == ENOENT) return {};
        return fail_errno("remove " + path, errno);
    }
    failpoint("file: removed");
    return sync_directory(directory_of(path));
}

}  // namespace myst::sys
