// The texts of WireGuard's cross-platform userspace interface ("set=1", "get=1"); uapi_socket.hpp sends them.
#pragma once

#include <string_view>

#include "myst/base/secret_text.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// A complete set request, ending in an empty line. It may hold the private key.
[[nodiscard]] SecretText encode_uapi(const DeviceSettings& settings);
[[nodiscard]] SecretText encode_uapi(const PeerSettings& peer);
[[nodiscard]] SecretText encode_uapi_removal(const TunnelKey& key);

/// Reads the answer to a get request. Unknown keys are skipped; malformed or overlong text is invalid_data; an errno
/// other than zero becomes a failure.
[[nodiscard]] Result<DeviceStatus> parse_uapi_status(std::string_view text);
/// Reads the answer to a set request.
[[nodiscard]] Result<> parse_uapi_answer(std::string_view text);

}  // namespace myst::vpn
