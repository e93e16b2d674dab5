#include "myst/vpn/resolv_conf.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::vpn {
namespace {

constexpr std::size_t kMaxSize = 64 * 1024;
constexpr std::size_t kMaxServers = 3;  // the C library reads no more
constexpr std::string_view kMark =
    "# Written by mystd for the open VPN connection; the original comes back when it closes.\n";
constexpr std::string_view kPresent = "present\n";
constexpr std::string_view kAbsent = "absent\n";

/// Writes over the old bytes before cutting off the rest: at no time is the file empty.
Result<> overwrite(const std::string& path, std::string_view content) {
    const sys::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.valid()) return sys::fail_errno("open " + path, errno, "is the file system read-only?");
    std::size_t done = 0;
    while (done < content.size()) {
        const auto written = ::pwrite(fd.get(), content.data() + done, content.size() - done, static_cast<off_t>(done));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return sys::fail_errno("write " + path, errno);
        done += static_cast<std::size_t>(written);
    }
    if (::ftruncate(fd.get(), static_cast<off_t>(content.size())) != 0) return sys::fail_errno("write " + path, errno);
    if (::fsync(fd.get()) != 0) return sys::fail_errno("fsync " + path, errno);
    return {};
}

/// None if there is no file.
Result<std::optional<std::string>> content_of(const std::string& path) {
    auto content = sys::read_file(path, kMaxSize);
    if (content) return std::string(as_text(*content));
    if (content.error().code == ErrorCode::not_found) return std::nullopt;
    return forward_error(content);
}

}  // namespace

Result<> ResolvConf::replace(const std::vector<std::string>& servers) const {
    auto saved = content_of(backup_);
    if (!saved) return forward_error(saved);
    if (*saved) {
        return fail(ErrorCode::already_exists, path_ + " is in use by another connection of this machine",
                    "close that connection first");
    }
    auto original = content_of(path_);
    if (!original) return forward_error(original);
    const std::string backup = *original ? std::string(kPresent) + **original : std::string(kAbsent);
    if (auto kept = sys::write_file_atomic(backup_, as_bytes(backup)); !kept) return kept;
    return change(servers);
}

Result<> ResolvConf::change(const std::vector<std::string>& servers) const {
    std::string content(kMark);
    for (std::size_t i = 0; i < servers.size() && i < kMaxServers; ++i) content += "nameserver " + servers[i] + "\n";
    return overwrite(path_, content);
}

Result<> ResolvConf::restore() const {
    auto saved = content_of(backup_);
    if (!saved) return forward_error(saved);
    if (!*saved) return {};
    auto current = content_of(path_);
    if (!current) return forward_error(current);
    if (*current && (*current)->starts_with(kMark)) {
        std::string_view original(**saved);
        if (original.starts_with(kPresent)) {
            original.remove_prefix(kPresent.size());
            if (auto written = overwrite(path_, original); !written) return written;
        } else if (auto removed = sys::remove_file(path_); !removed) {
            return removed;
        }
    }
    return sys::remove_file(backup_);
}

}  // namespace myst::vpn
