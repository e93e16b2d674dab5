// A provider of whom anybody may ask for a session, and requests to it.
#pragma once

#include <gtest/gtest.h>

#include "myst/node/envelope.hpp"
#include "myst/node/payment_signer.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {

inline constexpr milliseconds kPatience{10'000};
inline constexpr milliseconds kStreamLimit{5'000};  ///< for a frame to come
inline constexpr milliseconds kUnpaidLimit{400};    ///< instead of a minute

/// A request under way, and what came back.
struct Asked {
    explicit Asked(crypto::PrivateKey own) : key(std::move(own)) {}
    crypto::PrivateKey key;
    std::unique_ptr<ports::Subscription> subscription;
    std::optional<Envelope> answer;
    [[nodiscard]] const SessionAccept* accepted() const {
        return answer ? std::get_if<SessionAccept>(&*answer) : nullptr;
    }
    [[nodiscard]] const SessionReject* refused() const {
        return answer ? std::get_if<SessionReject>(&*answer) : nullptr;
    }
};
using AskedPtr = std::shared_ptr<Asked>;

class AdmissionTest : public testing::Test {
protected:
    /// By default, sessions may send as much as they like.
    explicit AdmissionTest(std::uint32_t frames_per_second = 100'000) {
        auto settings = provider_settings();
        settings.provider.risk_limit = Amount(10'000);
        settings.provider.deposit_look = milliseconds(20);
        settings.provider.unpaid_limit = kUnpaidLimit;
        settings.provider.frames_per_second = frames_per_second;
        provider_ = std::make_unique<TestNode>(world_, "provider", std::move(settings));
        payee_ = provider_->keys->wallet()->address();
        world_.chain.accounts[payer_.address()].free = Amount(1'000'000);
        EXPECT_TRUE(world_.run(start()));
    }
    ~AdmissionTest() override { EXPECT_TRUE(world_.run(provider_->node->shut_down())); }
    Task<> start() {
        auto started = co_await provider_->node->provider_start();
        EXPECT_TRUE(started);
    }
    Task<> stop() {
        auto stopped = co_await provider_->node->provider_stop();
        EXPECT_TRUE(stopped);
    }
    /// Later than every request of the same payer before.
    UnixTime next_time(const Address& payer) {
        auto& last = requested_[payer];
        last = std::max(world_.clock.unix_now(), last + seconds(1));
        return last;
    }
    /// Sends a request; the answer arrives later.
    Task<> send(const crypto::PrivateKey& payer, SessionId id, AskedPtr& sent) {
        return send_of(next_time(payer.address()), payer, id, sent);
    }
    Task<> send_of(UnixTime created, const crypto::PrivateKey& payer, SessionId id, AskedPtr& sent) {
        auto asked = std::make_shared<Asked>(crypto::PrivateKey::generate(world_.rng));
        codec::Filter filter;
        filter.kinds = {kEnvelopeKind};
        filter.tags['p'] = {asked->key.node_key().hex()};
        asked->subscription = world_.bus.subscribe({filter}, [raw = asked.get()](const codec::Event& event) {
            if (auto envelope = open_envelope(event, raw->key)) raw->answer = std::move(*envelope);
        });
        SessionRequest request;
        request.id = id;
        request.service = "wireguard";
        request.signer = payer.address();
        request.created = created;
        request.tariff = provider_settings().provider.tariff;
        const auto provider = provider_->keys->node().node_key();
        request.signature = payer.sign(
            lane_domain(world_.chain.identity())
                .session_request_digest(provider, asked->key.node_key(), request.tunnel_key, request.created));
        auto sealed = seal_envelope(request, asked->key, provider, world_.clock.unix_now(), world_.rng);
        EXPECT_TRUE(sealed);
        sent = asked;
        auto published = co_await world_.bus.publish(std::move(*sealed));
        EXPECT_TRUE(published);
    }
    Task<> wait_for(AskedPtr asked) {
        const auto deadline = world_.clock.now() + kPatience;
        while (!asked->answer && world_.clock.now() < deadline) co_await sleep_for(milliseconds(1));
    }
    Task<> ask_task(const crypto::PrivateKey& payer, SessionId id, AskedPtr& asked) {
        co_await send(payer, id, asked);
        co_await wait_for(asked);
    }
    /// Waits for a condition, as long as patience lasts.
    Task<> until(std::function<bool()> condition) {
        const auto deadline = world_.clock.now() + kPatience;
        while (!condition() && world_.clock.now() < deadline) co_await sleep_for(milliseconds(1));
    }
    AskedPtr ask(const crypto::PrivateKey& payer, SessionId id) {
        AskedPtr asked;
        EXPECT_TRUE(world_.run(ask_task(payer, id, asked)));
        return asked;
    }
    Task<> keep(std::uint32_t epoch, std::uint64_t total, ports::SessionRecord session) {
        return keep_of(payer_.address(), epoch, total, std::move(session));
    }
    Task<> keep_of(Address payer, std::uint32_t epoch, std::uint64_t total, ports::SessionRecord session) {
        session.signer = payer;
        session.provider = payee_;
        const codec::SignedVoucher voucher{{payee_, epoch, Amount(total), Amount(total)}, {}};
        const ports::HeldVoucher held{payer, voucher, session.id};
        auto kept = co_await provider_->ledger->keep_voucher(held, std::move(session));
        EXPECT_TRUE(kept);
    }
    Task<> read_held(Amount& total) {
        auto held = co_await provider_->ledger->highest_voucher(payer_.address(), payee_);
        EXPECT_TRUE(held && *held);
        if (held && *held) total = (*held)->total();
    }
    /// After the provider has written down how they ended.
    Task<> read_sessions(std::vector<ports::SessionRecord>& sessions) {
        auto stopped = co_await provider_->node->provider_stop();
        EXPECT_TRUE(stopped);
        auto all = co_await provider_->ledger->sold_sessions(payee_, 10);
        EXPECT_TRUE(all);
        if (all) sessions = *all;
    }
    Task<> read_debt(Amount& debt) {
        auto unpaid = co_await provider_->ledger->unpaid(payer_.address(), payee_);
        EXPECT_TRUE(unpaid);
        if (unpaid) debt = *unpaid;
    }

    World world_;
    crypto::PrivateKey payer_ = crypto::PrivateKey::generate(world_.rng);
    std::unique_ptr<TestNode> provider_;
    Address payee_;
    std::map<Address, UnixTime> requested_;
};

}  // namespace myst::node::test
