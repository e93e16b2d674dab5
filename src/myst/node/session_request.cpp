#include "myst/node/session_request.hpp"

#include "myst/node/proposal_record.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::node {
namespace {

/// Where the answer arrives; shared with the subscription's callback.
struct Inbox {
    Inbox(const asio::any_io_executor& executor, crypto::PrivateKey own, const Proposal& proposal, SessionId session)
        : arrived(executor), key(std::move(own)), provider(proposal.provider), id(session) {}

    void take(const codec::Event& event) {
        if (event.pubkey != provider || answer) return;
        auto envelope = open_envelope(event, key);
        if (!envelope) return;
        const bool ours = std::visit([this](const auto& message) { return message.id == id; }, *envelope);
        if (!ours || std::holds_alternative<SessionRequest>(*envelope)) return;
        answer = std::move(*envelope);
        arrived.notify();
    }

    EventSignal arrived;
    crypto::PrivateKey key;  ///< of this one session
    NodeKey provider;
    SessionId id;
    std::optional<Envelope> answer;
};

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

SessionRequest make_request(Context& context, const Proposal& proposal, const Inbox& inbox, const TunnelKey& tunnel_key,
                            UnixTime created) {
    const auto& signer = *context.keys.signer();
    SessionRequest request;
    request.id = inbox.id;
    request.service = proposal.service;
    request.signer = signer.address();
    request.tunnel_key = tunnel_key;
    request.created = created;
    request.tariff = proposal.tariff;
    request.signature =
        signer.sign(lane_domain(context.chain.identity())
                        .session_request_digest(proposal.provider, inbox.key.node_key(), tunnel_key, request.created));
    return request;
}

}  // namespace

Task<Result<AgreedSession>> request_session(Context& context, Proposal proposal, UnixTime created, milliseconds limit) {
    auto inbox = std::make_shared<Inbox>(context.executor, crypto::PrivateKey::generate(context.rng), proposal,
                                         random_bytes<SessionId>(context.rng));
    const auto mailbox = context.mailboxes->hold(inbox->key.clone());
    codec::Filter filter;
    filter.kinds = {kEnvelopeKind};
    filter.tags['p'] = {inbox->key.node_key().hex()};
    const auto subscription =
        context.records.subscribe({filter}, [inbox](const codec::Event& event) { inbox->take(event); });
    auto keys = context.driver.make_keys();
    const Envelope request = make_request(context, proposal, *inbox, keys.public_key, created);
    auto sealed = seal_envelope(request, inbox->key, proposal.provider, context.clock.unix_now(), context.rng);
    if (!sealed) co_return forward_error(sealed);
    auto published = co_await context.records.publish(std::move(*sealed));
    if (!published) co_return forward_error(published, "session request");
    const bool answered = co_await inbox->arrived.wait(limit);
    if (!answered || !inbox->answer) {
        co_return fail(ErrorCode::timeout, "the provider did not answer the session request",
                       "it may be offline; try another one");
    }
    if (const auto* reject = std::get_if<SessionReject>(&*inbox->answer)) co_return tl::unexpected(to_error(*reject));
    auto& accept = std::get<SessionAccept>(*inbox->answer);
    if (accept.payee != proposal.payee) {
        co_return fail(ErrorCode::invalid_data, "the provider wants to be paid at another address than it published");
    }
    co_return AgreedSession{std::move(accept), std::move(keys)};
}

}  // namespace myst::node
