#include "myst/wireguard/noise.hpp"

namespace myst::wireguard {
namespace {

constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";

}  // namespace

Identity Identity::from(Secret<32> private_key) {
    clamp(private_key);
    const auto public_key = public_key_of(private_key);
    return {std::move(private_key), public_key};
}

std::optional<Secret<32>> Identity::agree(const TunnelKey& peer) const {
    return AgreementKey(private_key, public_key).agree(peer);
}

Transcript::Transcript(const TunnelKey& responder) {
    const auto construction = blake2s({as_bytes(kConstruction)});
    std::copy(construction.bytes.begin(), construction.bytes.end(), chaining_key_.expose_mutable().begin());
    hash_ = blake2s({construction.view(), as_bytes(kIdentifier)});
    mix_hash(responder.view());
}

Transcript Transcript::clone() const {
    Transcript copy;
    copy.chaining_key_ = chaining_key_.clone();
    copy.hash_ = hash_;
    return copy;
}

void Transcript::mix_hash(BytesView data) {
    hash_ = blake2s({hash_.view(), data});
}

void Transcript::mix_key(BytesView input) {
    derive_keys(chaining_key_.expose(), input, {chaining_key_.expose_mutable()});
}

Secret<32> Transcript::mix_key_for_cipher(BytesView input) {
    Secret<32> key;
    derive_keys(chaining_key_.expose(), input, {chaining_key_.expose_mutable(), key.expose_mutable()});
    return key;
}

Secret<32> Transcript::mix_preshared_key(const Secret<32>& preshared) {
    Secret<32> mixed;
    Secret<32> key;
    derive_keys(chaining_key_.expose(), preshared.expose(),
                {chaining_key_.expose_mutable(), mixed.expose_mutable(), key.expose_mutable()});
    mix_hash(mixed.expose());
    return key;
}

void Transcript::seal_field(const Secret<32>& key, BytesView plain, std::span<std::uint8_t> sealed) {
    seal(key, 0, plain, hash_.view(), sealed);
    mix_hash(sealed);
}

bool Transcript::open_field(const Secret<32>& key, BytesView sealed, std::span<std::uint8_t> plain) {
    if (!open(key, 0, sealed, hash_.view(), plain)) return false;
    mix_hash(sealed);
    return true;
}

void Transcript::split(Secret<32>& of_initiator, Secret<32>& of_responder) const {
    derive_keys(chaining_key_.expose(), {}, {of_initiator.expose_mutable(), of_responder.expose_mutable()});
}

std::optional<SentInitiation> make_initiation(const Identity& own, const TunnelKey& peer,
                                              const Secret<32>& static_static, const Timestamp& time,
                                              std::uint32_t sender, Rng& rng) {
    SentInitiation sent{{}, {Transcript(peer), make_private_key(rng), sender}};
    auto& [message, state] = sent;
    message.sender = sender;
    const AgreementKey ephemeral(state.ephemeral);
    message.ephemeral = ephemeral.public_key();
    state.transcript.mix_key(message.ephemeral.view());
    state.transcript.mix_hash(message.ephemeral.view());
    const auto ephemeral_static = ephemeral.agree(peer);
    if (!ephemeral_static) return std::nullopt;
    const auto static_cipher = state.transcript.mix_key_for_cipher(ephemeral_static->expose());
    state.transcript.seal_field(static_cipher, own.public_key.view(), message.encrypted_static);
    const auto time_cipher = state.transcript.mix_key_for_cipher(static_static.expose());
    state.transcript.seal_field(time_cipher, time, message.encrypted_timestamp);
    return sent;
}

std::optional<OpenedInitiation> open_initiation(const Identity& own, const Initiation& message) {
    OpenedInitiation opened{{}, Transcript(own.public_key), message};
    opened.transcript.mix_key(message.ephemeral.view());
    opened.transcript.mix_hash(message.ephemeral.view());
    const auto ephemeral_static = own.agree(message.ephemeral);
    if (!ephemeral_static) return std::nullopt;
    const auto cipher = opened.transcript.mix_key_for_cipher(ephemeral_static->expose());
    if (!opened.transcript.open_field(cipher, message.encrypted_static, opened.peer.bytes)) return std::nullopt;
    return opened;
}

std::optional<Timestamp> open_timestamp(OpenedInitiation& opened, const Secret<32>& static_static) {
    const auto cipher = opened.transcript.mix_key_for_cipher(static_static.expose());
    Timestamp time{};
    if (!opened.transcript.open_field(cipher, opened.message.encrypted_timestamp, time)) return std::nullopt;
    return time;
}

std::optional<SentResponse> make_response(OpenedInitiation opened, const Secret<32>& preshared, std::uint32_t sender,
                                          Rng& rng) {
    auto& transcript = opened.transcript;
    const AgreementKey ephemeral(make_private_key(rng));
    SentResponse sent;
    sent.message.sender = sender;
    sent.message.receiver = opened.message.sender;
    sent.message.ephemeral = ephemeral.public_key();
    transcript.mix_key(sent.message.ephemeral.view());
    transcript.mix_hash(sent.message.ephemeral.view());
    const auto ephemerals = ephemeral.agree(opened.message.ephemeral);
    const auto ephemeral_static = ephemeral.agree(opened.peer);
    if (!ephemerals || !ephemeral_static) return std::nullopt;
    transcript.mix_key(ephemerals->expose());
    transcript.mix_key(ephemeral_static->expose());
    const auto cipher = transcript.mix_preshared_key(preshared);
    transcript.seal_field(cipher, {}, sent.message.encrypted_nothing);
    transcript.split(sent.keys.receive, sent.keys.send);
    return sent;
}

std::optional<SessionKeys> open_response(const InitiatorState& state, const Identity& own, const Secret<32>& preshared,
                                         const Response& message) {
    auto transcript = state.transcript.clone();
    transcript.mix_key(message.ephemeral.view());
    transcript.mix_hash(message.ephemeral.view());
    const auto ephemerals = shared_secret(state.ephemeral, message.ephemeral);
    const auto static_ephemeral = own.agree(message.ephemeral);
    if (!ephemerals || !static_ephemeral) return std::nullopt;
    transcript.mix_key(ephemerals->expose());
    transcript.mix_key(static_ephemeral->expose());
    const auto cipher = transcript.mix_preshared_key(preshared);
    if (!transcript.open_field(cipher, message.encrypted_nothing, {})) return std::nullopt;
    SessionKeys keys;
    transcript.split(keys.send, keys.receive);
    return keys;
}

}  // namespace myst::wireguard
