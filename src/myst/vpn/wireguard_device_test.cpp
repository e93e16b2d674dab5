#include "myst/vpn/wireguard_device.hpp"

#include <unistd.h>

#include <gmock/gmock.h>

namespace myst::vpn {
namespace {

using ::testing::HasSubstr;

TEST(WireguardChoice, SaysWhatIsMissing) {
    const auto no_program = check_wireguard({WireguardKind::program, {"/nowhere/wireguard-go"}});
    ASSERT_FALSE(no_program);
    EXPECT_EQ(no_program.error().code, ErrorCode::unavailable);
    EXPECT_THAT(no_program.error().cure, HasSubstr("wireguard-go"));
    const auto kernel = check_wireguard({WireguardKind::kernel, {}});
    if (!kernel) {
        EXPECT_THAT(kernel.error().cure, HasSubstr("builtin"));
    }
}

TEST(WireguardChoice, BuiltinNeedsTheTunDeviceOnly) {
    const auto checked = check_wireguard({WireguardKind::builtin, {}});
    const bool there = ::access("/dev/net/tun", R_OK | W_OK) == 0;
    ASSERT_EQ(checked.has_value(), there);
    if (!there) {
        EXPECT_THAT(checked.error().describe(), HasSubstr("/dev/net/tun"));
    }
}

}  // namespace
}  // namespace myst::vpn
