// Text form of Ethereum addresses with the mixed-case checksum of EIP-55.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/bytes.hpp"

namespace myst::crypto {

/// "0x" and 40 hex digits with the EIP-55 checksum.
[[nodiscard]] std::string to_checksum(const Address& address);
/// Accepts 0x + 40 digits that are all lower case, all upper case, or carry a correct EIP-55 checksum; a wrong
/// checksum is invalid_argument, so that a mistyped address is caught.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

}  // namespace myst::crypto
