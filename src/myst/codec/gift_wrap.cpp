#include "myst/codec/gift_wrap.hpp"

#include <boost/json/serialize.hpp>

#include "myst/codec/record_kinds.hpp"
#include "myst/crypto/nip44.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::codec {
namespace {

/// What decryption can bring forth at most.
constexpr std::size_t kMaxPlaintext = 65'535;

tl::unexpected<Error> bad(const char* what) {
    return fail(ErrorCode::invalid_data, std::string("gift wrap: ") + what);
}

/// The JSON object of an event without its signature.
std::string rumor_json(const Event& rumor) {
    auto value = crypto::parse_json(to_json(rumor), 2 * kMaxPlaintext);
    if (!value || !value->is_object()) return {};
    value->as_object().erase("sig");
    return boost::json::serialize(*value);
}

Result<Event> parse_rumor(std::string_view text) {
    auto value = crypto::parse_json(text, kMaxPlaintext);
    if (!value) return forward_error(value, "gift wrap: the message");
    auto* object = value->if_object();
    if (object == nullptr) return bad("the message is not a JSON object");
    // A message with a signature could be shown to others as proof.
    if (object->contains("sig")) return bad("the message is signed");
    object->emplace("sig", crypto::SchnorrSignature{}.hex());
    auto rumor = parse_event(boost::json::serialize(*object));
    if (!rumor) return forward_error(rumor, "gift wrap: the message");
    if (rumor->id != event_id(*rumor)) return bad("the message's id does not match its content");
    return rumor;
}

Result<Event> seal(const Event& rumor, const crypto::PrivateKey& from, const NodeKey& to, UnixTime created_at,
                   Rng& rng) {
    auto content = crypto::nip44_encrypt(from, to, rumor_json(rumor), rng);
    if (!content) return forward_error(content, "sealing a message");
    Event event;
    event.kind = kSealKind;
    event.created_at = created_at;
    event.content = std::move(*content);
    sign_event(event, from, random_bytes<Hash32>(rng));
    return event;
}

}  // namespace

Result<UnsignedGift> wrap_gift(Event rumor, const crypto::PrivateKey& from, const NodeKey& to, const GiftTimes& times,
                               Rng& rng) {
    rumor.pubkey = from.node_key();
    rumor.id = event_id(rumor);
    auto sealed = seal(rumor, from, to, times.sealed, rng);
    if (!sealed) return forward_error(sealed);
    auto key = crypto::PrivateKey::generate(rng);
    auto content = crypto::nip44_encrypt(key, to, to_json(*sealed), rng);
    if (!content) return forward_error(content, "wrapping a message");
    Event wrap;
    wrap.pubkey = key.node_key();
    wrap.kind = kGiftWrapKind;
    wrap.created_at = times.wrapped;
    wrap.tags = {{"p", to.hex()}, {"expiration", std::to_string(to_unix_seconds(times.expires))}};
    wrap.content = std::move(*content);
    return UnsignedGift{std::move(wrap), std::move(key)};
}

Result<Event> sign_gift(UnsignedGift gift, Rng& rng) {
    sign_event(gift.wrap, gift.key, random_bytes<Hash32>(rng));
    return std::move(gift.wrap);
}

Result<Event> unwrap_gift(const Event& wrap, const crypto::PrivateKey& to) {
    if (wrap.kind != kGiftWrapKind) return bad("it is of another kind");
    auto inner = crypto::nip44_decrypt(to, wrap.pubkey, wrap.content);
    if (!inner) return bad("it cannot be decrypted");
    auto sealed = parse_event(*inner);
    if (!sealed) return forward_error(sealed, "gift wrap: the seal");
    if (sealed->kind != kSealKind || !sealed->tags.empty()) return bad("there is no seal in it");
    if (auto verified = verify_event(*sealed); !verified) return forward_error(verified, "gift wrap: the seal");
    auto text = crypto::nip44_decrypt(to, sealed->pubkey, sealed->content);
    if (!text) return bad("the seal cannot be decrypted");
    auto rumor = parse_rumor(*text);
    if (!rumor) return rumor;
    // Else anybody could seal a message in somebody's name.
    if (rumor->pubkey != sealed->pubkey) return bad("the message is not of the one who sealed it");
    return rumor;
}

}  // namespace myst::codec
