#include "myst/vpn/claim.hpp"

#include <algorithm>

#include "myst/sys/netns.hpp"
#include "myst/vpn/uapi_socket.hpp"

namespace myst::vpn {

Result<int> free_number(sys::Netlink& links, int first, const std::vector<std::string>& prefixes) {
    auto existing = links.links();
    if (!existing) return forward_error(existing);
    const auto taken = [&existing](const std::string& name) {
        return std::any_of(existing->begin(), existing->end(), [&](const auto& link) { return link.name == name; }) ||
               uapi_alive(name);
    };
    for (int number = first; number < kMaxTunnels; ++number) {
        const bool used = std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
            return taken(prefix + std::to_string(number));
        });
        if (!used) return number;
    }
    return fail(ErrorCode::limit_exceeded, "all interface names for tunnels are in use", "close other tunnels");
}

Result<TunnelRecord> begin_record() {
    auto owner = ProcessMark::of_this_process();
    if (!owner) return forward_error(owner);
    auto network = sys::NetworkNamespace::current();
    if (!network) return forward_error(network);
    TunnelRecord record;
    record.owner = *owner;
    record.network = network->inode();
    return record;
}

Result<> label_link(sys::Netlink& links, const std::string& name, const ProcessMark& owner) {
    auto link = links.link(name);
    if (!link) return forward_error(link);
    return links.set_alias(link->index, owner.label());
}

}  // namespace myst::vpn
