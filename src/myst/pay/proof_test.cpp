// Which signatures make a voucher worth anything: one valid voucher among its mutants, and the other forms of the same
// signature.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/base/uint256.hpp"
#include "myst/codec/eip712.hpp"
#include "myst/pay/payee.hpp"

namespace myst::pay {
namespace {

constexpr std::uint32_t kEpoch = 3;
const Address kContract{{7}};
const codec::LaneDomain kDomain(31337, kContract);

/// Numbers, so that keys are the same in every run.
class CountingRng final : public Rng {
public:
    void fill(std::span<std::uint8_t> out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(++count_ * 151);
    }

private:
    unsigned count_ = 0;
};

CountingRng rng;
const crypto::PrivateKey kPayer = crypto::PrivateKey::generate(rng);
const crypto::PrivateKey kStranger = crypto::PrivateKey::generate(rng);
const Address kProvider = kStranger.address();
const codec::Voucher kVoucher{kProvider, kEpoch, Amount(5'100), Amount(5'200)};

/// The way of a frame through the provider: what counts is credited, by how much is returned.
Amount credited(PayeeSession& session, const VoucherFrame& frame, const codec::LaneDomain& domain = kDomain) {
    const auto bytes = encode_frame(frame);
    const auto decoded = decode_frame(BytesView(bytes).subspan(kFrameHeaderSize));
    if (!decoded) return {};
    const auto voucher = std::get<VoucherFrame>(*decoded).with_provider(kProvider);
    const auto signer = codec::recover_signer(domain, voucher);
    if (!signer) return {};
    const Coverage coverage{Amount(5'000), Amount(1'000'000), kEpoch};
    if (session.examine(voucher, *signer, coverage) != Verdict::store) return {};
    const auto before = session.total();
    session.credit(voucher.voucher.total);
    return session.total().minus_saturating(before);
}

PayeeSession session() {
    PayeeTerms terms;
    terms.tariff = {Amount(1024), Amount{}};
    terms.risk_limit = Amount(1'000'000);
    return PayeeSession(terms, kPayer.address(), kProvider, kEpoch, Amount(5'000));
}

VoucherFrame signed_frame(const codec::Voucher& voucher, const crypto::PrivateKey& key = kPayer,
                          const codec::LaneDomain& domain = kDomain) {
    return VoucherFrame::of(codec::sign_voucher(domain, voucher, key));
}

/// A voucher as a contract of another name or version would take it.
VoucherFrame signed_elsewhere(const codec::eip712::Domain& domain) {
    const auto hash = codec::eip712::StructHasher(
                          codec::eip712::type_hash("Voucher(address provider,uint24 epoch,uint96 total,uint96 cap)"))
                          .address(kVoucher.provider)
                          .u64(kVoucher.epoch)
                          .amount(kVoucher.total)
                          .amount(kVoucher.cap)
                          .hash();
    auto frame = signed_frame(kVoucher);
    frame.signature = kPayer.sign(codec::eip712::digest(domain.separator(), hash));
    return frame;
}

struct Mutant {
    const char* what;
    VoucherFrame frame;
};

std::vector<Mutant> mutants() {
    const auto good = signed_frame(kVoucher);
    std::vector<Mutant> all;
    const auto altered = [&](const char* what, auto change) {
        auto frame = good;
        change(frame);
        all.push_back({what, frame});
    };
    altered("another epoch", [](auto& f) { f.epoch = kEpoch - 1; });
    altered("a higher total", [](auto& f) { f.total = Amount(5'101); });
    altered("a lower total", [](auto& f) { f.total = Amount(5'099); });
    altered("another cap", [](auto& f) { f.cap = Amount(5'201); });
    altered("a bit of r", [](auto& f) { f.signature.r.bytes[31] ^= 1; });
    altered("a bit of s", [](auto& f) { f.signature.vs.bytes[31] ^= 1; });
    altered("the other parity", [](auto& f) { f.signature.vs.bytes[0] ^= 0x80; });
    auto other = kVoucher;
    other.provider = kPayer.address();
    all.push_back({"for another provider", signed_frame(other)});
    other = kVoucher;
    other.epoch = kEpoch - 1;
    all.push_back({"of the epoch before the lane was released", signed_frame(other)});
    other = kVoucher;
    other.cap = Amount(5'099);
    all.push_back({"its cap below its total", signed_frame(other)});
    all.push_back({"signed by a stranger", signed_frame(kVoucher, kStranger)});
    all.push_back({"for another chain", signed_frame(kVoucher, kPayer, codec::LaneDomain(31338, kContract))});
    all.push_back({"for another contract", signed_frame(kVoucher, kPayer, codec::LaneDomain(31337, Address{{8}}))});
    all.push_back({"of another version", signed_elsewhere({"Mysterium Lanes", "2", 31337, kContract})});
    all.push_back({"of another name", signed_elsewhere({"Mysterium Lane", "1", 31337, kContract})});
    codec::TickVoucher ticks{kVoucher, Hash32{}, 1, 64};
    all.push_back({"a tick voucher's signature",
                   VoucherFrame::of({kVoucher, codec::sign_tick_voucher(kDomain, ticks, kPayer).signature})});
    return all;
}

TEST(Proof, OfAVoucherAndItsMutantsExactlyOneIsAccepted) {
    const auto all = mutants();
    EXPECT_GE(all.size(), 12U);
    for (const auto& [what, frame] : all) {
        auto fresh = session();
        EXPECT_EQ(credited(fresh, frame), Amount{}) << what;
    }
    auto fresh = session();
    EXPECT_EQ(credited(fresh, signed_frame(kVoucher)), Amount(100));
    EXPECT_EQ(credited(fresh, signed_frame(kVoucher)), Amount{}) << "the same again";
    auto same = signed_elsewhere({"Mysterium Lanes", "1", 31337, kContract});
    auto another = session();
    EXPECT_EQ(credited(another, same), Amount(100)) << "the mutants of the domain would be refused for another reason";
}

Uint256 number_of(const Hash32& word) {
    Uint256 value = 0;
    for (const auto byte : word.bytes) value = (value << 8) | byte;
    return value;
}

Hash32 word_of(Uint256 value) {
    Hash32 word;
    for (std::size_t i = Hash32::kSize; i-- > 0; value >>= 8) {
        word.bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value & 0xff));
    }
    return word;
}

/// (r, n − s) with the other parity signs the same digest, as far as mathematics is concerned. In 64 bytes it can be
/// written with the parity's bit in its place, or as plain s; whichever way, it is refused.
TEST(Proof, NoHighFormOfAThousandSignaturesIsCredited) {
    const Uint256 order("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    const Uint256 parity_bit = Uint256(1) << 255;
    auto one = session();
    for (std::uint64_t i = 1; i <= 1'000; ++i) {
        auto voucher = kVoucher;
        voucher.total = voucher.cap = Amount(5'000 + i);
        const auto good = signed_frame(voucher);
        const Uint256 high = order - number_of(good.signature.s());
        const bool flipped = good.signature.y_parity() == 0;
        for (const Uint256& vs : {high, flipped ? Uint256(high | parity_bit) : Uint256(high & ~parity_bit),
                                  Uint256(high | parity_bit), Uint256(high & ~parity_bit)}) {
            auto forged = good;
            forged.signature.vs = word_of(vs);
            ASSERT_EQ(credited(one, forged), Amount{}) << i;
        }
        ASSERT_EQ(credited(one, good), Amount(1)) << "the low form is the one that counts";
    }
}

}  // namespace
}  // namespace myst::pay
