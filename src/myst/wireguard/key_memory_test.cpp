// Where keys are while a device lives: in locked memory, and nowhere else. And afterwards: nowhere.
#include <gtest/gtest.h>

#include "myst/wireguard/primitives.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"
#include "myst/wireguard/test_support/memory_search.hpp"
#include "myst/wireguard/uapi_device.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::Masked;
using test::MemorySearch;

/// Remembers, masked, all keys that it made up.
class RecordingRng final : public Rng {
public:
    explicit RecordingRng(std::uint64_t seed) : rng_(seed) {}
    void fill(std::span<std::uint8_t> out) override {
        rng_.fill(out);
        if (out.size() == 32) made.push_back(Masked::key(out.first<32>()));
    }
    std::vector<Masked> made;

private:
    test::SeededRng rng_;
};

class KeyMemoryTest : public testing::Test {
protected:
    struct Side {
        explicit Side(std::uint64_t seed) : rng(seed), device(std::make_unique<Device>(rng)) {}
        RecordingRng rng;
        std::unique_ptr<Device> device;
        SocketSettings socket{};
    };

    /// Sets up both by text, as `wg` would, and remembers the keys, masked.
    void set_up() {
        test::SeededRng keys(3);
        const auto a_key = make_private_key(keys);
        const auto b_key = make_private_key(keys);
        const auto preshared = make_private_key(keys);
        for (const auto* key : {&a_key, &b_key, &preshared}) {
            lasting.push_back(Masked::key(key->expose()));
            texts.push_back(Masked::hex_of(key->expose()));
        }
        lasting.push_back(Masked::key(shared_secret(a_key, public_key_of(b_key))->expose()));
        configure(a, a_key, public_key_of(b_key), preshared, "endpoint=192.0.2.2:2\n");
        configure(b, b_key, public_key_of(a_key), preshared, "");
    }
    void configure(Side& side, const Secret<32>& own, const TunnelKey& other, const Secret<32>& preshared,
                   std::string_view more) {
        SecretText request("set=1\nprivate_key=");
        request.append_hex(own.expose()).append("\npublic_key=").append(other.hex());
        request.append("\npreshared_key=").append_hex(preshared.expose()).append("\n");
        request.append("allowed_ip=10.0.0.0/8\n").append(more).append("\n");
        Actions actions;
        ASSERT_EQ(answer_uapi(*side.device, side.socket, request.view(), now, actions), "errno=0\n\n");
        EXPECT_GT(answer_uapi(*side.device, side.socket, "get=1\n\n", now, actions).size(), 300U);
    }

    /// The first message that the actions want sent.
    static Bytes message_of(const Actions& actions) { return std::get<SendDatagram>(actions.at(0)).bytes; }

    Bytes begin() {
        Actions actions;
        const auto peer = a.device->peers().front();
        a.device->stage(peer, test::ip_packet(test::ip("10.0.0.1"), test::ip("10.0.0.2"), 10), now, actions);
        return message_of(actions);
    }
    void complete(const Bytes& initiation) {
        Actions response;
        ASSERT_TRUE(b.device->handle_handshake(initiation, endpoint("192.0.2.1:1"), now, response));
        Actions data;
        ASSERT_TRUE(a.device->handle_handshake(message_of(response), endpoint("192.0.2.2:2"), now, data));
        const auto& keypair = *std::get<SealAndSend>(data.at(0)).keypair;
        lasting.push_back(Masked::key(keypair.send_key().expose()));
        lasting.push_back(Masked::key(keypair.receive_key().expose()));
    }

    void expect_nowhere(const std::vector<Masked>& keys, const char* what) {
        const auto traces = search.look_for(keys);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_EQ(traces[i].locked + traces[i].other, 0U) << what << " " << i;
        }
    }
    void expect_only_locked(const std::vector<Masked>& keys, const char* what) {
        const auto traces = search.look_for(keys);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_GE(traces[i].locked, 1U) << what << " " << i;
            EXPECT_EQ(traces[i].other, 0U) << what << " " << i;
        }
    }

    Now now{MonotonicTime(seconds(1'000)), WallTime(seconds(1'700'000'000))};
    MemorySearch search;
    std::vector<Masked> lasting;  ///< keys that devices keep
    std::vector<Masked> texts;    ///< the same as they were told
    Side a{1};
    Side b{2};
};

TEST_F(KeyMemoryTest, KeysAreInLockedMemoryOnlyAndGoWithTheirDevice) {
    set_up();
    ASSERT_EQ(a.rng.made.size(), 0U);
    expect_only_locked(lasting, "key");
    expect_nowhere(texts, "text");

    const auto initiation = begin();
    ASSERT_EQ(a.rng.made.size(), 1U);
    expect_only_locked(a.rng.made, "ephemeral key of a handshake that waits");
    complete(initiation);
    ASSERT_EQ(lasting.size(), 6U);
    ASSERT_EQ(b.rng.made.size(), 1U);
    expect_only_locked(lasting, "key");
    expect_nowhere(a.rng.made, "ephemeral key of the initiator");
    expect_nowhere(b.rng.made, "ephemeral key of the responder");

    a.device.reset();
    b.device.reset();
    expect_nowhere(lasting, "key");
    expect_nowhere(texts, "text");
}

TEST_F(KeyMemoryTest, RemovedPeersLeaveNothing) {
    set_up();
    complete(begin());
    for (auto* side : {&a, &b}) {
        Actions actions;
        const auto answer =
            answer_uapi(*side->device, side->socket,
                        "set=1\nprivate_key=" + std::string(64, '0') + "\nreplace_peers=true\n\n", now, actions);
        ASSERT_EQ(answer, "errno=0\n\n");
    }
    expect_nowhere(lasting, "key");
    expect_nowhere(texts, "text");
}

TEST(MemorySearch, FindsAKeyAndItsText) {
    MemorySearch search;
    test::SeededRng rng(4);
    Secret<32> key;
    rng.fill(key.expose_mutable());
    const auto masked = Masked::key(key.expose());
    EXPECT_GE(search.look_for(masked).other, 1U);
    const Locked<Secret<32>> locked(key.clone());
    EXPECT_GE(search.look_for(masked).locked, 1U);
    const auto hex = Masked::hex_of(key.expose());
    EXPECT_EQ(search.look_for(hex).other, 0U);
    const auto text = std::make_unique<std::string>(to_hex(key.expose()));
    EXPECT_GE(search.look_for(hex).other, 1U);
}

}  // namespace
}  // namespace myst::wireguard
