#include "myst/node/provider_question.hpp"

namespace myst::node {

Task<Result<Envelope>> ask_provider(Context& context, ProviderQuestion question, milliseconds limit) {
    auto sealed =
        seal_envelope(question.content, question.key, question.provider, context.clock.unix_now(), context.rng);
    if (!sealed) co_return forward_error(sealed);
    // Relays of ours, too, may want to know that the answer is for us.
    const auto mailbox = context.mailboxes->hold(question.key.clone());
    auto answer = std::make_shared<std::optional<Envelope>>();
    ports::EnvelopeExchange exchange{std::move(*sealed), question.key.clone(), std::move(question.relays), {}, limit};
    const auto shared = std::make_shared<const ProviderQuestion>(std::move(question));
    exchange.is_answer = [shared, answer](const codec::Event& event) {
        if (event.pubkey != shared->provider) return false;
        auto envelope = open_envelope(event, shared->key);
        if (!envelope || !shared->is_answer(*envelope)) return false;
        *answer = std::move(*envelope);
        return true;
    };
    auto exchanging = context.records.exchange(std::move(exchange));
    auto exchanged = co_await std::move(exchanging);
    if (!exchanged) co_return forward_error(exchanged);
    co_return std::move(**answer);
}

}  // namespace myst::node
