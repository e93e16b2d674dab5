// Whose answer to a sealed question counts.
#include <gtest/gtest.h>

#include "myst/node/provider_question.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

class ProviderQuestionTest : public testing::Test {
protected:
    /// Whoever listens to everything answers with these, in this order, as soon as a question comes.
    struct Reply {
        crypto::PrivateKey from;
        SessionReject content;
    };
    Reply reply(const crypto::PrivateKey& from, SessionId id, std::string message) {
        return {from.clone(), {id, RejectCode::full, std::move(message)}};
    }
    Task<> ask(std::vector<Reply> replies, Result<Envelope>* answer, milliseconds limit) {
        TestNode node(world_, "consumer", consumer_settings());
        Context context{world_.context.get_executor(),
                        world_.clock,
                        world_.rng,
                        world_.workers,
                        *node.keys,
                        world_.chain,
                        world_.bus,
                        *node.ledger,
                        node.driver,
                        {}};
        std::vector<codec::Filter> filters(1);
        filters[0].kinds = {kEnvelopeKind};
        filters[0].tags['p'] = {provider_.node_key().hex()};
        TaskGroup tasks(world_.context.get_executor());
        const auto listening = world_.bus.subscribe(filters, [&](const codec::Event& event) {
            asked_by_ = event.pubkey;
            for (const auto& each : replies) tasks.spawn("reply", send(each, event.pubkey));
        });
        const SessionId id = id_;
        auto key = crypto::PrivateKey::generate(world_.rng);
        EXPECT_NE(key.node_key(), node.keys->node().node_key());
        key_ = key.node_key();
        ProviderQuestion question{provider_.node_key(),
                                  {"wss://relay.example.org"},
                                  std::move(key),
                                  SessionReject{id, RejectCode::full, "a question of whatever kind"},
                                  [id](const Envelope& envelope) {
                                      const auto* reject = std::get_if<SessionReject>(&envelope);
                                      return reject != nullptr && reject->id == id;
                                  }};
        auto asking = ask_provider(context, std::move(question), limit);
        *answer = co_await std::move(asking);
        tasks.cancel();
        co_await tasks.join();
        EXPECT_EQ(context.mailboxes->find(key_), nullptr) << "the key is forgotten";
        co_await node.node->shut_down();
    }
    Task<> send(const Reply& reply, NodeKey to) {
        auto sealed = seal_envelope(reply.content, reply.from, to, world_.clock.unix_now(), world_.rng);
        EXPECT_TRUE(sealed);
        auto publishing = world_.bus.publish(std::move(*sealed));
        std::ignore = co_await std::move(publishing);
    }

    World world_;
    const crypto::PrivateKey provider_ = crypto::PrivateKey::generate(world_.rng);
    const crypto::PrivateKey stranger_ = crypto::PrivateKey::generate(world_.rng);
    const SessionId id_ = random_bytes<SessionId>(world_.rng);
    NodeKey asked_by_{};
    NodeKey key_{};
};

TEST_F(ProviderQuestionTest, TheFirstAnswerOfTheProviderToThisQuestionCounts) {
    std::vector<Reply> replies;
    replies.push_back(reply(stranger_, id_, "of a stranger"));
    replies.push_back(reply(provider_, random_bytes<SessionId>(world_.rng), "to another question"));
    replies.push_back(reply(provider_, id_, "the answer"));
    replies.push_back(reply(provider_, id_, "a second thought"));
    Result<Envelope> answer = fail(ErrorCode::internal, "not asked");
    ASSERT_TRUE(world_.run(ask(std::move(replies), &answer, milliseconds(30'000))));
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(std::get<SessionReject>(*answer).message, "the answer");
    EXPECT_EQ(asked_by_, key_) << "signed by the key that was made for it";
    EXPECT_EQ(world_.bus.named, (std::vector<std::string>{"wss://relay.example.org"}));
}

TEST_F(ProviderQuestionTest, NobodyElsesAnswerDoes) {
    std::vector<Reply> replies;
    replies.push_back(reply(stranger_, id_, "of a stranger"));
    Result<Envelope> answer = fail(ErrorCode::internal, "not asked");
    ASSERT_TRUE(world_.run(ask(std::move(replies), &answer, milliseconds(50))));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::timeout);
}

}  // namespace
}  // namespace myst::node::test
