// Joins inner packets of a batch into super-packets for a TUN device, without copying payloads.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/wireguard/offload/joinable.hpp"
#include "myst/wireguard/offload/vnet_header.hpp"

namespace myst::wireguard {

/// Kinds that the system is known to take; see docs/dataplane.md for kernels that do not.
struct CoalesceSettings {
    bool tcp = true;
    bool udp = true;
};

/// One write to the TUN device.
struct TunWrite {
    std::span<const iovec> parts{};  ///< for writev, which only reads them; at most IOV_MAX
    std::size_t packets = 0;         ///< how many were joined
    bool tcp = false;                ///< of joined ones: TCP, else UDP
    std::size_t item = 0;            ///< the coalescer's
};

/// Takes up to `capacity` packets; then finish, write, clear. Rules: docs/dataplane.md. Packets of one flow keep their
/// order. Allocates only when it is made.
class Coalescer {
public:
    static constexpr std::size_t kMaxJoined = 64;

    explicit Coalescer(std::size_t capacity, CoalesceSettings settings = {});

    /// The bytes must stay as they are until the writes are done. False if there is no room.
    [[nodiscard]] bool push(BytesView packet);
    /// The writes for all packets since the last clear, in order of their first packets. Valid until clear.
    [[nodiscard]] std::span<const TunWrite> finish();
    /// Calls `visit(BytesView)` for each packet of a write, as it was pushed.
    template <class Visit>
    void for_each_packet(const TunWrite& write, Visit visit) const {
        for (auto entry = items_[write.item].head; entry != kNone; entry = entries_[entry].next) {
            visit(entries_[entry].bytes);
        }
    }
    void clear();
    [[nodiscard]] const CoalesceSettings& settings() const { return settings_; }
    /// For packets that are pushed from now on.
    void set_settings(CoalesceSettings settings) { settings_ = settings; }

private:
    static constexpr std::size_t kMaxHeaders = VnetHeader::kSize + 40 + 60;
    static constexpr std::size_t kNone = ~std::size_t{0};
    /// Flows looked after at once. Beyond, the one that began first is not joined any more.
    static constexpr std::size_t kMaxOpen = 32;

    struct Entry {
        BytesView bytes;
        std::size_t next = kNone;  ///< entry joined behind this one
    };
    /// What becomes one write.
    struct Item {
        JoinablePacket first;
        JoinablePacket last;
        std::size_t head = 0;  ///< entries
        std::size_t tail = 0;
        std::size_t packets = 1;
        std::size_t size = 0;   ///< of the super-packet
        bool same_ids = false;  ///< IPv4 identifications are all equal, not counting up
    };

    /// The open item of the packet's flow, or kNone.
    [[nodiscard]] std::size_t find_open(const JoinablePacket& packet) const;
    [[nodiscard]] static bool fits(const Item& item, const JoinablePacket& packet);
    void join(std::size_t item, const JoinablePacket& packet, std::size_t entry);
    void open(std::size_t item);
    void close(std::size_t item);
    void close_all_between_its_addresses(BytesView packet);

    void write_single(const Item& item, std::span<std::uint8_t> header);
    void write_joined(const Item& item, std::span<std::uint8_t> header);
    void add_part(BytesView part);

    CoalesceSettings settings_;
    std::size_t capacity_;
    std::vector<Entry> entries_;
    std::vector<Item> items_;
    std::vector<std::size_t> open_;  ///< items that may grow, in order of their beginning
    std::vector<std::array<std::uint8_t, kMaxHeaders>> headers_;
    std::vector<iovec> parts_;
    std::vector<TunWrite> writes_;
};

}  // namespace myst::wireguard
