// Session envelopes that somebody sends again, sends back, or sends to somebody else: none is accepted.
#include <set>

#include "myst/crypto/system_rng.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/payment_signer.hpp"
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node::test {
namespace {

/// The same content, signed by another key for another recipient.
codec::Event signed_again(codec::Event event, const crypto::PrivateKey& by, const NodeKey& to) {
    event.tags = {{"p", to.hex()}};
    codec::sign_event(event, by, Hash32{});
    return event;
}

TEST(EnvelopeKeys, AThousandWrongKeysLearnOneAndTheSameThing) {
    crypto::SystemRng rng;
    const auto from = crypto::PrivateKey::generate(rng);
    const auto to = crypto::PrivateKey::generate(rng);
    const auto sealed = seal_envelope(SessionReject{SessionId{{1}}, RejectCode::full, "x"}, from, to.node_key(),
                                      UnixTime(seconds(1)), rng)
                            .value();
    std::set<std::pair<ErrorCode, std::string>> classes;
    const auto note = [&](const codec::Event& event, const crypto::PrivateKey& key) {
        const auto opened = open_envelope(event, key);
        ASSERT_FALSE(opened);
        classes.emplace(opened.error().code, opened.error().describe());
    };
    for (int i = 0; i < 1'000; ++i) note(sealed, crypto::PrivateKey::generate(rng));
    note(signed_again(sealed, crypto::PrivateKey::generate(rng), to.node_key()), to);
    auto damaged = sealed;
    damaged.content[100] = damaged.content[100] == 'A' ? 'B' : 'A';
    note(damaged, to);
    EXPECT_EQ(classes.size(), 1U) << classes.begin()->second << "; " << classes.rbegin()->second;
    EXPECT_TRUE(open_envelope(sealed, to));
}

class EnvelopeAbuse : public SessionTest {
protected:
    /// A request as the consumer's payer signs it, for a provider, to come from a key.
    SessionRequest request_for(const NodeKey& provider, const NodeKey& from, std::int64_t age = 0) {
        const auto& payer = *consumer_->keys->signer();
        SessionRequest request;
        request.id = random_bytes<SessionId>(world_.rng);
        request.service = "wireguard";
        request.signer = payer.address();
        request.created = world_.clock.unix_now() - seconds(age);
        request.tariff = provider_settings().provider.tariff;
        request.signature =
            payer.sign(lane_domain(world_.chain.identity())
                           .session_request_digest(provider, from, request.tunnel_key, request.created));
        return request;
    }
    codec::Event sealed(const Envelope& envelope, const crypto::PrivateKey& from, const NodeKey& to) {
        return seal_envelope(envelope, from, to, world_.clock.unix_now(), world_.rng).value();
    }
    [[nodiscard]] const crypto::PrivateKey& provider_key() const { return provider_->keys->node(); }
    Task<> publish(codec::Event event) {
        auto published = co_await world_.bus.publish(std::move(event));
        EXPECT_TRUE(published);
    }
    /// Sends an envelope to the provider; what it says to `reader`: "accept", or the reason of a refusal.
    std::string answer_to(codec::Event event, const crypto::PrivateKey& reader) {
        std::string answer;
        const auto listening = listen(reader, answer);
        EXPECT_TRUE(world_.run(ask(std::move(event), answer)));
        return answer;
    }
    /// The provider says nothing to an envelope.
    void expect_silence(codec::Event event, const crypto::PrivateKey& sender) {
        std::string answer;
        const auto listening = listen(sender, answer);
        EXPECT_TRUE(world_.run(publish(std::move(event))));
        // One that it certainly refuses follows, so that silence is noticed without waiting for it.
        auto last = request_for(provider_key().node_key(), sender.node_key());
        last.service = "another";
        EXPECT_EQ(answer_to(sealed(last, sender, provider_key().node_key()), sender), "the offer has changed");
        EXPECT_EQ(answer, "the offer has changed");
    }

private:
    std::unique_ptr<ports::Subscription> listen(const crypto::PrivateKey& reader, std::string& answer) {
        codec::Filter filter;
        filter.kinds = {kEnvelopeKind};
        filter.authors = {provider_key().node_key()};
        return world_.bus.subscribe({filter}, [&](const codec::Event& event) {
            const auto opened = open_envelope(event, reader);
            if (!opened) return;
            if (std::holds_alternative<SessionAccept>(*opened)) answer += "accept";
            if (const auto* reject = std::get_if<SessionReject>(&*opened)) answer += reject->message;
        });
    }
    Task<> ask(codec::Event event, const std::string& answer) {
        co_await publish(std::move(event));
        co_await until([&] { return !answer.empty(); }, "an answer");
    }
};

TEST_F(EnvelopeAbuse, AProviderAcceptsARequestFromItsSenderForItselfOnly) {
    ASSERT_TRUE(world_.run(start_provider()));
    const auto provider = provider_key().node_key();
    const auto sender = crypto::PrivateKey::generate(world_.rng);
    const auto thief = crypto::PrivateKey::generate(world_.rng);
    const auto other_provider = crypto::PrivateKey::generate(world_.rng);
    const std::string not_signed = "the request is not signed by the payer";
    const auto genuine = request_for(provider, sender.node_key());
    const auto event = sealed(genuine, sender, provider);

    // A thief who read it elsewhere sends it as his own, or what the sender asked of another provider.
    EXPECT_EQ(answer_to(sealed(genuine, thief, provider), thief), not_signed);
    const auto for_another = request_for(other_provider.node_key(), sender.node_key());
    EXPECT_EQ(answer_to(sealed(for_another, sender, provider), sender), not_signed);
    EXPECT_EQ(answer_to(sealed(for_another, other_provider, provider), other_provider), not_signed);
    auto changed = genuine;
    changed.tunnel_key = TunnelKey{{9}};
    EXPECT_EQ(answer_to(sealed(changed, sender, provider), sender), not_signed);
    // Too old, or from the future: by the request's own time, whatever the envelope says.
    for (const std::int64_t age : {121, -121}) {
        const auto dated = request_for(provider, sender.node_key(), age);
        EXPECT_EQ(answer_to(sealed(dated, sender, provider), sender), "the request is too old, or a clock is wrong");
    }
    // What it cannot open, and what is no request, gets no answer.
    expect_silence(signed_again(event, thief, provider), thief);
    expect_silence(signed_again(sealed(genuine, sender, other_provider.node_key()), sender, provider), sender);
    expect_silence(sealed(SessionReject{genuine.id, RejectCode::full, "x"}, sender, provider), sender);
    // None of this has taken anything from the genuine one; and that is good once.
    EXPECT_EQ(answer_to(event, sender), "accept");
    EXPECT_EQ(answer_to(event, sender), "the session id was used before");
    ASSERT_TRUE(world_.run(expect_one_open_session()));
}

class DeceivedConsumer : public EnvelopeAbuse {
protected:
    /// There is an offer, but its provider answers only by what a test sends.
    void offer() {
        Proposal proposal;
        proposal.payee = provider_->keys->wallet()->address();
        proposal.service = "wireguard";
        proposal.country = "DE";
        proposal.tariff = provider_settings().provider.tariff;
        proposal.published = world_.clock.unix_now();
        proposal.expires = proposal.published + seconds(3600);
        world_.bus.stored.push_back(make_proposal(proposal, world_.chain.identity(), provider_key(), world_.rng));
    }
    Task<> deceive() {
        std::vector<codec::Event> requests;
        codec::Filter filter;
        filter.kinds = {kEnvelopeKind};
        filter.tags['p'] = {provider_key().node_key().hex()};
        const auto listening =
            world_.bus.subscribe({filter}, [&](const codec::Event& event) { requests.push_back(event); });
        const ProposalFilter any;
        auto connecting = co_await consumer_->node->connect(any);
        EXPECT_TRUE(connecting);
        co_await until([&] { return !requests.empty(); }, "a request");
        if (requests.empty()) co_return;
        for (auto& event : answers(requests.front())) co_await publish(std::move(event));
        co_await wait_for(ConnectionState::disconnected);
    }
    /// Hostile ones, each with a name of its own, and the genuine one at last.
    std::vector<codec::Event> answers(const codec::Event& request) {
        const auto consumer = request.pubkey;
        const auto asked = std::get<SessionRequest>(open_envelope(request, provider_key()).value());
        const auto thief = crypto::PrivateKey::generate(world_.rng);
        const auto reject = [&](SessionId id, std::string text) {
            return SessionReject{id, RejectCode::request, std::move(text)};
        };
        std::vector<codec::Event> events;
        events.push_back(signed_again(request, provider_key(), consumer));  // opens, as a request
        events.push_back(signed_again(request, thief, consumer));
        events.push_back(sealed(reject(asked.id, "by a thief"), thief, consumer));
        events.push_back(sealed(reject(SessionId{{1}}, "of another session"), provider_key(), consumer));
        events.push_back(signed_again(sealed(reject(asked.id, "for another"), provider_key(), thief.node_key()),
                                      provider_key(), consumer));
        events.push_back(sealed(reject(asked.id, "genuine"), provider_key(), consumer));
        return events;
    }
};

TEST_F(DeceivedConsumer, BelievesTheProvidersAnswerToItsOwnRequestOnly) {
    offer();
    ASSERT_TRUE(world_.run(deceive()));
    EXPECT_NE(status().last_error.find("genuine"), std::string::npos) << status().last_error;
}

}  // namespace
}  // namespace myst::node::test
