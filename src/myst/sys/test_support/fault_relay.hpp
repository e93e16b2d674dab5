// For tests: stands between two ends on this machine and does to what passes what networks do. A seed decides what is
// hit, so that the same input meets the same faults; only delays are a matter of time. On the io_context of the ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "myst/base/clock.hpp"

namespace myst::sys::testing {

/// Which way: to the relay's target, or back from it.
enum class Way { forth, back };

/// What happens to datagrams: each so many times in a thousand, independently of the others.
struct DatagramFaults {
    unsigned loss = 0;
    unsigned duplicate = 0;  ///< it arrives twice
    unsigned reorder = 0;    ///< it arrives after the one that follows, whenever that comes
    unsigned bit_flip = 0;   ///< one bit of it is another
    milliseconds delay{};    ///< of every datagram
    milliseconds jitter{};   ///< and up to so much more; without `reorder` nothing overtakes
};

struct DatagramCounters {
    std::uint64_t arrived = 0;  ///< at the relay
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    std::uint64_t flipped = 0;
    std::uint64_t forwarded = 0;  ///< copies included
};

/// Forwards UDP datagrams to `target`, and what comes back to whoever sent. The target sees each sender under the
/// sender's own address, with another port.
class DatagramRelay {
public:
    using Endpoint = boost::asio::ip::udp::endpoint;

    /// Listens at `listen`; port 0 is a free one.
    DatagramRelay(boost::asio::io_context& context, Endpoint target, std::uint64_t seed,
                  Endpoint listen = {boost::asio::ip::address_v4::loopback(), 0});
    ~DatagramRelay();
    DatagramRelay(const DatagramRelay&) = delete;
    DatagramRelay& operator=(const DatagramRelay&) = delete;

    [[nodiscard]] Endpoint endpoint() const;
    /// For what arrives from now on.
    void set_faults(Way way, const DatagramFaults& faults);
    [[nodiscard]] const DatagramCounters& counters(Way way) const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// What happens to a stream of bytes.
struct StreamFaults {
    milliseconds delay{};                      ///< of every piece; the next is read afterwards
    milliseconds jitter{};                     ///< and up to so much more
    std::size_t piece = 16 * 1024;             ///< forwarded at a time, at most: with a delay, a narrow line
    unsigned bit_flips = 0;                    ///< bytes in a million of which one bit is another
    std::optional<std::uint64_t> cut_after{};  ///< bytes this way, after which the connection is closed both ways
    bool black_hole = false;                   ///< connections stay and are accepted, and nothing passes until it ends
};

struct StreamCounters {
    std::uint64_t pieces = 0;  ///< forwarded
    std::uint64_t bytes = 0;   ///< forwarded
    std::uint64_t flipped = 0;
    std::uint64_t cut = 0;  ///< connections, by `cut_after`
};

/// Forwards TCP connections to `target`. The target sees each client under the client's own address, with another port.
/// The end of one direction is passed on like data.
class StreamRelay {
public:
    using Endpoint = boost::asio::ip::tcp::endpoint;

    /// Listens at `listen`; port 0 is a free one.
    StreamRelay(boost::asio::io_context& context, Endpoint target, std::uint64_t seed,
                Endpoint listen = {boost::asio::ip::address_v4::loopback(), 0});
    ~StreamRelay();
    StreamRelay(const StreamRelay&) = delete;
    StreamRelay& operator=(const StreamRelay&) = delete;

    [[nodiscard]] Endpoint endpoint() const;
    /// For every connection, from its next piece on.
    void set_faults(Way way, const StreamFaults& faults);
    /// Closes all connections; goes on listening.
    void cut();
    /// Over all connections.
    [[nodiscard]] const StreamCounters& counters(Way way) const;
    /// Accepted so far.
    [[nodiscard]] std::size_t connections() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace myst::sys::testing
