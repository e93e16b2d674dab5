#include "myst/db/admission.hpp"

#include "myst/db/db_fixtures.hpp"

namespace myst::db::test {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::int64_t kYear = 365LL * 86'400;

struct Case {
    const char* name;
    std::uint32_t kind;
    std::int64_t created_at;
    std::vector<codec::Tag> tags;
    std::size_t content_bytes;
    std::string refusal;  ///< beginning of the message; empty: accepted
};

codec::Tag expiry(std::int64_t offset) {
    return {"expiration", std::to_string(kNow + offset)};
}

std::vector<Case> cases() {
    const std::string recipient = key_of(2).node_key().hex();
    const std::string payee = "0x" + std::string(40, 'a');
    return {
        {"ProposalAccepted", kProposalKind, kNow, {{"d", "wireguard"}, expiry(3600)}, 100, ""},
        {"ProposalAtTheLongestLife", kProposalKind, kNow, {{"d", "wireguard"}, expiry(86400)}, 0, ""},
        {"ProposalLivesTooLong",
         kProposalKind,
         kNow,
         {{"d", "wireguard"}, expiry(86401)},
         0,
         "invalid: a proposal must expire"},
        {"ProposalWithoutExpiry", kProposalKind, kNow, {{"d", "wireguard"}}, 0, "invalid: a proposal must carry"},
        {"ProposalWithBadExpiry",
         kProposalKind,
         kNow,
         {{"d", "x"}, {"expiration", "soon"}},
         0,
         "invalid: the expiration tag"},
        {"ProposalExpired",
         kProposalKind,
         kNow - 100,
         {{"d", "wireguard"}, expiry(0)},
         0,
         "invalid: the record has expired"},
        {"ProposalExpiresBeforeItBegins",
         kProposalKind,
         kNow + 60,
         {{"d", "x"}, expiry(30)},
         0,
         "invalid: the expiration is before"},
        {"ProposalWithoutService", kProposalKind, kNow, {expiry(60)}, 0, "invalid: a proposal must name"},
        {"ProposalTooLarge",
         kProposalKind,
         kNow,
         {{"d", "x"}, expiry(60)},
         8 * 1024 + 1,
         "invalid: the content of the proposal"},
        {"FromTheNearFuture", kProposalKind, kNow + 60, {{"d", "x"}, expiry(3600)}, 0, ""},
        {"FromTheFarFuture", kProposalKind, kNow + 61, {{"d", "x"}, expiry(3600)}, 0, "invalid: created_at"},
        {"EnvelopeAccepted", kEnvelopeKind, kNow, {{"p", recipient}}, 64 * 1024, ""},
        {"EnvelopeTooLarge",
         kEnvelopeKind,
         kNow,
         {{"p", recipient}},
         64 * 1024 + 1,
         "invalid: the content is too large"},
        {"EnvelopeJustYoungEnough", kEnvelopeKind, kNow - 120, {{"p", recipient}}, 1, ""},
        {"EnvelopeTooOld", kEnvelopeKind, kNow - 121, {{"p", recipient}}, 1, "invalid: the envelope is older"},
        {"EnvelopeWithoutRecipient", kEnvelopeKind, kNow, {}, 1, "invalid: an envelope must name"},
        {"EnvelopeToNobody", kEnvelopeKind, kNow, {{"p", "nobody"}}, 1, "invalid: an envelope must name"},
        {"DeletionOfARecord", kDeletionKind, kNow, {{"e", std::string(64, 'a')}}, 1024, ""},
        {"OldDeletion", kDeletionKind, kNow - kYear - 899, {{"e", std::string(64, 'a')}}, 0, ""},
        {"EndedDeletion",
         kDeletionKind,
         kNow - kYear - 900,
         {{"e", std::string(64, 'a')}},
         0,
         "invalid: the record has"},
        {"EndedDeletionOfAnOffer",
         kDeletionKind,
         kNow - 86'400 - 900,
         {{"e", std::string(64, 'a')}, {"k", "30510"}},
         0,
         "invalid: the record has"},
        {"DeletionOfNothing", kDeletionKind, kNow, {{"k", "1"}}, 0, "invalid: a deletion request must name"},
        {"DeletionThatEnds",
         kDeletionKind,
         kNow,
         {{"e", std::string(64, 'a')}, expiry(60)},
         0,
         "invalid: a deletion request must not expire"},
        {"DeletionWithALongReason",
         kDeletionKind,
         kNow,
         {{"e", std::string(64, 'a')}},
         1025,
         "invalid: the reason for the deletion"},
        {"DeletionWithTooManyTags", kDeletionKind, kNow,
         std::vector<codec::Tag>(65, codec::Tag{"e", std::string(64, 'a')}), 0, "invalid: too many tags"},
        {"Revocation", kRevocationKind, kNow, {}, 256, ""},
        {"RevocationTooLarge", kRevocationKind, kNow, {}, 257, "invalid: the content of the revocation"},
        {"RevocationThatEnds", kRevocationKind, kNow, {expiry(3600)}, 0, "invalid: a revocation is for ever"},
        {"Receipt", kReceiptKind, kNow, {{"d", payee}, expiry(365 * 86400)}, 1024, ""},
        {"ReceiptTooLarge",
         kReceiptKind,
         kNow,
         {{"d", payee}, expiry(3600)},
         1025,
         "invalid: the content of the receipt"},
        {"ReceiptWithWork",
         kReceiptKind,
         kNow,
         {{"d", payee}, expiry(3600), {"chain", "1", payee}, {"nonce", std::string(394, '1'), "20"}},
         0,
         ""},
        {"ReceiptWithLargeTags",
         kReceiptKind,
         kNow,
         {{"d", payee}, expiry(3600), {"chain", "1", payee}, {"nonce", std::string(395, '1'), "20"}},
         0,
         "invalid: the tags of the receipt"},
        {"ReceiptWithFiveTags",
         kReceiptKind,
         kNow,
         {{"d", payee}, expiry(3600), {"chain", "1", payee}, {"nonce", "1", "20"}, {"x"}},
         0,
         "invalid: a receipt has four tags"},
        {"ReceiptForever", kReceiptKind, kNow, {{"d", payee}}, 0, "invalid: a receipt must expire"},
        {"ReceiptForLong",
         kReceiptKind,
         kNow,
         {{"d", payee}, expiry(365 * 86400 + 1)},
         0,
         "invalid: a receipt must expire"},
        {"ReceiptForNobody", kReceiptKind, kNow, {{"d", payee + "0"}, expiry(3600)}, 0, "invalid: a receipt must name"},
        {"ReceiptInCapitals",
         kReceiptKind,
         kNow,
         {{"d", "0x" + std::string(40, 'A')}, expiry(3600)},
         0,
         "invalid: a receipt must name"},
        {"RelayList", codec::kRelayListKind, kNow, {{"r", "wss://a.example"}, {"r", "ws://b:1", "read"}}, 0, ""},
        {"OldRelayList", codec::kRelayListKind, kNow - kYear + 1, {{"r", "wss://a.example"}}, 0, ""},
        {"EndedRelayList",
         codec::kRelayListKind,
         kNow - kYear,
         {{"r", "wss://a.example"}},
         0,
         "invalid: the record has"},
        {"RelayListWithoutRelays", codec::kRelayListKind, kNow, {{"d", "x"}}, 0, "invalid: a relay list must name"},
        {"RelayListWithContent",
         codec::kRelayListKind,
         kNow,
         {{"r", "wss://a.example"}},
         1,
         "invalid: the content of a relay list"},
        {"RelayListOfWebPages", codec::kRelayListKind, kNow, {{"r", "https://a.example"}}, 0, "invalid: an r tag"},
        {"RelayListWithoutUrl", codec::kRelayListKind, kNow, {{"r"}}, 0, "invalid: an r tag"},
        {"RelayListWithOddMark",
         codec::kRelayListKind,
         kNow,
         {{"r", "wss://a.example", "own"}},
         0,
         "invalid: an r tag"},
        {"RelayListWithLongUrl",
         codec::kRelayListKind,
         kNow,
         {{"r", "wss://a.example/" + std::string(241, 'x')}},
         0,
         "invalid: an r tag"},
        {"RelayListThatIsTooLong", codec::kRelayListKind, kNow,
         std::vector<codec::Tag>(17, codec::Tag{"r", "wss://a.example"}), 0, "invalid: a relay list may name 16"},
        {"GiftWrapWhereNoneIsKept",
         codec::kGiftWrapKind,
         kNow,
         {{"p", recipient}, expiry(60)},
         0,
         "blocked: this relay does not keep kind 1059"},
        {"ProofOfAKey", codec::kAuthKind, kNow, {{"relay", "x"}, {"challenge", "y"}}, 0, "invalid: a proof of a key"},
        {"UnknownKind", 1, kNow, {}, 0, "blocked: this relay does not keep kind 1"},
        {"TooManyTags", kProposalKind, kNow, std::vector<codec::Tag>(65, codec::Tag{"d", "x"}), 0,
         "invalid: too many tags"},
        {"EnvelopeWithFewTags", kEnvelopeKind, kNow, std::vector<codec::Tag>(4, codec::Tag{"p", recipient}), 0, ""},
        {"EnvelopeWithTooManyTags", kEnvelopeKind, kNow, std::vector<codec::Tag>(5, codec::Tag{"p", recipient}), 0,
         "invalid: too many tags"},
        {"TagsTooLarge",
         kEnvelopeKind,
         kNow,
         {{"p", recipient}, {"x", std::string(16 * 1024, 'x')}},
         0,
         "invalid: the tags"},
        {"BeforeTheEpochOfEverything", kEnvelopeKind, 0, {{"p", recipient}}, 0, "invalid: the envelope is older"},
        {"AtTheEndOfTime", kProposalKind, (1LL << 53) - 1, {{"d", "x"}, expiry(3600)}, 0, "invalid: created_at"},
    };
}

class Admission : public ::testing::TestWithParam<Case> {};

TEST_P(Admission, Decides) {
    const auto& each = GetParam();
    codec::Event event;
    event.kind = each.kind;
    event.created_at = at(each.created_at);
    event.tags = each.tags;
    event.content = std::string(each.content_bytes, 'x');
    const auto refusal = check_admission(event, AdmissionPolicy{}, at(kNow));
    if (each.refusal.empty()) {
        EXPECT_FALSE(refusal) << refusal->message();
    } else {
        ASSERT_TRUE(refusal);
        EXPECT_EQ(refusal->message().substr(0, each.refusal.size()), each.refusal);
    }
}

INSTANTIATE_TEST_SUITE_P(Policy, Admission, ::testing::ValuesIn(cases()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(AdmissionPolicy, AGiftWrapNamesOneRecipientAndSoonExpires) {
    AdmissionPolicy policy;
    policy.kinds = {codec::kGiftWrapKind};
    const codec::Tag to{"p", key_of(2).node_key().hex()};
    const auto refusal = [&](std::vector<codec::Tag> tags) {
        codec::Event event;
        event.kind = codec::kGiftWrapKind;
        event.created_at = at(kNow - 2 * 86'400);
        event.tags = std::move(tags);
        const auto refused = check_admission(event, policy, at(kNow));
        return refused ? refused->message() : std::string();
    };
    EXPECT_EQ(refusal({to, expiry(7 * 86'400)}), "");
    EXPECT_EQ(refusal({to, expiry(7 * 86'400 + 1)}), "invalid: a gift wrap must expire within seven days");
    EXPECT_EQ(refusal({to}), "invalid: a gift wrap must carry an expiration tag");
    EXPECT_EQ(refusal({expiry(60)}), "invalid: a gift wrap must name its one recipient in a p tag");
    EXPECT_EQ(refusal({to, to, expiry(60)}), "invalid: a gift wrap must name its one recipient in a p tag");
    EXPECT_EQ(refusal({{"p", "x"}, expiry(60)}), "invalid: a gift wrap must name its one recipient in a p tag");
    EXPECT_EQ(refusal({to, expiry(0)}), "invalid: the record has expired");
}

TEST(AdmissionPolicy, AProofIsNeverARecord) {
    AdmissionPolicy policy;
    policy.kinds.clear();
    codec::Event event;
    event.kind = codec::kAuthKind;
    event.created_at = at(kNow);
    EXPECT_TRUE(check_admission(event, policy, at(kNow)));
}

TEST(AdmissionPolicy, AnEmptyListOfKindsAcceptsEveryKind) {
    AdmissionPolicy policy;
    policy.kinds.clear();
    codec::Event event;
    event.kind = 1;
    event.created_at = at(kNow);
    EXPECT_FALSE(check_admission(event, policy, at(kNow)));
}

}  // namespace
}  // namespace myst::db::test
