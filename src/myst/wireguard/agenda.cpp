#include "myst/wireguard/agenda.hpp"

namespace myst::wireguard {

void Agenda::Item::no_later(const Deadline& deadline) {
    if (!deadline) return;
    if (place_ == kNowhere) {
        agenda_.heap_.emplace_back();
        agenda_.rise(agenda_.heap_.size() - 1, {*deadline, this});
    } else if (*deadline < agenda_.heap_[place_].time) {
        agenda_.rise(place_, {*deadline, this});
    }
}

void Agenda::Item::set(const Deadline& deadline) {
    if (!deadline) return agenda_.remove(*this);
    no_later(deadline);
    if (agenda_.heap_[place_].time < *deadline) agenda_.sink(place_, {*deadline, this});
}

void Agenda::put(std::size_t place, const Entry& entry) {
    heap_[place] = entry;
    entry.item->place_ = static_cast<std::uint32_t>(place);
}

void Agenda::rise(std::size_t place, const Entry& entry) {
    while (place > 0 && entry.before(heap_[(place - 1) / 2])) {
        put(place, heap_[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(place, entry);
}

void Agenda::sink(std::size_t place, const Entry& entry) {
    for (;;) {
        std::size_t child = 2 * place + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
        if (!heap_[child].before(entry)) break;
        put(place, heap_[child]);
        place = child;
    }
    put(place, entry);
}

void Agenda::remove(Item& item) {
    if (item.place_ == Item::kNowhere) return;
    const auto place = item.place_;
    item.place_ = Item::kNowhere;
    const auto last = heap_.back();
    heap_.pop_back();
    if (last.item != &item) {
        // From here it belongs either further up or further down.
        rise(place, last);
        sink(last.item->place_, last);
    }
    if (heap_.capacity() > 64 && heap_.size() < heap_.capacity() / 4) heap_.shrink_to_fit();
}

}  // namespace myst::wireguard
