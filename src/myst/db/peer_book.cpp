#include "myst/db/peer_book.hpp"

#include <algorithm>

#include "myst/base/backoff.hpp"
#include "myst/base/random_below.hpp"

namespace myst::db {

void PeerBook::learn(const NodeKey& author, const NodeRecord& record, bool registered, MonotonicTime now) {
    Author& entry = authors_[author];
    if (entry.published > record.published) return;
    const auto former = std::exchange(entry.urls, {});
    entry.published = record.published;
    entry.expires = record.expires;
    entry.registered = registered;
    for (const auto& url : record.relays) {
        if (permitted(url, now) && claim(author, url)) entry.urls.push_back(url.text());
    }
    for (const auto& key : former) {
        if (std::find(entry.urls.begin(), entry.urls.end(), key) == entry.urls.end()) withdraw(author, key);
    }
    sweep();
}

void PeerBook::set_registered(const NodeKey& author, bool registered) {
    if (const auto found = authors_.find(author); found != authors_.end()) found->second.registered = registered;
}

void PeerBook::forget(const NodeKey& author) {
    const auto found = authors_.find(author);
    if (found == authors_.end()) return;
    for (const auto& key : found->second.urls) withdraw(author, key);
    authors_.erase(found);
}

void PeerBook::expire(UnixTime now) {
    for (auto& [author, entry] : authors_) {
        if (entry.expires > now) continue;
        for (const auto& key : std::exchange(entry.urls, {})) withdraw(author, key);
    }
    sweep();
}

std::vector<PeerCandidate> PeerBook::candidates(MonotonicTime now) const {
    std::vector<PeerCandidate> result;
    for (const auto& [key, address] : addresses_) {
        if (address.not_before > now || !permitted(address.url, now)) continue;
        PeerCandidate candidate{address.url, address.group, address.authors, registered(address)};
        std::stable_partition(candidate.authors.begin(), candidate.authors.end(),
                              [this](const NodeKey& author) { return authors_.at(author).registered; });
        result.push_back(std::move(candidate));
    }
    return result;
}

std::vector<NodeKey> PeerBook::authors() const {
    std::vector<NodeKey> result;
    for (const auto& [author, entry] : authors_) result.push_back(author);
    return result;
}

void PeerBook::looked_up(const RelayUrl& url, const asio::ip::address& address) {
    const auto found = addresses_.find(url.text());
    if (found == addresses_.end()) return;
    auto group = group_of(address, url.port);
    if (group == found->second.group) return;
    // Names of many domains may stand for one network.
    const auto sizes = group_sizes();
    const auto size = sizes.find(group);
    found->second.group = std::move(group);
    if (size == sizes.end() || size->second < settings_.candidates_per_group || !may_give_way(found->second)) return;
    drop(found->first);
    sweep();
}

void PeerBook::proved(const RelayUrl& url) {
    const auto found = addresses_.find(url.text());
    if (found != addresses_.end()) found->second.proved = true;
}

void PeerBook::failed(const RelayUrl& url, MonotonicTime now) {
    const auto found = addresses_.find(url.text());
    if (found == addresses_.end()) return;
    auto& address = found->second;
    if (++address.failures >= settings_.failures) {
        shun(found->first, now + settings_.last_pause);
        drop(found->first);
        sweep();
        return;
    }
    address.not_before = now + doubled(settings_.first_pause, address.failures - 1, settings_.last_pause);
}

void PeerBook::rest(const RelayUrl& url, MonotonicTime until) {
    const auto found = addresses_.find(url.text());
    if (found == addresses_.end()) return;
    found->second.failures = 0;
    found->second.not_before = until;
}

void PeerBook::ban(const RelayUrl& url, MonotonicTime now) {
    shun(url.host, now + settings_.ban);
    drop(url.text());
    sweep();
}

void PeerBook::is_self(const RelayUrl& url) {
    shun(url.text(), MonotonicTime::max());
    drop(url.text());
    sweep();
}

bool PeerBook::registered(const Address& address) const {
    return std::any_of(address.authors.begin(), address.authors.end(),
                       [this](const NodeKey& author) { return authors_.at(author).registered; });
}

bool PeerBook::may_give_way(const Address& address) const {
    return !address.proved && !registered(address);
}

bool PeerBook::shunned(const std::string& what, MonotonicTime now) const {
    const auto found = shunned_.find(what);
    return found != shunned_.end() && found->second > now;
}

void PeerBook::shun(std::string what, MonotonicTime until) {
    if (shunned_.size() >= settings_.remembered && !shunned_.contains(what)) {
        shunned_.erase(std::min_element(shunned_.begin(), shunned_.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    auto& entry = shunned_[std::move(what)];
    entry = std::max(entry, until);
}

bool PeerBook::permitted(const RelayUrl& url, MonotonicTime now) const {
    if (!may_connect(url.port) || shunned(url.host, now) || shunned(url.text(), now)) return false;
    const auto literal = literal_of(url);
    return !literal || may_connect(*literal, settings_.scope);
}

bool PeerBook::claim(const NodeKey& author, const RelayUrl& url) {
    auto key = url.text();
    auto found = addresses_.find(key);
    if (found == addresses_.end()) {
        auto group = group_of(url);
        if (!make_room(group)) return false;
        addresses_.emplace(std::move(key), Address{url, std::move(group), {author}});
        return true;
    }
    auto& authors = found->second.authors;
    if (std::find(authors.begin(), authors.end(), author) != authors.end()) return true;
    if (authors.size() >= settings_.authors_per_candidate) {
        if (!authors_.at(author).registered) return false;
        const auto stranger = std::find_if(authors.begin(), authors.end(),
                                           [this](const NodeKey& each) { return !authors_.at(each).registered; });
        if (stranger == authors.end()) return false;
        std::erase(authors_.at(*stranger).urls, key);
        authors.erase(stranger);
    }
    authors.push_back(author);
    return true;
}

bool PeerBook::make_room(const std::string& group) {
    const auto sizes = group_sizes();
    const auto own = sizes.find(group);
    if (own != sizes.end() && own->second >= settings_.candidates_per_group) return drop_one_of(group);
    if (addresses_.size() < settings_.candidates) return true;
    const auto largest =
        std::max_element(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return drop_one_of(largest->first);
}

bool PeerBook::drop_one_of(const std::string& group) {
    std::vector<std::string> weak;
    for (const auto& [key, address] : addresses_) {
        if (address.group == group && may_give_way(address)) weak.push_back(key);
    }
    if (weak.empty()) return false;
    drop(weak[random_below(rng_, weak.size())]);
    return true;
}

std::map<std::string, std::size_t> PeerBook::group_sizes() const {
    std::map<std::string, std::size_t> sizes;
    for (const auto& [key, address] : addresses_) ++sizes[address.group];
    return sizes;
}

void PeerBook::withdraw(const NodeKey& author, const std::string& key) {
    const auto found = addresses_.find(key);
    if (found == addresses_.end()) return;
    std::erase(found->second.authors, author);
    if (found->second.authors.empty()) addresses_.erase(found);
}

void PeerBook::drop(std::string key) {
    const auto found = addresses_.find(key);
    if (found == addresses_.end()) return;
    for (const auto& author : found->second.authors) std::erase(authors_.at(author).urls, key);
    addresses_.erase(found);
}

void PeerBook::sweep() {
    std::erase_if(authors_, [](const auto& entry) { return entry.second.urls.empty(); });
}

}  // namespace myst::db
