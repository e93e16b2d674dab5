#include "myst/ports/chain_status.hpp"

namespace myst::ports {

std::string_view to_string(EndpointState state) {
    switch (state) {
        case EndpointState::refused: return "refused";
        case EndpointState::unreachable: return "unreachable";
        case EndpointState::unknown: return "unknown";
        case EndpointState::lagging: return "lagging";
        case EndpointState::disagrees: return "disagrees";
        case EndpointState::slow: return "slow";
        case EndpointState::ok: return "ok";
    }
    return "unknown";
}

std::string_view to_string(IndexState state) {
    switch (state) {
        case IndexState::starting: return "starting";
        case IndexState::catching_up: return "catching up";
        case IndexState::following: return "following";
        case IndexState::unreachable: return "unreachable";
        case IndexState::halted: return "halted";
    }
    return "unknown";
}

}  // namespace myst::ports
