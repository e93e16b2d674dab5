// The keys whose mailboxes this node reads. A relay may demand a proof (NIP-42) before it hands out what is addressed
// to a key; whoever talks to relays finds the key here.
#pragma once

#include <map>
#include <memory>

#include "myst/codec/event.hpp"

namespace myst::ports {

/// Control thread.
class MailboxKeys {
public:
    /// Withdraws a key when it is destroyed; may outlive the keys.
    class Held {
    public:
        Held(std::weak_ptr<std::multimap<NodeKey, crypto::PrivateKey>> keys,
             std::multimap<NodeKey, crypto::PrivateKey>::iterator place)
            : keys_(std::move(keys)), place_(place) {}
        ~Held() {
            if (const auto keys = keys_.lock()) keys->erase(place_);
        }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;

    private:
        std::weak_ptr<std::multimap<NodeKey, crypto::PrivateKey>> keys_;
        std::multimap<NodeKey, crypto::PrivateKey>::iterator place_;
    };

    /// Relays that ask are shown from now on that this node holds the key.
    [[nodiscard]] std::unique_ptr<Held> hold(crypto::PrivateKey key) {
        const NodeKey name = key.node_key();
        return std::make_unique<Held>(keys_, keys_->emplace(name, std::move(key)));
    }
    /// Null if the key is not held. Valid until control returns to the loop.
    [[nodiscard]] const crypto::PrivateKey* find(const NodeKey& name) const {
        const auto found = keys_->find(name);
        return found == keys_->end() ? nullptr : &found->second;
    }

private:
    std::shared_ptr<std::multimap<NodeKey, crypto::PrivateKey>> keys_ =
        std::make_shared<std::multimap<NodeKey, crypto::PrivateKey>>();
};

}  // namespace myst::ports
