#include "myst/vpn/offer.hpp"

#include "myst/base/ip_ranges.hpp"

namespace myst::vpn {
namespace {

constexpr std::size_t kMaxResolvers = 3;

Result<Ipv4> tunnel_address(const std::string& text, const char* what) {
    auto address = Ipv4::parse(text);
    if (!address) return forward_error(address, what);
    if (!kTunnelRange.contains(address->value)) {
        return fail(ErrorCode::invalid_argument, std::string(what) + ": " + text + " is not in 100.64.0.0/10");
    }
    return *address;
}

}  // namespace

Result<CheckedOffer> check_offer(const ports::TunnelOffer& offer) {
    CheckedOffer checked;
    if (offer.server_key.is_zero()) return fail(ErrorCode::invalid_argument, "the offer's server key is zero");
    checked.server_key = offer.server_key;
    auto host = parse_host_literal(offer.endpoint_host);
    if (!host) return forward_error(host, "the offer's endpoint");
    if (offer.endpoint_port == 0) return fail(ErrorCode::invalid_argument, "the offer's endpoint port is zero");
    checked.endpoint = {.host = std::move(*host), .port = offer.endpoint_port};
    auto client = tunnel_address(offer.client_address, "the offer's client address");
    if (!client) return forward_error(client);
    auto server = tunnel_address(offer.server_address, "the offer's server address");
    if (!server) return forward_error(server);
    if (*client == *server) return fail(ErrorCode::invalid_argument, "the offer gives both sides one address");
    if (client->to_string() == checked.endpoint.host || server->to_string() == checked.endpoint.host) {
        return fail(ErrorCode::invalid_argument, "the offer's endpoint is inside its own tunnel");
    }
    checked.client_address = *client;
    checked.server_address = *server;
    for (const auto& text : offer.dns) {
        if (checked.dns.size() == kMaxResolvers) break;
        auto resolver = Ipv4::parse(text);
        if (!resolver) return forward_error(resolver, "the offer's resolver");
        if (is_special_ipv4(resolver->value) && *resolver != *server) {
            return fail(ErrorCode::invalid_argument, "the offer's resolver " + text + " is not a public address");
        }
        checked.dns.push_back(text);
    }
    if (offer.mtu < ports::kMinTunnelMtu || offer.mtu > ports::kMaxTunnelMtu) {
        return fail(ErrorCode::invalid_argument, "the offer's MTU is " + std::to_string(offer.mtu));
    }
    checked.mtu = offer.mtu;
    return checked;
}

}  // namespace myst::vpn
