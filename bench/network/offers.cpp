#include "offers.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "myst/db/admission.hpp"

namespace myst::bench {
namespace {

constexpr seconds kLife{4 * 3600};

MonotonicTime steady_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

Offers::Version Offers::make_new() {
    offers_.push_back({crypto::PrivateKey::generate(rng_), {}, UnixTime{}});
    offers_.back().arrived_ms.assign(shown_.size(), kNever);
    for (std::size_t node = 0; node < shown_.size(); ++node) {
        shown_[node].push_back(false);
        ++missing_[node];
    }
    return sign(offers_.size() - 1);
}

Offers::Version Offers::renew(std::size_t offer) {
    by_id_.erase(offers_[offer].id);
    offers_[offer].acknowledged.reset();
    offers_[offer].arrived_ms.assign(shown_.size(), kNever);
    for (std::size_t node = 0; node < shown_.size(); ++node) {
        if (!shown_[node][offer]) continue;
        shown_[node][offer] = false;
        ++missing_[node];
    }
    return sign(offer);
}

Offers::Version Offers::sign(std::size_t number) {
    auto& offer = offers_[number];
    const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    offer.created_at = std::max(now, offer.created_at + seconds(1));
    codec::Event event;
    event.kind = db::kProposalKind;
    event.created_at = offer.created_at;
    event.tags = {{"d", "wireguard"},
                  {"expiration", std::to_string((offer.created_at + kLife).time_since_epoch().count())},
                  {"service", "wireguard"},
                  {"s", "wireguard"},
                  {"country", "DE"},
                  {"c", "DE"},
                  {"l", "wireguard:DE"},
                  {"price_gib", std::to_string(50'000'000'000'000'000 + number)},
                  {"price_hour", "200000000000000"},
                  {"relay", fmt::format("wss://relay-{}.example:7777", number)},
                  {"payee", offer.key.address().hex0x()},
                  {"chain", "31337", "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"}};
    event.content = R"({"v":1,"terms":"No spam.","name":"node"})";
    codec::sign_event(event, offer.key, Hash32{});
    offer.id = event.id;
    by_id_.emplace(event.id, number);
    return {number, event.id, codec::to_json(event)};
}

void Offers::sent(std::size_t offer) {
    offers_[offer].sent = steady_now();
}

void Offers::acknowledged(const Hash32& id) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) offers_[found->second].acknowledged = steady_now();
}

std::size_t Offers::forget_unacknowledged() {
    std::size_t forgotten = 0;
    for (std::size_t number = 0; number < offers_.size(); ++number) {
        auto& offer = offers_[number];
        if (offer.acknowledged || !offer.expected) continue;
        offer.expected = false;
        ++forgotten;
        for (std::size_t node = 0; node < shown_.size(); ++node) {
            if (!shown_[node][number]) --missing_[node];
            shown_[node][number] = true;
        }
    }
    return forgotten;
}

void Offers::arrived(std::size_t node, const Hash32& id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || shown_[node][found->second]) return;
    auto& offer = offers_[found->second];
    const auto took = std::chrono::duration_cast<milliseconds>(steady_now() - offer.sent);
    offer.arrived_ms[node] = static_cast<std::uint32_t>(took.count());
    shown_[node][found->second] = true;
    --missing_[node];
}

void Offers::compared(std::size_t node, const std::vector<Hash32>& lacking) {
    const std::unordered_set<Hash32, FixedBytesHash> absent(lacking.begin(), lacking.end());
    for (std::size_t number = 0; number < offers_.size(); ++number) {
        if (absent.contains(offers_[number].id) || shown_[node][number]) continue;
        shown_[node][number] = true;
        --missing_[node];
    }
}

void Offers::reset(std::size_t node) {
    for (std::size_t number = 0; number < offers_.size(); ++number) shown_[node][number] = !offers_[number].expected;
    missing_[node] = static_cast<std::size_t>(std::count(shown_[node].begin(), shown_[node].end(), false));
}

std::vector<db::SyncItem> Offers::expected() const {
    std::vector<db::SyncItem> items;
    for (const auto& offer : offers_) {
        if (offer.expected) items.push_back({to_unix_seconds(offer.created_at), offer.id});
    }
    return items;
}

std::vector<std::size_t> Offers::missing_since(std::size_t node, MonotonicTime then) const {
    std::vector<std::size_t> found;
    for (std::size_t number = 0; number < offers_.size(); ++number) {
        const auto& acknowledged = offers_[number].acknowledged;
        if (acknowledged && *acknowledged < then && !shown_[node][number]) found.push_back(number);
    }
    return found;
}

Offers::Times Offers::times(const std::vector<std::size_t>& nodes) const {
    Times times;
    for (std::size_t number = first_timed_; number < offers_.size(); ++number) {
        std::uint32_t last = 0;
        for (const auto node : nodes) {
            const auto took = offers_[number].arrived_ms[node];
            times.each.push_back(took);
            last = std::max(last, took);
        }
        times.all.push_back(last);
    }
    return times;
}

}  // namespace myst::bench
