#include "myst/node/session_request.hpp"

#include "myst/node/provider_question.hpp"

namespace myst::node {
namespace {

Error to_error(const SessionReject& reject) {
    const std::string message = "the provider refused: " + reject.message;
    switch (reject.code) {
        case RejectCode::price: return {ErrorCode::failed_precondition, message, "look at the offers again"};
        case RejectCode::funds: return {ErrorCode::insufficient_funds, message, "run: myst wallet deposit AMOUNT"};
        case RejectCode::full: return {ErrorCode::limit_exceeded, message};
        case RejectCode::request: return {ErrorCode::failed_precondition, message};
        case RejectCode::unavailable: return {ErrorCode::unavailable, message};
    }
    return {ErrorCode::unavailable, message};
}

SessionRequest make_request(Context& context, const Proposal& proposal, const NodeKey& consumer,
                            const TunnelKey& tunnel_key, UnixTime created) {
    const auto& signer = *context.keys.signer();
    SessionRequest request;
    request.id = random_bytes<SessionId>(context.rng);
    request.service = proposal.service;
    request.signer = signer.address();
    request.tunnel_key = tunnel_key;
    request.created = created;
    request.tariff = proposal.tariff;
    request.signature =
        signer.sign(lane_domain(context.chain.identity())
                        .session_request_digest(proposal.provider, consumer, tunnel_key, request.created));
    return request;
}

bool answers(const SessionId& id, const Envelope& envelope) {
    if (const auto* accept = std::get_if<SessionAccept>(&envelope)) return accept->id == id;
    const auto* reject = std::get_if<SessionReject>(&envelope);
    return reject != nullptr && reject->id == id;
}

}  // namespace

Task<Result<AgreedSession>> request_session(Context& context, Proposal proposal, UnixTime created, milliseconds limit) {
    auto key = crypto::PrivateKey::generate(context.rng);
    auto keys = context.driver.make_keys();
    const auto request = make_request(context, proposal, key.node_key(), keys.public_key, created);
    ProviderQuestion question{proposal.provider, proposal.relays, std::move(key), request,
                              [id = request.id](const Envelope& envelope) { return answers(id, envelope); }};
    auto asking = ask_provider(context, std::move(question), limit);
    auto answer = co_await std::move(asking);
    if (!answer && answer.error().code == ErrorCode::timeout) {
        co_return fail(ErrorCode::timeout, "the provider did not answer the session request: " + answer.error().message,
                       "it may be offline; try another one");
    }
    if (!answer) co_return forward_error(answer, "session request");
    if (const auto* reject = std::get_if<SessionReject>(&*answer)) co_return tl::unexpected(to_error(*reject));
    auto& accept = std::get<SessionAccept>(*answer);
    if (accept.payee != proposal.payee) {
        co_return fail(ErrorCode::invalid_data, "the provider wants to be paid at another address than it published");
    }
    co_return AgreedSession{std::move(accept), std::move(keys)};
}

}  // namespace myst::node
