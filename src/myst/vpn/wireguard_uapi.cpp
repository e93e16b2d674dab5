#include "myst/vpn/wireguard_uapi.hpp"

#include <cstdlib>
#include <limits>

#include <fmt/format.h>

#include "myst/base/amount.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::vpn {
namespace {

constexpr std::size_t kMaxAnswer = 16UL * 1024 * 1024;
constexpr std::size_t kMaxPeers = 65536;

std::string endpoint_text(const Endpoint& endpoint) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", endpoint.host, endpoint.port)
              : fmt::format("{}:{}", endpoint.host, endpoint.port);
}

tl::unexpected<Error> malformed(std::string_view line) {
    return fail(ErrorCode::invalid_data, "WireGuard program sent a malformed line: " + std::string(line.substr(0, 80)));
}

Result<> check_errno(std::string_view value) {
    if (value.starts_with('-')) value.remove_prefix(1);
    const auto number = parse_u64(value);
    if (!number || *number > std::numeric_limits<int>::max()) return malformed(value);
    if (*number != 0) return sys::fail_errno("WireGuard program refused the request", static_cast<int>(*number));
    return {};
}

/// Calls `take(key, value)` for every line until the empty one; the text must end with it.
template <class Take>
Result<> for_each_line(std::string_view text, Take take) {
    if (text.size() > kMaxAnswer) return fail(ErrorCode::invalid_data, "WireGuard program sent too long an answer");
    while (true) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return malformed("(no end)");
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line.empty()) return {};
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) return malformed(line);
        if (Result<> taken = take(line.substr(0, equals), line.substr(equals + 1)); !taken) return taken;
    }
}

/// Collects the status while the lines go by.
class StatusReader {
public:
    Result<> take(std::string_view key, std::string_view value) {
        if (key == "errno") {
            ended_ = true;
            return check_errno(value);
        }
        if (ended_) return malformed(key);
        if (key == "public_key") return begin_peer(value);
        if (key == "listen_port")
            return number(key, value, 65535,
                          [this](std::uint64_t port) { status.listen_port = static_cast<std::uint16_t>(port); });
        if (key == "last_handshake_time_sec")
            return number(key, value, std::uint64_t{1} << 40, [this](auto time) {
                if (time != 0 && !status.peers.empty()) {
                    status.peers.back().last_handshake = UnixTime(seconds(static_cast<std::int64_t>(time)));
                }
            });
        return {};
    }
    [[nodiscard]] bool ended() const { return ended_; }
    DeviceStatus status;

private:
    Result<> begin_peer(std::string_view value) {
        auto key = TunnelKey::parse(value);
        if (!key || value.size() != 2 * TunnelKey::kSize) return malformed("public_key");
        if (status.peers.size() == kMaxPeers)
            return fail(ErrorCode::invalid_data, "WireGuard program has too many peers");
        status.peers.push_back({.key = *key, .last_handshake = std::nullopt});
        return {};
    }
    template <class Store>
    static Result<> number(std::string_view key, std::string_view value, std::uint64_t limit, Store store) {
        const auto parsed = parse_u64(value);
        if (!parsed || *parsed > limit) return malformed(key);
        store(*parsed);
        return {};
    }
    bool ended_ = false;
};

}  // namespace

SecretText encode_uapi(const DeviceSettings& settings) {
    SecretText text("set=1\n");
    if (settings.private_key != nullptr) {
        text.append("private_key=").append_hex(settings.private_key->expose()).append("\n");
    }
    if (settings.listen_port) text.append(fmt::format("listen_port={}\n", *settings.listen_port));
    if (settings.mark) text.append(fmt::format("fwmark={}\n", *settings.mark));
    text.append("\n");
    return text;
}

SecretText encode_uapi(const PeerSettings& peer) {
    SecretText text("set=1\n");
    text.append("public_key=").append(peer.key.hex()).append("\n");
    if (peer.endpoint) text.append(fmt::format("endpoint={}\n", endpoint_text(*peer.endpoint)));
    text.append(fmt::format("persistent_keepalive_interval={}\n", peer.keepalive.count()));
    text.append("replace_allowed_ips=true\n");
    for (const auto& network : peer.allowed_networks) text.append(fmt::format("allowed_ip={}\n", network));
    text.append("\n");
    return text;
}

SecretText encode_uapi_removal(const TunnelKey& key) {
    return SecretText("set=1\npublic_key=" + key.hex() + "\nremove=true\n\n");
}

Result<DeviceStatus> parse_uapi_status(std::string_view text) {
    StatusReader reader;
    auto read = for_each_line(
        text, [&reader](std::string_view key, std::string_view value) { return reader.take(key, value); });
    if (!read) return forward_error(read);
    if (!reader.ended()) return malformed("(no errno)");
    return std::move(reader.status);
}

Result<> parse_uapi_answer(std::string_view text) {
    bool ended = false;
    auto read = for_each_line(text, [&ended](std::string_view key, std::string_view value) -> Result<> {
        if (key != "errno" || ended) return malformed(key);
        ended = true;
        return check_errno(value);
    });
    if (read && !ended) return malformed("(no errno)");
    return read;
}

}  // namespace myst::vpn
