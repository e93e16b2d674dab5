// WireGuard's text protocol for settings (https://www.wireguard.com/xplatform/): reading requests, printing answers.
// Errors never quote a value. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "myst/base/secret.hpp"
#include "myst/base/secret_text.hpp"
#include "myst/wireguard/endpoint.hpp"
#include "myst/wireguard/timestamp.hpp"

namespace myst::wireguard {

inline constexpr std::size_t kMaxUapiRequest = 16UL * 1024 * 1024;

/// What a set request says of one peer.
struct PeerRequest {
    struct AllowedIp {
        IpPrefix prefix;
        bool remove = false;
    };

    TunnelKey key;
    bool remove = false;
    bool update_only = false;  ///< nothing happens if the peer does not exist
    bool replace_allowed_ips = false;
    std::optional<Secret<32>> preshared_key;  ///< zeros: none from now on
    std::optional<Endpoint> endpoint;
    std::optional<std::uint16_t> persistent_keepalive;  ///< seconds; 0 is off
    std::vector<AllowedIp> allowed_ips;                 ///< in order
};

struct SetRequest {
    std::optional<Secret<32>> private_key;  ///< zeros: none from now on
    std::optional<std::uint16_t> listen_port;
    std::optional<std::uint32_t> fwmark;
    bool replace_peers = false;
    std::vector<PeerRequest> peers;  ///< in order; the same peer may come twice
};

struct GetRequest {};

using UapiRequest = std::variant<GetRequest, SetRequest>;

/// One request with the empty line at its end. Unknown keys, values out of range and keys in the wrong place are
/// invalid_argument.
[[nodiscard]] Result<UapiRequest> parse_uapi_request(std::string_view text);

struct PeerStatus {
    TunnelKey key;
    Secret<32> preshared_key;
    std::optional<Endpoint> endpoint;
    std::optional<WallTime> last_handshake;
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
    seconds persistent_keepalive{0};
    std::vector<IpPrefix> allowed_ips;
};

struct DeviceStatus {
    std::optional<Secret<32>> private_key;
    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0;
    std::vector<PeerStatus> peers;
};

/// The answer to a get request.
[[nodiscard]] SecretText print_uapi_status(const DeviceStatus& status);
/// The answer to a set request, or to one that failed; `error` is 0 or an errno.
[[nodiscard]] std::string print_uapi_errno(int error);

}  // namespace myst::wireguard
