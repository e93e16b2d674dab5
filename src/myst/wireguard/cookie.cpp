#include "myst/wireguard/cookie.hpp"

#include <algorithm>

#include "myst/base/check.hpp"
#include "myst/wireguard/byte_order.hpp"

namespace myst::wireguard {
namespace {

Hash32 mac1_key_for(const TunnelKey& receiver) {
    return blake2s({as_bytes("mac1----"), receiver.view()});
}

Secret<32> reply_key_for(const TunnelKey& sender) {
    const auto hash = blake2s({as_bytes("cookie--"), sender.view()});
    Secret<32> key;
    std::copy(hash.bytes.begin(), hash.bytes.end(), key.expose_mutable().begin());
    return key;
}

/// The last 32 bytes of initiations and responses are mac1 ‖ mac2.
struct MacFields {
    BytesView before_mac1;
    BytesView mac1;
    BytesView before_mac2;
    BytesView mac2;

    explicit MacFields(BytesView message)
        : before_mac1(message.first(message.size() - 2 * kMacSize)),
          mac1(message.subspan(before_mac1.size(), kMacSize)),
          before_mac2(message.first(message.size() - kMacSize)),
          mac2(message.last(kMacSize)) {}
};

}  // namespace

CookieChecker::CookieChecker(const TunnelKey& own) : mac1_key_(mac1_key_for(own)), reply_key_(reply_key_for(own)) {}

bool CookieChecker::mac1_valid(BytesView message) const {
    const MacFields fields(message);
    return equal_constant_time(blake2s_mac(mac1_key_.view(), {fields.before_mac1}), fields.mac1);
}

bool CookieChecker::mac2_valid(BytesView message, const Endpoint& source, MonotonicTime now, Rng& rng) {
    const MacFields fields(message);
    const auto cookie = cookie_of(source, now, rng);
    return equal_constant_time(blake2s_mac(cookie, {fields.before_mac2}), fields.mac2);
}

CookieReply CookieChecker::make_reply(BytesView message, const Endpoint& source, MonotonicTime now, Rng& rng) {
    const auto type = classify(message);
    CHECK(type == MessageType::initiation || type == MessageType::response);
    CookieReply reply;
    reply.receiver = load_little_endian<std::uint32_t>(message.subspan(4, 4));
    rng.fill(reply.nonce);
    const auto cookie = cookie_of(source, now, rng);
    seal_extended(reply_key_, reply.nonce, cookie, MacFields(message).mac1, reply.encrypted_cookie);
    return reply;
}

Mac CookieChecker::cookie_of(const Endpoint& source, MonotonicTime now, Rng& rng) {
    if (!secret_made_ || now - *secret_made_ >= kCookieLifetime) {
        rng.fill(secret_->expose_mutable());
        secret_made_ = now;
    }
    std::array<std::uint8_t, 2> port{};
    store_little_endian(port, source.port);
    return blake2s_mac(secret_->expose(), {source.address.view(), port});
}

void CookieGenerator::add_macs(std::span<std::uint8_t> message, MonotonicTime now) {
    const MacFields fields(message);
    const auto mac1 = blake2s_mac(mac1_key_for(peer_).view(), {fields.before_mac1});
    std::copy(mac1.begin(), mac1.end(), message.end() - 2 * kMacSize);
    outstanding_mac1_ = mac1;
    if (cookie_ && now - cookie_->arrived >= kCookieLifetime) cookie_.reset();
    Mac mac2{};
    if (cookie_) mac2 = blake2s_mac(cookie_->value->expose(), {fields.before_mac2});
    std::copy(mac2.begin(), mac2.end(), message.end() - kMacSize);
}

bool CookieGenerator::accept_reply(const CookieReply& reply, MonotonicTime now) {
    if (!outstanding_mac1_) return false;
    Locked<Secret<16>> value;
    const auto key = reply_key_for(peer_);
    if (!open_extended(key, reply.nonce, reply.encrypted_cookie, *outstanding_mac1_, value->expose_mutable())) {
        return false;
    }
    outstanding_mac1_.reset();
    cookie_ = Cookie{std::move(value), now};
    return true;
}

void CookieGenerator::clear() {
    outstanding_mac1_.reset();
    cookie_.reset();
}

}  // namespace myst::wireguard
