#include "myst/base/error.hpp"

namespace myst {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "invalid_argument";
        case ErrorCode::invalid_data: return "invalid_data";
        case ErrorCode::not_found: return "not_found";
        case ErrorCode::already_exists: return "already_exists";
        case ErrorCode::permission_denied: return "permission_denied";
        case ErrorCode::unavailable: return "unavailable";
        case ErrorCode::timeout: return "timeout";
        case ErrorCode::limit_exceeded: return "limit_exceeded";
        case ErrorCode::failed_precondition: return "failed_precondition";
        case ErrorCode::insufficient_funds: return "insufficient_funds";
        case ErrorCode::io: return "io";
        case ErrorCode::internal: return "internal";
    }
    return "internal";
}

Error Error::in(std::string_view context) && {
    message.insert(0, std::string(context) + ": ");
    return std::move(*this);
}

Error Error::in(std::string_view context) const& {
    return Error(*this).in(context);
}

std::string Error::describe() const {
    return cure.empty() ? message : message + " (" + cure + ")";
}

tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string cure) {
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(cure)});
}

}  // namespace myst
