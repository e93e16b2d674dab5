// Errors are values: everything the outside world can cause (bytes, peers, RPC answers, files, users) is
// reported through Result<T>. Exceptions are kept for cancellation, start-up failure and lack of memory.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace myst {

/// What kind of failure it was; callers branch on this, people read Error::message.
enum class ErrorCode {
    invalid_argument,     ///< the caller's input is malformed or out of range
    invalid_data,         ///< bytes from a peer, RPC endpoint or file do not decode or verify
    not_found,            ///< the named thing does not exist
    already_exists,       ///< the named thing exists and must not be replaced
    permission_denied,    ///< authentication or privilege is missing
    unavailable,          ///< a peer or endpoint cannot be reached now; a retry may help
    timeout,              ///< no answer within the stated time
    limit_exceeded,       ///< a quota or size limit refused the request
    failed_precondition,  ///< the system is not in a state in which this is possible
    insufficient_funds,   ///< balance, deposit or allowance is too small
    io,                   ///< the operating system reported a failure
    internal,             ///< a broken promise of our own code
};

/// Stable lower-case name of a code, as it appears in the web API.
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// A failure: what happened and where, why, and what the reader can do about it.
struct Error {
    ErrorCode code{};
    std::string message;  ///< what and where, outermost context first: "open ledger.db: disk is full"
    std::string cure{};   ///< what to do about it; empty if there is nothing to advise

    /// Puts a context in front of the message: "reading config: …".
    [[nodiscard]] Error in(std::string_view context) &&;
    [[nodiscard]] Error in(std::string_view context) const&;
    /// "message (cure)", for people.
    [[nodiscard]] std::string describe() const;
};

/// The outcome of anything that can fail for reasons outside our code.
template <class T = void>
using Result = tl::expected<T, Error>;

/// Builds the failing side of a Result: `return fail(ErrorCode::io, "…");`
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string cure = {});

/// Passes on the error of a failed Result: `if (!x) return forward_error(x);`
template <class T>
[[nodiscard]] tl::unexpected<Error> forward_error(Result<T>& failed) {
    return tl::unexpected<Error>(std::move(failed).error());
}

/// The same with a context put in front of the message.
template <class T>
[[nodiscard]] tl::unexpected<Error> forward_error(Result<T>& failed, std::string_view context) {
    return tl::unexpected<Error>(std::move(failed).error().in(context));
}

}  // namespace myst
