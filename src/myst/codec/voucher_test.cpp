#include "myst/codec/voucher.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/codec/eip712.hpp"
#include "vectors/load.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

const Address kContract = *Address::parse("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC");
const Address kProvider = *Address::parse("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");

crypto::PrivateKey payer() {
    return test::private_key(std::string(64, '4'));
}

/// Numbers of the vectors may be texts or JSON numbers.
std::string number(const json::value& parent, std::string_view name) {
    const auto& value = parent.as_object().at(name);
    return value.is_string() ? test::text(parent, name) : json::serialize(value);
}

json::object domain_and_types(std::string_view primary, const json::array& fields) {
    const auto field = [](const char* name, const char* type) { return json::object{{"name", name}, {"type", type}}; };
    const json::array domain_type{field("name", "string"), field("version", "string"), field("chainId", "uint256"),
                                  field("verifyingContract", "address")};
    return {{"types", json::object{{"EIP712Domain", domain_type}, {primary, fields}}},
            {"primaryType", primary},
            {"domain", json::object{{"name", "Mysterium Lanes"},
                                    {"version", "1"},
                                    {"chainId", 31337},
                                    {"verifyingContract", kContract.hex0x()}}}};
}

json::array fields(std::initializer_list<std::pair<const char*, const char*>> list) {
    json::array result;
    for (const auto& [name, type] : list) result.push_back(json::object{{"name", name}, {"type", type}});
    return result;
}

TEST(Voucher, MatchesTheContract) {
    const auto parsed = test::load_json("voucher_eip712.json");
    const auto& cases = parsed.is_array() ? parsed.as_array() : parsed.at("vouchers").as_array();
    EXPECT_FALSE(cases.empty());
    for (const auto& each : cases) {
        const LaneDomain domain(*parse_u64(number(each, "chainId")), test::fixed<Address>(each, "contract"));
        const Voucher voucher{test::fixed<Address>(each, "provider"),
                              static_cast<std::uint32_t>(*parse_u64(number(each, "epoch"))),
                              *Amount::parse(number(each, "total")), *Amount::parse(number(each, "cap"))};
        EXPECT_EQ(domain.voucher_digest(voucher), test::fixed<Hash32>(each, "digest"));
        const auto result = sign_voucher(domain, voucher, test::private_key(each, "privateKey"));
        EXPECT_EQ(result.signature.r, test::fixed<Hash32>(each, "r"));
        EXPECT_EQ(result.signature.vs, test::fixed<Hash32>(each, "vs"));
        EXPECT_EQ(recover_signer(domain, result), test::fixed<Address>(each, "signer"));
    }
}

TEST(Voucher, DigestsAreThoseOfTheirTypedData) {
    const LaneDomain domain(31337, kContract);
    auto document = domain_and_types(
        "Voucher", fields({{"provider", "address"}, {"epoch", "uint24"}, {"total", "uint96"}, {"cap", "uint96"}}));
    document["message"] = json::object{{"provider", kProvider.hex0x()},
                                       {"epoch", 16'777'215},
                                       {"total", Amount::max().to_string()},
                                       {"cap", "12345678901234567890123"}};
    EXPECT_EQ(
        eip712::hash_typed_data(json::serialize(document)),
        domain.voucher_digest({kProvider, kMaxEpoch, Amount::max(), Amount::parse("12345678901234567890123").value()}));

    document = domain_and_types("SetOwner", fields({{"owner", "address"}}));
    document["message"] = json::object{{"owner", kProvider.hex0x()}};
    EXPECT_EQ(eip712::hash_typed_data(json::serialize(document)), domain.set_owner_digest(kProvider));
}

TEST(Voucher, SessionRequestIsItsTypedData) {
    const LaneDomain domain(31337, kContract);
    NodeKey provider;
    NodeKey consumer;
    TunnelKey tunnel;
    provider.bytes.fill(1);
    consumer.bytes.fill(2);
    tunnel.bytes.fill(3);
    auto document = domain_and_types(
        "SessionRequest",
        fields({{"provider", "bytes32"}, {"consumer", "bytes32"}, {"tunnelKey", "bytes32"}, {"created", "uint64"}}));
    document["message"] = json::object{{"provider", provider.hex0x()},
                                       {"consumer", consumer.hex0x()},
                                       {"tunnelKey", tunnel.hex0x()},
                                       {"created", 1'700'000'000}};
    EXPECT_EQ(eip712::hash_typed_data(json::serialize(document)),
              domain.session_request_digest(provider, consumer, tunnel, UnixTime(seconds(1'700'000'000))));
}

TEST(Voucher, ItemPacksTotalCapAndEpoch) {
    const auto total = *Amount::from_wide(Uint128{0x0102030405060708} << 32 | 0x090a0b0c);
    const SignedVoucher voucher{{kProvider, 0xaabbcc, total, Amount(5)}, {{}, {}}};
    EXPECT_EQ(settle_item(voucher)[0].hex(),
              "0102030405060708090a0b0c"
              "000000000000000000000005"
              "aabbcc"
              "0000000000");
    const auto real = sign_voucher(LaneDomain(1, kContract), voucher.voucher, payer());
    EXPECT_EQ(settle_item(real)[1], real.signature.r);
    EXPECT_EQ(settle_item(real)[2], real.signature.vs);
}

TEST(Voucher, TooLargeAnEpochIsRefused) {
    const LaneDomain domain(1, kContract);
    auto voucher = sign_voucher(domain, {kProvider, kMaxEpoch, Amount(1), Amount(2)}, payer());
    EXPECT_EQ(recover_signer(domain, voucher), payer().address());
    voucher.voucher.epoch = kMaxEpoch + 1;
    const auto signer = recover_signer(domain, voucher);
    ASSERT_FALSE(signer);
    EXPECT_EQ(signer.error().code, ErrorCode::invalid_data);
}

TEST(Voucher, BadSignaturesAreRefused) {
    const LaneDomain domain(1, kContract);
    auto voucher = sign_voucher(domain, {kProvider, 0, Amount(1), Amount(2)}, payer());
    voucher.signature.r = Hash32{};
    EXPECT_FALSE(recover_signer(domain, voucher));
}

TEST(Voucher, PropertyEveryFieldIsSigned) {
    const auto key = payer();
    EXPECT_TRUE(rc::check(
        "a changed voucher has another signer", [&key](std::uint64_t total, std::uint64_t cap, std::uint64_t chain) {
            const LaneDomain domain(chain, kContract);
            const auto epoch = *rc::gen::inRange<std::uint32_t>(0, kMaxEpoch);
            const auto original = sign_voucher(domain, {kProvider, epoch, Amount(total), Amount(cap)}, key);
            RC_ASSERT(recover_signer(domain, original).value() == key.address());
            const auto refused = [&](const LaneDomain& where, auto change) {
                auto changed = original;
                change(changed.voucher);
                const auto signer = recover_signer(where, changed);
                return !signer || *signer != key.address();
            };
            RC_ASSERT(refused(domain, [](Voucher& v) { v.total = *v.total.plus(Amount(1)); }));
            RC_ASSERT(refused(domain, [](Voucher& v) { v.cap = *v.cap.plus(Amount(1)); }));
            RC_ASSERT(refused(domain, [](Voucher& v) { v.epoch += 1; }));
            RC_ASSERT(refused(domain, [](Voucher& v) { v.provider = kContract; }));
            RC_ASSERT(refused(LaneDomain(chain ^ 1, kContract), [](Voucher&) {}));
            RC_ASSERT(refused(LaneDomain(chain, kProvider), [](Voucher&) {}));
        }));
}

}  // namespace
}  // namespace myst::codec
