#include "myst/wireguard/uapi.hpp"

#include <limits>

#include "myst/base/amount.hpp"

namespace myst::wireguard {
namespace {

tl::unexpected<Error> refuse(std::string_view key, std::string_view why) {
    return fail(ErrorCode::invalid_argument, "WireGuard request: " + std::string(why) + " for " + std::string(key));
}

template <class Number>
Result<> read_number(std::string_view key, std::string_view value, std::optional<Number>& out) {
    const auto number = parse_u64(value);
    if (!number || *number > std::numeric_limits<Number>::max()) return refuse(key, "number out of range");
    out = static_cast<Number>(*number);
    return {};
}

Result<> read_hex(std::string_view key, std::string_view value, std::span<std::uint8_t, 32> out) {
    if (value.size() != 64 || !parse_hex_into(value, out)) return refuse(key, "not 64 hex digits");
    return {};
}

Result<> read_secret(std::string_view key, std::string_view value, std::optional<Secret<32>>& out) {
    out.emplace();
    return read_hex(key, value, out->expose_mutable());
}

Result<> read_true(std::string_view key, std::string_view value, bool& out) {
    if (value != "true") return refuse(key, "only true is possible");
    out = true;
    return {};
}

Result<> read_allowed_ip(std::string_view value, PeerRequest& peer) {
    const bool remove = value.starts_with('-');
    if (remove) value.remove_prefix(1);
    const auto prefix = IpPrefix::parse(value);
    if (!prefix) return refuse("allowed_ip", "not a prefix");
    peer.allowed_ips.push_back({*prefix, remove});
    return {};
}

/// Takes the lines of a set request one by one.
class SetReader {
public:
    [[nodiscard]] Result<> take(std::string_view key, std::string_view value) {
        if (key == "public_key") return begin_peer(value);
        return request.peers.empty() ? take_for_device(key, value) : take_for_peer(key, value, request.peers.back());
    }
    SetRequest request;

private:
    Result<> begin_peer(std::string_view value) {
        TunnelKey key;
        if (auto read = read_hex("public_key", value, key.bytes); !read) return read;
        request.peers.emplace_back().key = key;
        return {};
    }
    Result<> take_for_device(std::string_view key, std::string_view value) {
        if (key == "private_key") return read_secret(key, value, request.private_key);
        if (key == "listen_port") return read_number(key, value, request.listen_port);
        if (key == "fwmark") return read_number(key, value, request.fwmark);
        if (key == "replace_peers") return read_true(key, value, request.replace_peers);
        return fail(ErrorCode::invalid_argument, "WireGuard request: unknown key of the interface");
    }
    static Result<> take_for_peer(std::string_view key, std::string_view value, PeerRequest& peer) {
        if (key == "remove") return read_true(key, value, peer.remove);
        if (key == "update_only") return read_true(key, value, peer.update_only);
        if (key == "replace_allowed_ips") return read_true(key, value, peer.replace_allowed_ips);
        if (key == "preshared_key") return read_secret(key, value, peer.preshared_key);
        if (key == "persistent_keepalive_interval") return read_number(key, value, peer.persistent_keepalive);
        if (key == "allowed_ip") return read_allowed_ip(value, peer);
        if (key == "endpoint") {
            const auto endpoint = Endpoint::parse(value);
            if (!endpoint) return refuse(key, "not an address with a port");
            peer.endpoint = *endpoint;
            return {};
        }
        if (key == "protocol_version") {
            if (value != "1") return refuse(key, "only version 1 is known");
            return {};
        }
        return fail(ErrorCode::invalid_argument, "WireGuard request: unknown key of a peer");
    }
};

void append_line(SecretText& out, std::string_view key, std::string_view value) {
    out.append(key).append("=").append(value).append("\n");
}

void append_number(SecretText& out, std::string_view key, std::uint64_t value) {
    append_line(out, key, std::to_string(value));
}

void append_hex(SecretText& out, std::string_view key, BytesView bytes) {
    out.append(key).append("=").append_hex(bytes).append("\n");
}

std::size_t estimated_size(const DeviceStatus& status) {
    std::size_t size = 256;
    for (const auto& peer : status.peers) size += 640 + peer.allowed_ips.size() * 64;
    return size;
}

void append_peer(SecretText& out, const PeerStatus& peer) {
    append_hex(out, "public_key", peer.key.view());
    append_hex(out, "preshared_key", peer.preshared_key.expose());
    append_line(out, "protocol_version", "1");
    if (peer.endpoint) append_line(out, "endpoint", peer.endpoint->to_string());
    const auto since = peer.last_handshake ? peer.last_handshake->time_since_epoch() : nanoseconds{0};
    const auto whole = std::chrono::floor<seconds>(since);
    append_number(out, "last_handshake_time_sec", static_cast<std::uint64_t>(whole.count()));
    append_number(out, "last_handshake_time_nsec", static_cast<std::uint64_t>((since - whole).count()));
    append_number(out, "tx_bytes", peer.sent_bytes);
    append_number(out, "rx_bytes", peer.received_bytes);
    append_number(out, "persistent_keepalive_interval", static_cast<std::uint64_t>(peer.persistent_keepalive.count()));
    for (const auto& prefix : peer.allowed_ips) append_line(out, "allowed_ip", prefix.to_string());
}

}  // namespace

Result<UapiRequest> parse_uapi_request(std::string_view text) {
    if (text.size() > kMaxUapiRequest) return fail(ErrorCode::invalid_argument, "WireGuard request: too long");
    if (text == "get=1\n\n") return GetRequest{};
    constexpr std::string_view kSet = "set=1\n";
    if (!text.starts_with(kSet)) return fail(ErrorCode::invalid_argument, "WireGuard request: neither get nor set");
    text.remove_prefix(kSet.size());
    SetReader reader;
    for (;;) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return fail(ErrorCode::invalid_argument, "WireGuard request: no end");
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line.empty()) break;
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) return fail(ErrorCode::invalid_argument, "WireGuard request: no key");
        auto taken = reader.take(line.substr(0, equals), line.substr(equals + 1));
        if (!taken) return forward_error(taken);
    }
    if (!text.empty()) return fail(ErrorCode::invalid_argument, "WireGuard request: more after its end");
    return std::move(reader.request);
}

SecretText print_uapi_status(const DeviceStatus& status) {
    SecretText out;
    out.reserve(estimated_size(status));
    if (status.private_key) append_hex(out, "private_key", status.private_key->expose());
    if (status.listen_port != 0) append_number(out, "listen_port", status.listen_port);
    if (status.fwmark != 0) append_number(out, "fwmark", status.fwmark);
    for (const auto& peer : status.peers) append_peer(out, peer);
    out.append(print_uapi_errno(0));
    return out;
}

std::string print_uapi_errno(int error) {
    return "errno=" + std::to_string(-error) + "\n\n";
}

}  // namespace myst::wireguard
