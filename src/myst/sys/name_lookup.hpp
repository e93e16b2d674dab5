// From the name of a host to its addresses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

/// The addresses of a host, each once, in the order of the system's resolver; of an IP literal that one, without a
/// question to anybody. unavailable: the name has none, or nobody answers. The whole is bounded by the caller, with
/// `with_timeout`; cancellation unwinds at once, while the question itself is left to end by itself.
[[nodiscard]] Task<Result<std::vector<asio::ip::address>>> look_up(std::string host);

/// Looks up names that strangers have chosen, on a thread of its own: a name whose servers never answer delays no
/// look-up of `look_up`. One question at a time. Control thread.
class SideLookup {
public:
    /// Asks the system's resolver, and blocks meanwhile.
    using Resolve = std::function<Result<std::vector<asio::ip::address>>(const std::string& host)>;
    SideLookup();
    explicit SideLookup(Resolve resolve);
    /// Waits for the question under way. The executors that it was asked from must still exist.
    ~SideLookup();
    SideLookup(const SideLookup&) = delete;
    SideLookup& operator=(const SideLookup&) = delete;

    /// As `look_up`; limit_exceeded, and nobody is asked, while an earlier question, its asker gone or not, has not
    /// returned.
    [[nodiscard]] Task<Result<std::vector<asio::ip::address>>> look_up(std::string host);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::sys
