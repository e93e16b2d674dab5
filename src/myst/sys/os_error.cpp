#include "myst/sys/os_error.hpp"

#include <cerrno>
#include <system_error>

namespace myst::sys {

ErrorCode code_of_errno(int error) {
    switch (error) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
        case EADDRNOTAVAIL:
        case ESRCH: return ErrorCode::not_found;
        case EACCES:
        case EPERM: return ErrorCode::permission_denied;
        case EEXIST:
        case EADDRINUSE: return ErrorCode::already_exists;
        case EINVAL: return ErrorCode::invalid_argument;
        case ETIMEDOUT: return ErrorCode::timeout;
        case ECONNREFUSED:
        case EAGAIN:
        case ENETUNREACH:
        case EHOSTUNREACH: return ErrorCode::unavailable;
        case EFBIG:
        case EMFILE:
        case ENFILE: return ErrorCode::limit_exceeded;
        default: return ErrorCode::io;
    }
}

tl::unexpected<Error> fail_errno(std::string_view what, int error, std::string cure) {
    std::string message(what);
    message += ": ";
    message += std::generic_category().message(error);
    return fail(code_of_errno(error), std::move(message), std::move(cure));
}

}  // namespace myst::sys
