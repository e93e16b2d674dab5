#include "scale/sizes.hpp"

#include "myst/base/check.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/db/relay_message.hpp"

namespace myst::scale {

codec::Event sample_proposal() {
    auto secret = Hash32{};
    secret.bytes.back() = 7;
    const auto key = crypto::PrivateKey::from(secret.bytes);
    CHECK(key);
    codec::Event event;
    event.kind = codec::kProposalKind;
    event.created_at = UnixTime(seconds(1'800'000'000));
    event.tags = {{"d", "wireguard"},
                  {"s", "wireguard"},
                  {"service", "wireguard"},
                  {"c", "NL"},
                  {"country", "NL"},
                  {"l", "wireguard:NL"},
                  {"price_gib", "100000000000000000"},
                  {"price_hour", "200000000000000"},
                  {"payee", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"},
                  {"chain", "1", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"},
                  {"expiration", "1800003600"},
                  {"relay", "wss://relay-one.example:7777"},
                  {"relay", "wss://relay-two.example:7777"}};
    event.content = R"({"v":1,"name":"a provider in Utrecht","terms":"No spam, no attacks; no logs are kept."})";
    codec::sign_event(event, *key, Hash32{});
    return event;
}

std::size_t framed(std::size_t message, bool from_client) {
    const std::size_t length = message < 126 ? 0 : message < 65'536 ? 2 : 8;
    return message + 2 + length + (from_client ? 4 : 0);
}

Sizes measure_sizes() {
    const auto event = sample_proposal();
    const auto json = codec::to_json(event);
    codec::Filter filter;
    filter.kinds = {codec::kProposalKind};
    const auto req = [](std::size_t ids) {
        codec::Filter asked;
        asked.ids.resize(ids);
        asked.limit = 320;
        return db::encode_req("q1000", {asked}).size();
    };
    Sizes sizes;
    sizes.record = json.size();
    sizes.live = framed(db::encode_relay_event("s1", json).size(), false);
    sizes.event = framed(db::encode_event(json).size(), true);
    sizes.ok = framed(db::encode_ok(event.id, true, "").size(), false);
    sizes.ask_id = req(3) - req(2);
    sizes.ask = framed(req(2) - 2 * sizes.ask_id, true) + framed(db::encode_eose("q1000").size(), false) +
                framed(db::encode_close("q1000").size(), true);
    sizes.neg_open = framed(db::encode_neg_open("n1000", filter, {}).size(), true);
    sizes.neg_next = framed(db::encode_neg_message("n1000", {}).size(), false);
    sizes.neg_close = framed(db::encode_neg_close("n1000").size(), true);
    return sizes;
}

}  // namespace myst::scale
