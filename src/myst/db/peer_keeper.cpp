#include "myst/db/peer_keeper.hpp"

#include <algorithm>

#include "myst/base/at_exit.hpp"
#include "myst/base/log.hpp"
#include "myst/base/random_below.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxNews = 1'024;  ///< beyond it, records are left out; each comes again within the hour
constexpr std::size_t kRegistryPage = 64;

/// Node records, and what may take them away.
std::vector<codec::Filter> news() {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kNodeRecordKind, kDeletionKind, kRevocationKind};
    return filters;
}

}  // namespace

PeerKeeper::PeerKeeper(asio::any_io_executor executor, RecordHub& hub, const Clock& clock, Rng& rng,
                       const std::vector<RelayUrl>& configured, Visit visit, Settings settings)
    : executor_(executor),
      hub_(hub),
      clock_(clock),
      rng_(rng),
      visit_(std::move(visit)),
      settings_(std::move(settings)),
      book_(settings_.book, rng),
      news_came_(executor),
      changed_(executor),
      tasks_(executor) {
    for (const auto& url : configured) configured_.push_back({url, group_of(url), std::nullopt});
}

Task<> PeerKeeper::run() {
    if (settings_.wanted == 0) co_return;
    following_ = hub_.follow(news(), [this](const SharedRecord& record) {
        if (news_.size() < kMaxNews) news_.push_back(record->event());
        news_came_.notify();
    });
    tasks_.spawn("node records", read_records());
    tasks_.spawn("finding peers", fill());
    tasks_.spawn("exchanging peers", exchange());
    if (hub_.authors().has_registry()) tasks_.spawn("registered peers", follow_registry());
    co_await tasks_.join();
}

Task<> PeerKeeper::read_records() {
    auto reading = stored_records({});
    auto stored = co_await std::move(reading);
    if (!stored) log::error("peers: {}", stored.error().describe());
    if (stored) {
        for (const auto& record : *stored) {
            auto event = record->event();
            co_await learn(std::move(event));
        }
    }
    for (;;) {
        while (!news_.empty()) {
            auto event = std::move(news_.front());
            news_.pop_front();
            co_await consider(std::move(event));
        }
        co_await news_came_.wait();
    }
}

Task<Result<std::vector<SharedRecord>>> PeerKeeper::stored_records(std::vector<NodeKey> authors) {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kNodeRecordKind};
    filters[0].authors = std::move(authors);
    QueryLimits limits;
    limits.records = settings_.stored_records;
    co_return co_await hub_.query(std::move(filters), limits);
}

Task<> PeerKeeper::consider(codec::Event event) {
    if (event.kind == kNodeRecordKind) {
        co_await learn(std::move(event));
        co_return;
    }
    const auto author = event.pubkey;
    if (!book_.knows(author)) co_return;
    std::vector<NodeKey> authors{author};
    const auto left = co_await stored_records(std::move(authors));
    if (left && left->empty()) book_.forget(author);
}

Task<> PeerKeeper::learn(codec::Event event) {
    const auto record = read_node_record(event);
    if (!record || event.pubkey == settings_.own_key) co_return;
    const auto standing = co_await hub_.authors().of(event.pubkey);
    book_.learn(event.pubkey, *record, standing == Standing::registered, clock_.now());
    changed_.notify();
}

Task<> PeerKeeper::fill() {
    for (;;) {
        book_.expire(clock_.unix_now());
        const bool began = slots_.size() < settings_.wanted && dial_one();
        if (began) co_await sleep_for(settings_.dial_pause);
        if (!began) std::ignore = co_await changed_.wait(settings_.look);
    }
}

bool PeerKeeper::dial_one() {
    auto chosen = choose_peer(book_.candidates(clock_.now()), in_use(), rng_);
    if (!chosen) return false;
    auto& candidate = chosen->candidate;
    const PeerInUse peer{std::move(candidate.url), std::move(candidate.group), chosen->author, candidate.registered};
    slots_.push_back({peer, nullptr, {}});
    tasks_.spawn("a found peer", keep(std::prev(slots_.end())));
    return true;
}

