#include "myst/node/receipt_record.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "myst/base/check.hpp"
#include "myst/codec/eip712.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/codec/voucher.hpp"
#include "myst/crypto/address.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/strict_json.hpp"
#include "myst/node/json_members.hpp"
#include "myst/node/proposal_record.hpp"

namespace myst::node {
namespace {

constexpr std::uint64_t kMostMib = std::uint64_t{1} << 40;

Hash32 digest_of(const SettledReceipt& receipt, const NodeKey& author, const ports::ChainIdentity& chain) {
    static const Hash32 type = codec::eip712::type_hash(
        "Receipt(address payee,bytes32 author,uint64 time,uint24 epoch,uint96 total,uint64 mib,uint8 outcome)");
    const auto hash = codec::eip712::StructHasher(type)
                          .address(receipt.payee)
                          .word({author.bytes})
                          .u64(to_unix_seconds(receipt.time))
                          .u64(receipt.epoch)
                          .amount(receipt.total)
                          .u64(receipt.mib)
                          .u64(static_cast<std::uint64_t>(receipt.outcome))
                          .hash();
    return codec::eip712::digest(codec::LaneDomain(chain.chain_id, chain.lanes).separator(), hash);
}

}  // namespace

crypto::PrivateKey receipt_author(const crypto::PrivateKey& payer_key, const Address& payee) {
    // The same again after a restart: signatures are deterministic (RFC 6979).
    const auto seed = payer_key.sign(crypto::keccak256({as_bytes("mysterium receipt"), payee.view()}));
    const auto hash = crypto::keccak256({BytesView(seed.r.bytes), BytesView(seed.vs.bytes)});
    auto key = crypto::PrivateKey::from(hash.bytes);
    CHECK(key.has_value());  // fails for one hash in 2^127
    return std::move(*key);
}

codec::Event make_receipt(SettledReceipt receipt, const ports::ChainIdentity& chain,
                          const crypto::PrivateKey& payer_key, Rng& rng) {
    const auto key = receipt_author(payer_key, receipt.payee);
    const auto since_epoch = receipt.time.time_since_epoch();
    const bool is_bad = receipt.outcome == ReceiptOutcome::bad;
    receipt.time = UnixTime(std::chrono::duration_cast<std::chrono::hours>(since_epoch)) + seconds(is_bad ? 1 : 0);
    const auto signature = payer_key.sign(digest_of(receipt, key.node_key(), chain));
    codec::Event event;
    event.kind = codec::kReceiptKind;
    event.created_at = receipt.time;
    event.tags = {{"d", receipt.payee.hex0x()},
                  {"chain", std::to_string(chain.chain_id), crypto::to_checksum(chain.lanes)},
                  {"expiration", std::to_string(to_unix_seconds(receipt.time + codec::kReceiptLife))}};
    boost::json::object content{{"v", 1},
                                {"payer", crypto::to_checksum(payer_key.address())},
                                {"epoch", receipt.epoch},
                                {"total", receipt.total.to_string()},
                                {"mib", receipt.mib},
                                {"outcome", is_bad ? "bad" : "good"},
                                {"r", signature.r.hex()},
                                {"vs", signature.vs.hex()}};
    event.content = boost::json::serialize(content);
    codec::sign_event(event, key, random_bytes<Hash32>(rng));
    return event;
}

Result<ReceiptClaim> claim_of(const codec::Event& event, const ports::ChainIdentity& chain) {
    const auto bad = [](const char* what) { return fail(ErrorCode::invalid_data, std::string("receipt: ") + what); };
    if (event.kind != codec::kReceiptKind) return bad("wrong kind");
    if (!names_chain(event, chain)) return bad("it is for another chain or contract");
    auto json = crypto::parse_json(event.content, codec::kMaxReceiptContent);
    if (!json) return forward_error(json, "receipt content");
    const auto* object = json->if_object();
    if (!object) return bad("the content is not an object");
    JsonMembers members(*object);
    ReceiptClaim claim;
    claim.author = event.pubkey;
    auto& receipt = claim.receipt;
    receipt.payer = members.address("payer");
    receipt.epoch = static_cast<std::uint32_t>(members.number("epoch", 0, codec::kMaxEpoch));
    receipt.total = members.amount("total");
    receipt.mib = members.number("mib", 0, kMostMib);
    const auto outcome = members.text("outcome", 4);
    claim.signature = {members.hex<Hash32>("r"), members.hex<Hash32>("vs")};
    if (members.number("v", 1, 1) != 1 || !members.problem().empty()) return bad("a member is missing or malformed");
    if (outcome != "good" && outcome != "bad") return bad("unknown outcome");
    receipt.outcome = outcome == "good" ? ReceiptOutcome::good : ReceiptOutcome::bad;
    auto payee = Address::parse(event.tag("d").value_or(""));
    if (!payee || payee->hex0x() != event.tag("d")) return bad("the d tag is not an address in lower case");
    receipt.payee = *payee;
    receipt.time = event.created_at;
    return claim;
}

bool is_proven(const ReceiptClaim& claim, const ports::ChainIdentity& chain) {
    const auto signer = crypto::recover(digest_of(claim.receipt, claim.author, chain), claim.signature);
    return signer && *signer == claim.receipt.payer;
}

Result<SettledReceipt> read_receipt(const codec::Event& event, const ports::ChainIdentity& chain) {
    auto claim = claim_of(event, chain);
    if (!claim) return forward_error(claim);
    if (!is_proven(*claim, chain)) return fail(ErrorCode::invalid_data, "receipt: the payer has not signed it");
    return claim->receipt;
}

}  // namespace myst::node
