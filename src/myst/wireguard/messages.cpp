#include "myst/wireguard/messages.hpp"

#include <algorithm>

#include "myst/base/check.hpp"
#include "myst/wireguard/byte_order.hpp"

namespace myst::wireguard {
namespace {

/// Writes fields one after the other, behind type and reserved bytes.
class Writer {
public:
    Writer(std::span<std::uint8_t> out, MessageType type) : rest_(out.subspan(4)) {
        out[0] = static_cast<std::uint8_t>(type);
    }
    void put(BytesView bytes) {
        std::copy(bytes.begin(), bytes.end(), rest_.begin());
        rest_ = rest_.subspan(bytes.size());
    }
    template <class Number>
    void put_number(Number value) {
        store_little_endian(rest_.first(sizeof(Number)), value);
        rest_ = rest_.subspan(sizeof(Number));
    }

private:
    std::span<std::uint8_t> rest_;
};

/// Reads them back; the caller has checked type and size.
class Reader {
public:
    Reader(BytesView in, MessageType type) : rest_(in.subspan(4)) { CHECK(classify(in) == type); }
    void take(std::span<std::uint8_t> out) {
        std::copy_n(rest_.begin(), out.size(), out.begin());
        rest_ = rest_.subspan(out.size());
    }
    template <class Number>
    void take_number(Number& value) {
        value = load_little_endian<Number>(rest_.first(sizeof(Number)));
        rest_ = rest_.subspan(sizeof(Number));
    }

private:
    BytesView rest_;
};

}  // namespace

std::optional<MessageType> classify(BytesView datagram) {
    if (datagram.size() < kKeepaliveSize || datagram[1] != 0 || datagram[2] != 0 || datagram[3] != 0) {
        return std::nullopt;
    }
    const auto is = [&](std::size_t size, MessageType type) {
        return datagram.size() == size ? std::optional(type) : std::nullopt;
    };
    switch (datagram[0]) {
        case 1: return is(kInitiationSize, MessageType::initiation);
        case 2: return is(kResponseSize, MessageType::response);
        case 3: return is(kCookieReplySize, MessageType::cookie_reply);
        case 4: return MessageType::data;
        default: return std::nullopt;
    }
}

std::array<std::uint8_t, kInitiationSize> Initiation::encode() const {
    std::array<std::uint8_t, kInitiationSize> bytes{};
    Writer writer(bytes, MessageType::initiation);
    writer.put_number(sender);
    writer.put(ephemeral.view());
    writer.put(encrypted_static);
    writer.put(encrypted_timestamp);
    return bytes;
}

Initiation Initiation::decode(BytesView datagram) {
    Initiation message;
    Reader reader(datagram, MessageType::initiation);
    reader.take_number(message.sender);
    reader.take(message.ephemeral.bytes);
    reader.take(message.encrypted_static);
    reader.take(message.encrypted_timestamp);
    return message;
}

std::array<std::uint8_t, kResponseSize> Response::encode() const {
    std::array<std::uint8_t, kResponseSize> bytes{};
    Writer writer(bytes, MessageType::response);
    writer.put_number(sender);
    writer.put_number(receiver);
    writer.put(ephemeral.view());
    writer.put(encrypted_nothing);
    return bytes;
}

Response Response::decode(BytesView datagram) {
    Response message;
    Reader reader(datagram, MessageType::response);
    reader.take_number(message.sender);
    reader.take_number(message.receiver);
    reader.take(message.ephemeral.bytes);
    reader.take(message.encrypted_nothing);
    return message;
}

std::array<std::uint8_t, kCookieReplySize> CookieReply::encode() const {
    std::array<std::uint8_t, kCookieReplySize> bytes{};
    Writer writer(bytes, MessageType::cookie_reply);
    writer.put_number(receiver);
    writer.put(nonce);
    writer.put(encrypted_cookie);
    return bytes;
}

CookieReply CookieReply::decode(BytesView datagram) {
    CookieReply message;
    Reader reader(datagram, MessageType::cookie_reply);
    reader.take_number(message.receiver);
    reader.take(message.nonce);
    reader.take(message.encrypted_cookie);
    return message;
}

std::array<std::uint8_t, kDataHeaderSize> DataHeader::encode() const {
    std::array<std::uint8_t, kDataHeaderSize> bytes{};
    Writer writer(bytes, MessageType::data);
    writer.put_number(receiver);
    writer.put_number(counter);
    return bytes;
}

DataHeader DataHeader::decode(BytesView datagram) {
    DataHeader header;
    Reader reader(datagram, MessageType::data);
    reader.take_number(header.receiver);
    reader.take_number(header.counter);
    return header;
}

}  // namespace myst::wireguard
