#include "myst/sys/send_policy.hpp"

#include <algorithm>
#include <cerrno>

#include "myst/base/log.hpp"

namespace myst::sys {
namespace {

/// The errors of one message after which the next may well go out.
bool is_loss(int error) {
    switch (error) {
        case EAGAIN:
        case ENOBUFS:
        case ENOMEM:
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case ENODEV:
        case ECONNREFUSED:
        case EPERM:  // the firewall said no
        case EACCES:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
        case EINVAL:
        case EMSGSIZE:
        case EIO: return true;
        default: return false;
    }
}

bool may_be_the_source(int error) {
    return error == EINVAL || error == ENETUNREACH || error == EADDRNOTAVAIL || error == ENODEV;
}

}  // namespace

bool SendPolicy::joins(const SocketAddress& peer, MonotonicTime now) {
    if (!joins_) return false;
    std::erase_if(apart_, [now](const Apart& apart) { return apart.until <= now; });
    return std::none_of(apart_.begin(), apart_.end(), [&](const Apart& apart) { return apart.peer == peer; });
}

SendPolicy::Next SendPolicy::after(int error, const Attempt& attempt, MonotonicTime now) {
    if (error == EINTR) return Next::again;
    if (attempt.sourced && may_be_the_source(error)) return Next::without_source;
    if (attempt.several && error == EIO) {
        // A device on the way cannot compute the checksums of segments.
        if (joins_) log::warn("a network device cannot send joined datagrams; they are sent one by one from now on");
        joins_ = false;
        return Next::apart;
    }
    if (attempt.several && (error == EINVAL || error == EMSGSIZE)) {
        // A segment is larger than what the way to this peer takes in one piece.
        remember(attempt.peer, now);
        return Next::apart;
    }
    return is_loss(error) ? Next::lost : Next::give_up;
}

void SendPolicy::remember(const SocketAddress& peer, MonotonicTime now) {
    std::erase_if(apart_, [&](const Apart& apart) { return apart.peer == peer; });
    if (apart_.size() >= kMaxApart) apart_.erase(apart_.begin());
    apart_.push_back({peer, now + kApartFor});
}

}  // namespace myst::sys
