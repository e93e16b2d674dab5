#include "myst/node/envelope.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "myst/crypto/address.hpp"
#include "myst/crypto/nip44.hpp"
#include "myst/crypto/strict_json.hpp"
#include "myst/node/json_members.hpp"
#include "myst/node/public_address.hpp"

namespace myst::node {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxEnvelope = 8 * 1024;
constexpr std::size_t kMaxMessage = 200;
constexpr std::size_t kMaxService = 32;
constexpr std::size_t kMaxResolvers = 4;
constexpr std::string_view kRejectNames[] = {"price", "funds", "full", "request", "unavailable"};

/// Members of an envelope.
class Members : public JsonMembers {
public:
    using JsonMembers::JsonMembers;

    std::string ipv4(const char* name) {
        auto value = text(name, 15);
        boost::system::error_code ec;
        std::ignore = asio::ip::make_address_v4(value, ec);
        if (ec) note(name);
        return value;
    }
    std::vector<std::string> ipv4_list(const char* name, std::size_t limit) {
        std::vector<std::string> list;
        const auto* value = find(name);
        const auto* array = value ? value->if_array() : nullptr;
        if (!array || array->size() > limit) {
            note(name);
            return list;
        }
        for (const auto& entry : *array) {
            const auto* string = entry.if_string();
            boost::system::error_code ec;
            if (string) std::ignore = asio::ip::make_address_v4(std::string(*string), ec);
            if (!string || ec) {
                note(name);
                return list;
            }
            list.emplace_back(*string);
        }
        return list;
    }
    Result<Envelope> finish(Envelope envelope) const {
        if (!problem().empty()) return fail(ErrorCode::invalid_data, "envelope: " + problem());
        return envelope;
    }
};

Result<Envelope> parse_request(Members members) {
    SessionRequest request;
    request.id = members.hex<SessionId>("id");
    request.service = members.text("service", kMaxService);
    request.signer = members.address("signer");
    request.tunnel_key = members.hex<TunnelKey>("tunnel_key");
    request.created = UnixTime(seconds(members.number("created", 0, 1ULL << 40)));
    request.tariff = {members.amount("price_gib"), members.amount("price_hour")};
    request.signature = {members.hex<Hash32>("r"), members.hex<Hash32>("vs")};
    return members.finish(request);
}

/// Of a message that has nothing but an id.
template <class Message>
Result<Envelope> parse_bare(Members members) {
    const Message message{members.hex<SessionId>("id")};
    return members.finish(message);
}

void read_endpoint(Members& members, ports::TunnelOffer& offer) {
    auto endpoint = parse_endpoint(members.text("endpoint", 21));
    if (!endpoint || !is_public_ipv4(endpoint->host)) return members.note("endpoint");
    offer.endpoint_host = endpoint->host;
    offer.endpoint_port = endpoint->port;
}

Result<Envelope> parse_accept(Members members) {
    SessionAccept accept;
    auto& offer = accept.offer;
    accept.id = members.hex<SessionId>("id");
    read_endpoint(members, offer);
    offer.server_key = members.hex<TunnelKey>("server_key");
    offer.client_address = members.ipv4("client_address");
    offer.server_address = members.ipv4("server_address");
    offer.payment_port = static_cast<std::uint16_t>(members.number("payment_port", 1, 65'535));
    offer.dns = members.ipv4_list("dns", kMaxResolvers);
    for (const auto& resolver : offer.dns) {
        if (!is_public_ipv4(resolver) && resolver != offer.server_address) members.note("dns");
    }
    offer.mtu = static_cast<std::uint16_t>(members.number("mtu", ports::kMinTunnelMtu, ports::kMaxTunnelMtu));
    accept.credit_bytes = members.number("credit_bytes", 0, 1ULL << 40);
    accept.payee = members.address("payee");
    accept.epoch = static_cast<std::uint32_t>(members.number("epoch", 0, codec::kMaxEpoch));
    return members.finish(std::move(accept));
}

Result<Envelope> parse_reject(Members members) {
    SessionReject reject;
    reject.id = members.hex<SessionId>("id");
    const auto code = members.text("code", 16);
    const auto* found = std::find(std::begin(kRejectNames), std::end(kRejectNames), code);
    if (found == std::end(kRejectNames)) {
        members.note("code");
    } else {
        reject.code = static_cast<RejectCode>(found - std::begin(kRejectNames));
    }
    for (char c : members.text("message", kMaxMessage)) reject.message.push_back(c >= 0x20 && c < 0x7f ? c : '?');
    return members.finish(std::move(reject));
}

json::object json_of(const SessionRequest& request) {
    return {{"v", 1},
            {"type", "request"},
            {"id", request.id.hex()},
            {"service", request.service},
            {"signer", crypto::to_checksum(request.signer)},
            {"tunnel_key", request.tunnel_key.hex()},
            {"created", to_unix_seconds(request.created)},
            {"price_gib", request.tariff.per_gib.to_string()},
            {"price_hour", request.tariff.per_hour.to_string()},
            {"r", request.signature.r.hex()},
            {"vs", request.signature.vs.hex()}};
}

json::object json_of(const SessionAccept& accept) {
    const auto& offer = accept.offer;
    return {{"v", 1},
            {"type", "accept"},
            {"id", accept.id.hex()},
            {"endpoint", offer.endpoint_host + ":" + std::to_string(offer.endpoint_port)},
            {"server_key", offer.server_key.hex()},
            {"client_address", offer.client_address},
            {"server_address", offer.server_address},
            {"payment_port", offer.payment_port},
            {"dns", json::array(offer.dns.begin(), offer.dns.end())},
            {"mtu", offer.mtu},
            {"credit_bytes", accept.credit_bytes},
            {"payee", crypto::to_checksum(accept.payee)},
            {"epoch", accept.epoch}};
}

json::object json_of(const SessionReject& reject) {
    return {{"v", 1},
            {"type", "reject"},
            {"id", reject.id.hex()},
            {"code", std::string(to_string(reject.code))},
            {"message", reject.message.substr(0, kMaxMessage)}};
}

json::object json_of(const Ping& ping) {
    return {{"v", 1}, {"type", "ping"}, {"id", ping.id.hex()}};
}

json::object json_of(const Pong& pong) {
    return {{"v", 1}, {"type", "pong"}, {"id", pong.id.hex()}};
}

}  // namespace

std::string_view to_string(RejectCode code) {
    return kRejectNames[static_cast<std::size_t>(code)];
}

std::string to_json(const Envelope& envelope) {
    return std::visit([](const auto& message) { return json::serialize(json_of(message)); }, envelope);
}

Result<Envelope> parse_envelope(std::string_view text) {
    auto value = crypto::parse_json(text, kMaxEnvelope);
    if (!value) return forward_error(value, "envelope");
    const auto* object = value->if_object();
    if (!object) return fail(ErrorCode::invalid_data, "envelope: not an object");
    Members members(*object);
    if (members.number("v", 0, 1000) != 1) {
        return fail(ErrorCode::invalid_data, "envelope: unknown version", "update this program");
    }
    const auto type = members.text("type", 16);
    if (type == "request") return parse_request(members);
    if (type == "accept") return parse_accept(members);
    if (type == "reject") return parse_reject(members);
    if (type == "ping") return parse_bare<Ping>(members);
    if (type == "pong") return parse_bare<Pong>(members);
    return fail(ErrorCode::invalid_data, "envelope: unknown type");
}

Result<codec::Event> seal_envelope(const Envelope& envelope, const crypto::PrivateKey& from, const NodeKey& to,
                                   UnixTime now, Rng& rng) {
    auto ciphertext = crypto::nip44_encrypt(from, to, to_json(envelope), rng);
    if (!ciphertext) return forward_error(ciphertext, "sealing an envelope");
    codec::Event event;
    event.kind = kEnvelopeKind;
    event.created_at = now;
    event.tags = {{"p", to.hex()}};
    event.content = std::move(*ciphertext);
    codec::sign_event(event, from, random_bytes<Hash32>(rng));
    return event;
}

Result<Envelope> open_envelope(const codec::Event& event, const crypto::PrivateKey& to) {
    if (event.kind != kEnvelopeKind) return fail(ErrorCode::invalid_data, "envelope: wrong kind");
    auto plaintext = crypto::nip44_decrypt(to, event.pubkey, event.content);
    if (!plaintext) return forward_error(plaintext, "envelope");
    return parse_envelope(*plaintext);
}

}  // namespace myst::node
