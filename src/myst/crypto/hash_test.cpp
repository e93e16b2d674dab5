#include <gtest/gtest.h>

#include "myst/crypto/base64.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/sha256.hpp"
#include "vectors/load.hpp"

namespace myst::crypto {
namespace {

TEST(Hash, MatchesPublishedVectors) {
    const auto cases = test::load_json("hashes.json");
    for (const auto& each : cases.as_array()) {
        SCOPED_TRACE(test::text(each, "name"));
        const auto data = test::hex(each, "data");
        EXPECT_EQ(keccak256(data).hex0x(), test::text(each, "keccak256"));
        EXPECT_EQ(sha256(data).hex0x(), test::text(each, "sha256"));
    }
}

TEST(Hash, PartsEqualTheWhole) {
    const Bytes all(300, 7);
    const BytesView view(all);
    const auto check = [&](std::size_t a, std::size_t b) {
        EXPECT_EQ(keccak256({view.first(a), view.subspan(a, b - a), view.subspan(b)}), keccak256(view));
        EXPECT_EQ(sha256({view.first(a), view.subspan(a, b - a), view.subspan(b)}), sha256(view));
    };
    check(0, 0);
    check(1, 136);
    check(135, 272);
    check(64, 300);
}

TEST(Hash, HmacMatchesRfc4231) {
    struct Case {
        Bytes key;
        Bytes data;
        std::string_view mac;
    };
    const auto bytes = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
    const Case cases[] = {
        {Bytes(20, 0x0b), bytes("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {bytes("Jefe"), bytes("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {Bytes(20, 0xaa), Bytes(50, 0xdd), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {Bytes(131, 0xaa), bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {{}, {}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"}};
    for (const auto& each : cases) EXPECT_EQ(hmac_sha256(each.key, {each.data}).hex(), each.mac);
}

TEST(Base64, MatchesRfc4648) {
    const std::pair<std::string_view, std::string_view> cases[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : cases) {
        EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
        EXPECT_EQ(as_text(parse_base64(encoded).value()), plain);
    }
}

TEST(Base64, RefusesEverythingNotCanonical) {
    for (const char* bad :
         {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9v", "Zm9v\n", "Zm9-", "Zm9_", "=Zm9", "Zg==Zg=="}) {
        EXPECT_FALSE(parse_base64(bad)) << bad;
    }
}

}  // namespace
}  // namespace myst::crypto
