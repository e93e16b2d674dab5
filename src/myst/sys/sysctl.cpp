#include "myst/sys/sysctl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "myst/sys/fd.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::sys {
namespace {
constexpr std::size_t kMaxValue = 4096;
}

Result<std::string> read_sysctl(const std::string& name) {
    auto content = read_file("/proc/sys/" + name, kMaxValue);
    if (!content) return forward_error(content, "read sysctl");
    std::string value(as_text(*content));
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
}

Result<> write_sysctl(const std::string& name, const std::string& value) {
    const Fd fd(::open(("/proc/sys/" + name).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return fail_errno("set sysctl " + name, errno, "run as root");
    if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
        return fail_errno("set sysctl " + name + " to " + value, errno);
    }
    return {};
}

}  // namespace myst::sys
