// Answers questions about our crypto and codecs: JSON lines on standard input and output. differential.mjs asks, and
// compares the answers with those of independent implementations.
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include <boost/json.hpp>

#include "myst/codec/abi.hpp"
#include "myst/codec/eip712.hpp"
#include "myst/codec/event.hpp"
#include "myst/codec/permit.hpp"
#include "myst/codec/proof_of_work.hpp"
#include "myst/codec/rlp.hpp"
#include "myst/codec/transaction.hpp"
#include "myst/codec/voucher.hpp"
#include "myst/crypto/address.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/nip44.hpp"
#include "myst/crypto/sha256.hpp"

namespace myst {
namespace {

namespace json = boost::json;
namespace abi = codec::abi;

// Reading a question. A malformed one throws, which ends up as {"error": …}.

std::string text(const json::value& question, const char* name) {
    const auto& value = question.at(name);
    return value.is_string() ? std::string(value.as_string().c_str(), value.as_string().size())
                             : json::serialize(value);
}

Bytes hex(const json::value& question, const char* name) {
    return parse_hex(text(question, name)).value();
}

template <class Fixed>
Fixed fixed(const json::value& question, const char* name) {
    return Fixed::parse(text(question, name)).value();
}

std::uint64_t u64(const json::value& question, const char* name) {
    return parse_u64(text(question, name)).value();
}

Uint256 u256(const json::value& question, const char* name) {
    return Uint256(text(question, name));
}

crypto::PrivateKey key_of(const json::value& question, const char* name = "key") {
    return crypto::PrivateKey::from(fixed<Hash32>(question, name).bytes).value();
}

codec::LaneDomain lane_domain(const json::value& question) {
    return {u64(question, "chainId"), fixed<Address>(question, "contract")};
}

// Operations.

json::object keccak(const json::value& question) {
    const auto data = hex(question, "data");
    return {{"hash", crypto::keccak256(data).hex0x()}, {"sha256", crypto::sha256(data).hex0x()}};
}

json::object address(const json::value& question) {
    return {{"checksum", crypto::to_checksum(fixed<Address>(question, "lower"))},
            {"accepted", crypto::parse_address(text(question, "tried")).has_value()}};
}

codec::rlp::Item rlp_item(const json::value& value) {
    if (value.is_string()) return {parse_hex(value.as_string().c_str()).value()};
    std::vector<codec::rlp::Item> items;
    for (const auto& child : value.as_array()) items.push_back(rlp_item(child));
    return {std::move(items)};
}

json::value rlp_json(const codec::rlp::Item& item) {
    if (const auto* bytes = std::get_if<Bytes>(&item.value)) return json::value(to_hex0x(*bytes));
    json::array items;
    for (const auto& child : std::get<std::vector<codec::rlp::Item>>(item.value)) items.push_back(rlp_json(child));
    return items;
}

json::object rlp(const json::value& question) {
    const auto encoded = codec::rlp::encode(rlp_item(question.at("item")));
    return {{"encoded", to_hex0x(encoded)}, {"item", rlp_json(codec::rlp::decode(encoded).value())}};
}

json::object signed_transaction(const codec::SignedTransaction& transaction) {
    return {{"raw", to_hex0x(transaction.raw)}, {"hash", transaction.hash.hex0x()}};
}

json::object transaction_1559(const json::value& q) {
    const codec::Transaction1559 transaction{u64(q, "chainId"),       u64(q, "nonce"), u256(q, "maxPriorityFeePerGas"),
                                             u256(q, "maxFeePerGas"), u64(q, "gas"),   fixed<Address>(q, "to"),
                                             u256(q, "value"),        hex(q, "data")};
    return signed_transaction(codec::sign(transaction, key_of(q)));
}

json::object transaction_legacy(const json::value& q) {
    const codec::TransactionLegacy transaction{u64(q, "chainId"), u64(q, "nonce"),         u256(q, "gasPrice"),
                                               u64(q, "gas"),     fixed<Address>(q, "to"), u256(q, "value"),
                                               hex(q, "data")};
    return signed_transaction(codec::sign(transaction, key_of(q)));
}

Hash32 word_of(const json::value& value) {
    return Hash32::parse(value.as_string().c_str()).value();
}

void abi_encode(abi::Encoder& encoder, std::string_view type, const json::value& value) {
    if (type == "address") encoder.address(Address::parse(value.as_string().c_str()).value());
    if (type == "bytes32") encoder.word(word_of(value));
    if (type == "uint256") encoder.uint(Uint256(value.as_string().c_str()));
    if (type == "uint96") encoder.amount(Amount::parse(value.as_string().c_str()).value());
    if (type == "bool") encoder.boolean(value.as_bool());
    if (type == "bytes") encoder.dynamic_bytes(parse_hex(value.as_string().c_str()).value());
    if (!type.ends_with("[]")) return;
    const bool tuples = type == "bytes32[3][]";
    std::vector<Hash32> words;
    for (const auto& element : value.as_array()) {
        if (!tuples) words.push_back(word_of(element));
        if (tuples) {
            for (const auto& word : element.as_array()) words.push_back(word_of(word));
        }
    }
    encoder.static_array(words, tuples ? 3 : 1);
}

/// The decoder has no arrays of tuples: those come back as they were asked.
json::value abi_decode(abi::Decoder& decoder, std::string_view type, const json::value& asked) {
    if (type == "address") return json::value(decoder.address().value().hex0x());
    if (type == "bytes32") return json::value(decoder.word().value().hex0x());
    if (type == "uint256") return json::value(decoder.uint().value().str());
    if (type == "uint96") return json::value(decoder.amount().value().to_string());
    if (type == "bool") return json::value(decoder.boolean().value());
    if (type == "bytes") return json::value(to_hex0x(decoder.dynamic_bytes().value()));
    if (type == "bytes32[3][]") {
        (void)decoder.word().value();
        return asked;
    }
    json::array words;
    const auto elements = decoder.word_array(100).value();
    for (const auto& word : elements) words.push_back(json::value(word.hex0x()));
    return words;
}

json::object abi_call(const json::value& question) {
    const auto& types = question.at("types").as_array();
    const auto& values = question.at("values").as_array();
    abi::Encoder encoder;
    for (std::size_t i = 0; i < types.size(); ++i) abi_encode(encoder, types[i].as_string().c_str(), values[i]);
    const auto data = encoder.finish();
    abi::Decoder decoder(data);
    json::array decoded;
    for (std::size_t i = 0; i < types.size(); ++i) {
        decoded.push_back(abi_decode(decoder, types[i].as_string().c_str(), values[i]));
    }
    return {{"call", to_hex0x(encoder.call(text(question, "signature")))}, {"decoded", decoded}};
}

json::object voucher(const json::value& q) {
    const codec::Voucher plain{fixed<Address>(q, "provider"), static_cast<std::uint32_t>(u64(q, "epoch")),
                               Amount::parse(text(q, "total")).value(), Amount::parse(text(q, "cap")).value()};
    const auto domain = lane_domain(q);
    const auto made = codec::sign_voucher(domain, plain, key_of(q));
    return {{"digest", domain.voucher_digest(plain).hex0x()},
            {"r", made.signature.r.hex0x()},
            {"vs", made.signature.vs.hex0x()},
            {"signer", crypto::to_checksum(codec::recover_signer(domain, made).value())},
            {"word0", codec::settle_item(made)[0].hex0x()}};
}

json::object permit(const json::value& q) {
    const auto& d = q.at("domain");
    const codec::eip712::Domain domain{text(d, "name"), text(d, "version"), u64(d, "chainId"),
                                       fixed<Address>(d, "verifyingContract")};
    const codec::Permit plain{fixed<Address>(q, "owner"), fixed<Address>(q, "spender"), u256(q, "value"),
                              u256(q, "nonce"), u256(q, "deadline")};
    return {{"digest", codec::permit_digest(domain.separator(), plain).hex0x()}};
}

json::object set_owner(const json::value& q) {
    return {{"digest", lane_domain(q).set_owner_digest(fixed<Address>(q, "owner")).hex0x()}};
}

json::object session_request(const json::value& q) {
    const UnixTime created(seconds(static_cast<std::int64_t>(u64(q, "created"))));
    const auto digest = lane_domain(q).session_request_digest(
        fixed<NodeKey>(q, "provider"), fixed<NodeKey>(q, "consumer"), fixed<TunnelKey>(q, "tunnelKey"), created);
    return {{"digest", digest.hex0x()}};
}

json::object typed_data(const json::value& q) {
    return {{"digest", codec::eip712::hash_typed_data(json::serialize(q.at("document"))).value().hex0x()}};
}

json::object ecdsa(const json::value& q) {
    const auto digest = fixed<Hash32>(q, "digest");
    const auto signature = key_of(q).sign(digest);
    return {{"r", signature.r.hex0x()},
            {"vs", signature.vs.hex0x()},
            {"signer", crypto::to_checksum(crypto::recover(digest, signature).value())}};
}

json::object recover(const json::value& q) {
    const auto signer = crypto::recover(fixed<Hash32>(q, "digest"), {fixed<Hash32>(q, "r"), fixed<Hash32>(q, "vs")});
    return {{"signer", signer ? json::value(crypto::to_checksum(*signer)) : json::value(nullptr)}};
}

json::object schnorr_sign(const json::value& q) {
    const auto key = key_of(q);
    return {{"signature", key.sign_schnorr(hex(q, "message"), fixed<Hash32>(q, "aux")).hex0x()},
            {"publicKey", key.node_key().hex0x()}};
}

json::object schnorr_verify(const json::value& q) {
    return {{"valid", crypto::verify_schnorr(fixed<NodeKey>(q, "publicKey"), hex(q, "message"),
                                             fixed<crypto::SchnorrSignature>(q, "signature"))}};
}

/// Hands out the nonce of a question.
class NonceRng final : public Rng {
public:
    explicit NonceRng(Bytes nonce) : nonce_(std::move(nonce)) {}
    void fill(std::span<std::uint8_t> out) override { std::copy_n(nonce_.begin(), out.size(), out.begin()); }

private:
    Bytes nonce_;
};

json::object nip44(const json::value& q) {
    const auto from = key_of(q, "from");
    const auto to = key_of(q, "to");
    NonceRng rng(hex(q, "nonce"));
    const auto payload = crypto::nip44_encrypt(from, to.node_key(), text(q, "plaintext"), rng).value();
    return {{"conversationKey", to_hex0x(crypto::nip44_conversation_key(from, to.node_key()).value().expose())},
            {"payload", payload},
            {"plaintext", crypto::nip44_decrypt(to, from.node_key(), payload).value()}};
}

json::object event(const json::value& q) {
    auto parsed = codec::parse_event(text(q, "wire")).value();
    const bool verified = codec::verify_event(parsed).has_value();
    const auto wire = json::parse(codec::to_json(parsed));
    codec::sign_event(parsed, key_of(q), fixed<Hash32>(q, "aux"));
    return {{"wire", wire}, {"resigned", parsed.sig.hex()}, {"verified", verified}};
}

/// Work put into an event by somebody else, and work that we put into the same one.
json::object work(const json::value& q) {
    auto parsed = codec::parse_event(text(q, "wire")).value();
    const auto proven = codec::proven_work(parsed);
    std::erase_if(parsed.tags, [](const codec::Tag& tag) { return tag.front() == "nonce"; });
    const auto bits = static_cast<unsigned>(u64(q, "bits"));
    const bool added = codec::add_work(parsed, bits, 0, std::uint64_t{1} << (bits + 6));
    codec::sign_event(parsed, key_of(q), Hash32{});
    return {{"proven", proven}, {"added", added}, {"wire", json::parse(codec::to_json(parsed))}};
}

using Operation = json::object (*)(const json::value&);
const std::map<std::string, Operation> kOperations = {{"keccak", keccak},
                                                      {"address", address},
                                                      {"rlp", rlp},
                                                      {"transaction_1559", transaction_1559},
                                                      {"transaction_legacy", transaction_legacy},
                                                      {"abi", abi_call},
                                                      {"voucher", voucher},
                                                      {"permit", permit},
                                                      {"set_owner", set_owner},
                                                      {"session_request", session_request},
                                                      {"typed_data", typed_data},
                                                      {"ecdsa", ecdsa},
                                                      {"recover", recover},
                                                      {"schnorr_sign", schnorr_sign},
                                                      {"schnorr_verify", schnorr_verify},
                                                      {"nip44", nip44},
                                                      {"event", event},
                                                      {"work", work}};

json::object answer(const std::string& line) {
    try {
        const auto question = json::parse(line);
        return kOperations.at(text(question, "op"))(question);
    } catch (const tl::bad_expected_access<Error>& failure) {
        return {{"error", failure.error().describe()}};
    } catch (const std::exception& failure) {
        return {{"error", failure.what()}};
    }
}

}  // namespace
}  // namespace myst

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << boost::json::serialize(myst::answer(line)) << '\n';
    }
    return 0;
}
