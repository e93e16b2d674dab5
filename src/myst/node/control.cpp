#include "myst/node/control.hpp"

namespace myst::node {

std::string_view to_string(OfferOrder order) {
    switch (order) {
        case OfferOrder::price: return "price";
        case OfferOrder::stake: return "stake";
        case OfferOrder::reputation: return "reputation";
        case OfferOrder::age: return "age";
        case OfferOrder::country: return "country";
        case OfferOrder::latency: return "latency";
    }
    return "price";
}

std::string_view to_string(ConnectionState state) {
    switch (state) {
        case ConnectionState::disconnected: return "disconnected";
        case ConnectionState::connecting: return "connecting";
        case ConnectionState::connected: return "connected";
        case ConnectionState::reconnecting: return "reconnecting";
        case ConnectionState::disconnecting: return "disconnecting";
        case ConnectionState::blocked: return "blocked";
    }
    return "disconnected";
}

}  // namespace myst::node
