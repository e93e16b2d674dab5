#include <gtest/gtest.h>

#include "myst/wireguard/cookie.hpp"
#include "myst/wireguard/noise.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"
#include "vectors/load.hpp"

namespace myst::wireguard {
namespace {

using myst::test::fixed;
using myst::test::FixedRng;
using myst::test::hex;
using test::secret_of;
using test::SeededRng;
using json = boost::json::value;

std::uint32_t number(const json& parent, std::string_view name) {
    return boost::json::value_to<std::uint32_t>(parent.as_object().at(name));
}

Identity identity(const json& vector, std::string_view name) {
    return Identity::from(secret_of(hex(vector, name)));
}

Timestamp timestamp(const json& vector) {
    Timestamp time{};
    const auto bytes = hex(vector, "timestamp");
    std::copy(bytes.begin(), bytes.end(), time.begin());
    return time;
}

/// What our code makes of a vector's keys.
struct Case {
    Identity initiator;
    Identity responder;
    Secret<32> static_static;
    Secret<32> preshared;
    std::optional<SentInitiation> sent;

    explicit Case(const json& vector)
        : initiator(identity(vector, "initiator_private")),
          responder(identity(vector, "responder_private")),
          static_static(shared_secret(initiator.private_key, responder.public_key).value()),
          preshared(secret_of(hex(vector, "preshared"))) {
        FixedRng rng(hex(vector, "initiator_ephemeral"));
        sent = make_initiation(initiator, responder.public_key, static_static, timestamp(vector),
                               number(vector, "initiator_index"), rng);
    }
};

Bytes with_macs(BytesView encoded, const TunnelKey& receiver) {
    Bytes message(encoded.begin(), encoded.end());
    CookieGenerator(receiver).add_macs(message, MonotonicTime{});
    return message;
}

class KnownHandshake : public testing::Test {
protected:
    json vectors = myst::test::load_json("wireguard_handshake.json");
};

TEST_F(KnownHandshake, InitiatorMakesTheKnownBytes) {
    ASSERT_EQ(vectors.as_array().size(), 4U);
    for (const auto& vector : vectors.as_array()) {
        const Case run(vector);
        ASSERT_TRUE(run.sent);
        EXPECT_EQ(run.initiator.public_key, fixed<TunnelKey>(vector, "initiator_public"));
        EXPECT_EQ(to_hex(with_macs(run.sent->message.encode(), run.responder.public_key)),
                  myst::test::text(vector, "initiation"));
        const auto keys =
            open_response(run.sent->state, run.initiator, run.preshared, Response::decode(hex(vector, "response")));
        ASSERT_TRUE(keys);
        EXPECT_EQ(to_hex(keys->send.expose()), myst::test::text(vector, "initiator_send"));
        EXPECT_EQ(to_hex(keys->receive.expose()), myst::test::text(vector, "responder_send"));
    }
}

TEST_F(KnownHandshake, ResponderMakesTheKnownBytes) {
    for (const auto& vector : vectors.as_array()) {
        const Case run(vector);
        auto opened = open_initiation(run.responder, Initiation::decode(hex(vector, "initiation")));
        ASSERT_TRUE(opened);
        EXPECT_EQ(opened->peer, run.initiator.public_key);
        EXPECT_EQ(open_timestamp(*opened, run.static_static), timestamp(vector));
        FixedRng rng(hex(vector, "responder_ephemeral"));
        const auto response = make_response(std::move(*opened), run.preshared, number(vector, "responder_index"), rng);
        ASSERT_TRUE(response);
        EXPECT_EQ(to_hex(with_macs(response->message.encode(), run.initiator.public_key)),
                  myst::test::text(vector, "response"));
        EXPECT_EQ(to_hex(response->keys.send.expose()), myst::test::text(vector, "responder_send"));
        EXPECT_EQ(to_hex(response->keys.receive.expose()), myst::test::text(vector, "initiator_send"));
    }
}

TEST_F(KnownHandshake, CookieReplyAndMac2AreTheKnownBytes) {
    for (const auto& vector : vectors.as_array()) {
        const Case run(vector);
        CookieGenerator generator(run.responder.public_key);
        auto message = run.sent->message.encode();
        generator.add_macs(message, MonotonicTime{});
        ASSERT_TRUE(generator.accept_reply(CookieReply::decode(hex(vector, "cookie_reply")), MonotonicTime{}));
        generator.add_macs(message, MonotonicTime{});
        EXPECT_EQ(to_hex(message), myst::test::text(vector, "initiation_with_cookie"));
    }
}

TEST_F(KnownHandshake, AnyChangedByteIsRefused) {
    const auto& vector = vectors.as_array().at(2);
    const Case run(vector);
    const auto initiation = hex(vector, "initiation");
    const auto response = hex(vector, "response");
    for (std::size_t at = 8; at < kInitiationSize - 2 * kMacSize; ++at) {
        auto changed = initiation;
        changed[at] ^= 1;
        auto opened = open_initiation(run.responder, Initiation::decode(changed));
        EXPECT_FALSE(opened && open_timestamp(*opened, run.static_static)) << at;
    }
    for (std::size_t at = 12; at < kResponseSize - 2 * kMacSize; ++at) {
        auto changed = response;
        changed[at] ^= 1;
        EXPECT_FALSE(open_response(run.sent->state, run.initiator, run.preshared, Response::decode(changed))) << at;
    }
    EXPECT_TRUE(open_response(run.sent->state, run.initiator, run.preshared, Response::decode(response)))
        << "wrong responses do not use up the state";
    EXPECT_FALSE(open_response(run.sent->state, run.initiator, Secret<32>{}, Response::decode(response)))
        << "without the preshared key";
}

TEST(Handshake, EphemeralOfLowOrderIsRefused) {
    SeededRng rng(3);
    const auto initiator = Identity::from(make_private_key(rng));
    const auto responder = Identity::from(make_private_key(rng));
    const auto static_static = shared_secret(initiator.private_key, responder.public_key).value();
    auto sent = make_initiation(initiator, responder.public_key, static_static, Timestamp{}, 1, rng);
    ASSERT_TRUE(sent);
    auto broken = sent->message;
    broken.ephemeral = TunnelKey{};
    EXPECT_FALSE(open_initiation(responder, broken));
    Response response;
    EXPECT_FALSE(open_response(sent->state, initiator, Secret<32>{}, response));
    EXPECT_FALSE(make_initiation(initiator, TunnelKey{}, static_static, Timestamp{}, 1, rng));
}

}  // namespace
}  // namespace myst::wireguard
