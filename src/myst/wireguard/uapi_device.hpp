// The text protocol applied to a device.
#pragma once

#include <string>
#include <string_view>

#include "myst/wireguard/device.hpp"
#include "myst/wireguard/uapi.hpp"

namespace myst::wireguard {

/// Settings of the socket, which the device does not have itself.
struct SocketSettings {
    std::uint16_t listen_port = 0;  ///< 0: any
    std::uint32_t fwmark = 0;
};

/// Applies a request that was read. `socket` gets what it says of the socket; the caller carries it out.
/// limit_exceeded and invalid_argument leave what came before applied.
[[nodiscard]] Result<> apply_uapi(Device& device, SocketSettings& socket, SetRequest request, Now now, Actions& out);
[[nodiscard]] DeviceStatus uapi_status(const Device& device, const SocketSettings& socket);

/// Reads a request, carries it out and gives the answer, which may hold keys.
[[nodiscard]] SecretText answer_uapi(Device& device, SocketSettings& socket, std::string_view request, Now now,
                                     Actions& out);

}  // namespace myst::wireguard
