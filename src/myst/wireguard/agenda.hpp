// Which peer's time comes first.
#pragma once

#include <cstdint>
#include <vector>

#include "myst/wireguard/keypair.hpp"
#include "myst/wireguard/timers.hpp"

namespace myst::wireguard {

class Peer;

/// A heap of peers by the time at which each is to be looked at. An event that makes a peer's deadline earlier moves
/// the peer; one that makes it later, as every batch of packets does, leaves it where it is, and whoever finds it first
/// in line puts it right. So a turn costs what is due, however many peers there are, and a packet costs nothing. One
/// thread.
class Agenda {
public:
    /// A peer's place in it. Goes with the peer, and before the agenda.
    class Item {
    public:
        Item(Agenda& agenda, Peer& peer, PeerId id) : agenda_(agenda), peer_(peer), id_(id) {}
        ~Item() { agenda_.remove(*this); }
        Item(const Item&) = delete;
        Item& operator=(const Item&) = delete;

        [[nodiscard]] Peer& peer() const { return peer_; }
        /// The peer is looked at then, or before.
        void no_later(const Deadline& deadline);
        /// The peer is looked at then; never, if there is no deadline.
        void set(const Deadline& deadline);

    private:
        friend class Agenda;
        static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};
        Agenda& agenda_;
        Peer& peer_;
        PeerId id_;
        std::uint32_t place_ = kNowhere;
    };

    /// Null: nobody. Of several at the same time, the one with the lowest id.
    [[nodiscard]] Item* first() const { return heap_.empty() ? nullptr : heap_.front().item; }
    /// When the first one is to be looked at.
    [[nodiscard]] Deadline next() const { return heap_.empty() ? Deadline() : heap_.front().time; }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }

private:
    struct Entry {
        MonotonicTime time;
        Item* item = nullptr;

        [[nodiscard]] bool before(const Entry& other) const {
            return time != other.time ? time < other.time : item->id_ < other.item->id_;
        }
    };
    void put(std::size_t place, const Entry& entry);
    void rise(std::size_t place, const Entry& entry);
    void sink(std::size_t place, const Entry& entry);
    void remove(Item& item);

    std::vector<Entry> heap_;
};

}  // namespace myst::wireguard
