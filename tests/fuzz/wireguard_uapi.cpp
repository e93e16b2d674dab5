// Requests in WireGuard's text protocol: whatever is accepted can be printed, and what is printed can be set again.
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"
#include "myst/wireguard/uapi_device.hpp"

namespace {

using namespace myst::wireguard;

/// The lines of a status that a set request may have.
std::string as_request(std::string_view status) {
    std::string request = "set=1\n";
    while (!status.empty()) {
        const auto line = status.substr(0, status.find('\n') + 1);
        status.remove_prefix(line.size());
        if (line.starts_with("errno") || line.starts_with("last_") || line.starts_with("tx_") ||
            line.starts_with("rx_"))
            continue;
        request += line;
    }
    return request;
}

/// Without what is counted.
std::string settings_of(const Device& device, const SocketSettings& socket) {
    return as_request(print_uapi_status(uapi_status(device, socket)).view());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Now now{myst::MonotonicTime(seconds(1000)), WallTime(seconds(1'700'000'000))};
    test::SeededRng rng(1);
    Device device(rng);
    SocketSettings socket;
    Actions actions;
    const auto answer = answer_uapi(device, socket, {reinterpret_cast<const char*>(data), size}, now, actions);
    CHECK(answer.view().ends_with("\n\n"));
    const auto settings = settings_of(device, socket);
    Device other(rng);
    SocketSettings other_socket;
    const auto again = answer_uapi(other, other_socket, settings, now, actions);
    CHECK(again == print_uapi_errno(0));
    CHECK(settings_of(other, other_socket) == settings);
    return 0;
}
