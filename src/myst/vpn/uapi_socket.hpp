// The unix sockets on which programs serve WireGuard's userspace interface.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/secret_text.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// Where a program serves the interface of this name.
[[nodiscard]] std::string uapi_path(const std::string& interface_name);
/// Whether some process answers at that path now.
[[nodiscard]] bool uapi_alive(const std::string& interface_name);

/// Requests to one interface, one connection each. Any thread.
class UapiSocket {
public:
    /// `owner`: only a socket served by this process is talked to.
    UapiSocket(std::string interface_name, int owner) : name_(std::move(interface_name)), owner_(owner) {}
    /// Sends a set request.
    [[nodiscard]] Result<> set(const SecretText& request) const;
    [[nodiscard]] Result<DeviceStatus> get() const;
    /// Whether the right process answers: not_found or unavailable if nobody does yet, already_exists if another does.
    [[nodiscard]] Result<> probe() const;

private:
    [[nodiscard]] Result<SecretText> exchange(std::string_view request) const;
    std::string name_;
    int owner_;
};

}  // namespace myst::vpn