Task<> PeerKeeper::keep(Slots::iterator slot) {
    const AtExit gone([this, slot] {
        slots_.erase(slot);
        changed_.notify();
    });
    const RelayUrl url = slot->peer.url;
    auto address = co_await address_of(url);
    if (!address) {
        log::debug("peers: {}: {}", url.text(), address.error().message);
        // Nobody has asked for it while another look-up is under way: it is not its fault.
        if (address.error().code != ErrorCode::limit_exceeded) book_.failed(url, clock_.now());
        co_return;
    }
    book_.looked_up(url, *address);
    const auto group = group_of(*address, url.port);
    const auto others = in_use();
    const bool taken = std::any_of(others.begin(), others.end(),
                                   [&](const PeerInUse& other) { return other.group == group && !(other.url == url); });
    if (taken) co_return;  // the book knows the group now, and choices go by it
    slot->peer.group = group;
    co_await unwind_if_cancelled();
    std::optional<RelayEnd> end;
    TaskGroup connection(executor_);
    slot->stop = [&connection] { connection.cancel(); };
    connection.spawn("connection to a found peer", meet(url, *address, &end));
    co_await connection.join();
    conclude(*slot, end);
}

Task<> PeerKeeper::meet(RelayUrl url, asio::ip::address address, std::optional<RelayEnd>* end) {
    auto visiting = visit_(std::move(url), address);
    *end = co_await std::move(visiting);
}

void PeerKeeper::conclude(const Slot& slot, std::optional<RelayEnd> end) {
    const auto now = clock_.now();
    const auto& url = slot.peer.url;
    if (!end) return book_.rest(url, now + settings_.rest);
    switch (*end) {
        case RelayEnd::forged:
            log::warn("peers: {} forged records; it is not asked for some time", url.text());
            return book_.ban(url, now);
        case RelayEnd::is_self: return book_.is_self(url);
        case RelayEnd::lost:
            if (now - slot.since >= settings_.good_connection) {
                return book_.rest(url, now + settings_.book.first_pause);
            }
            break;
        case RelayEnd::unreachable: break;
    }
    book_.failed(url, now);
}

Task<> PeerKeeper::exchange() {
    for (;;) {
        const auto steps = static_cast<std::uint64_t>(settings_.exchange_interval.count());
        const milliseconds random(static_cast<std::int64_t>(random_below(rng_, steps + 1)));
        co_await sleep_for(settings_.exchange_interval / 2 + random);
        if (slots_.size() < settings_.wanted) continue;
        const auto peers = in_use();
        const auto leaver = choose_leaver(book_.candidates(clock_.now()), peers, rng_);
        if (!leaver) continue;
        const auto slot = std::next(slots_.begin(), static_cast<std::ptrdiff_t>(*leaver - configured_.size()));
        log::debug("peers: {} makes room for another", slot->peer.url.text());
        slot->stop();
    }
}

Task<> PeerKeeper::follow_registry() {
    for (;;) {
        const auto done = co_await read_registry();
        co_await sleep_for(done ? settings_.registry_interval : settings_.registry_retry);
    }
}

Task<Result<>> PeerKeeper::read_registry() {
    Address after;
    for (;;) {
        auto page = co_await hub_.authors().registered(after, kRegistryPage);
        if (!page) co_return forward_error(page);
        if (page->empty()) break;
        after = page->back().provider;
        std::vector<NodeKey> keys;
        for (const auto& entry : *page) keys.push_back(entry.state.node_key);
        auto stored = co_await stored_records(std::move(keys));
        if (!stored) co_return forward_error(stored);
        for (const auto& record : *stored) {
            auto event = record->event();
            co_await learn(std::move(event));
        }
    }
    for (const auto& author : book_.authors()) {
        const bool registered = co_await hub_.authors().of(author) == Standing::registered;
        book_.set_registered(author, registered);
        for (auto& slot : slots_) {
            if (slot.peer.author == author) slot.peer.registered = registered;
        }
    }
    co_return Result<>();
}

void PeerKeeper::connected(const RelayUrl& url) {
    for (auto& slot : slots_) {
        if (!(slot.peer.url == url)) continue;
        slot.peer.connected = true;
        slot.since = clock_.now();
        book_.proved(url);
    }
}

const PeerInUse* PeerKeeper::find(const RelayUrl& url) const {
    const auto found =
        std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.peer.url == url; });
    return found == slots_.end() ? nullptr : &found->peer;
}

Task<Result<asio::ip::address>> PeerKeeper::address_of(RelayUrl url) {
    LookUp look_up = settings_.look_up;
    if (!look_up) look_up = [this](std::string host) { return names_.look_up(std::move(host)); };
    return permitted_address(std::move(look_up), std::move(url), settings_.book.scope, settings_.lookup_timeout);
}

std::vector<PeerInUse> PeerKeeper::in_use() const {
    auto peers = configured_;
    for (const auto& slot : slots_) peers.push_back(slot.peer);
    return peers;
}

}  // namespace myst::db
