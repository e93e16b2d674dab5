// A hash table in one piece of memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace myst::wireguard {

/// From 32-bit numbers to values that can be moved and made without arguments: open addressing with linear steps, at
/// most three quarters full, so that what is asked for, there or not, is found in about one cache line. Grows and
/// shrinks by half, moving the values; pointers to them last until the next `insert` or `erase`. Numbers that strangers
/// choose may be asked for, but must not be inserted. One thread.
template <class Value>
class FlatMap {
public:
    using Key = std::uint32_t;

    /// Null: not there.
    [[nodiscard]] Value* find(Key key) {
        if (size_ == 0) return nullptr;
        const auto place = place_of(key);
        return slots_[place].used ? &slots_[place].value : nullptr;
    }
    [[nodiscard]] const Value* find(Key key) const { return const_cast<FlatMap*>(this)->find(key); }
    [[nodiscard]] bool contains(Key key) const { return find(key) != nullptr; }

    /// The value of the key, and whether the key is new; then the value is one made without arguments.
    std::pair<Value*, bool> insert(Key key) {
        if (4 * (size_ + 1) > 3 * slots_.size()) resize(std::max<std::size_t>(8, 2 * slots_.size()));
        auto& slot = slots_[place_of(key)];
        const bool fresh = !slot.used;
        if (fresh) {
            slot.used = true;
            slot.key = key;
            ++size_;
        }
        return {&slot.value, fresh};
    }

    /// The value that the key had, if any.
    std::optional<Value> erase(Key key) {
        if (size_ == 0) return std::nullopt;
        auto hole = place_of(key);
        if (!slots_[hole].used) return std::nullopt;
        std::optional<Value> value(std::move(slots_[hole].value));
        close(hole);
        --size_;
        if (8 * size_ <= slots_.size()) resize(size_ == 0 ? 0 : std::max<std::size_t>(8, slots_.size() / 2));
        return value;
    }

    [[nodiscard]] std::size_t size() const { return size_; }
    /// Bytes that the table takes, apart from what its values own.
    [[nodiscard]] std::size_t memory() const { return slots_.size() * sizeof(Slot); }
    /// Calls `visit(key, value)` for each, in no order.
    template <class Visit>
    void for_each(const Visit& visit) {
        for (auto& slot : slots_) {
            if (slot.used) visit(slot.key, slot.value);
        }
    }
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& slot : slots_) {
            if (slot.used) visit(slot.key, slot.value);
        }
    }

private:
    struct Slot {
        Value value{};
        Key key = 0;
        bool used = false;
    };

    /// Fibonacci hashing: also numbers in a row lie apart.
    [[nodiscard]] std::size_t home_of(Key key) const {
        const auto mixed = std::uint64_t{key} * 0x9e3779b97f4a7c15ULL;
        return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(slots_.size())));
    }
    /// Where the key is, or would be put.
    [[nodiscard]] std::size_t place_of(Key key) const {
        auto place = home_of(key);
        while (slots_[place].used && slots_[place].key != key) place = next(place);
        return place;
    }
    [[nodiscard]] std::size_t next(std::size_t place) const { return (place + 1) & (slots_.size() - 1); }

    /// Moves back what stands behind the hole only because its own place was taken.
    void close(std::size_t hole) {
        for (auto at = next(hole); slots_[at].used; at = next(at)) {
            const auto distance = [this](std::size_t from, std::size_t to) {
                return (to - from) & (slots_.size() - 1);
            };
            if (distance(home_of(slots_[at].key), at) < distance(hole, at)) continue;
            slots_[hole] = std::move(slots_[at]);
            hole = at;
        }
        slots_[hole] = Slot{};
    }
    void resize(std::size_t count) {
        auto old = std::exchange(slots_, std::vector<Slot>(count));
        for (auto& slot : old) {
            if (slot.used) slots_[place_of(slot.key)] = std::move(slot);
        }
    }

    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

}  // namespace myst::wireguard
