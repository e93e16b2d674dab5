// For tests of the outbox: a scripted node behind an HTTP server that loses, delays or garbles what it is told to.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/json/parse.hpp>

#include "myst/chain/json_rpc.hpp"
#include "myst/chain/test_support/indexer_fixture.hpp"
#include "myst/chain/test_support/node_double.hpp"
#include "myst/chain/tx_outbox.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/sys/http_test_server.hpp"

namespace myst::chain::testing {

using sys::testing::HttpTestServer;
using sys::testing::ServerAnswer;
using sys::testing::ServerRequest;
using Outcome = std::optional<Result<ports::TxOutcome>>;

/// What the network does to one request.
enum class Fault { none, lose_request, lose_answer, busy, truncate, wrong_id, crash_before, crash_after };

inline ports::TxIntent intent_of(const std::string& key) {
    ports::TxIntent intent{key, "test " + key, account_at(1), {}};
    intent.data = Bytes(key.begin(), key.end());
    return intent;
}

inline Task<> run_outbox(TxOutbox& outbox, std::optional<Error>& ended, EventSignal& signal) {
    auto outcome = co_await outbox.run();
    ended = outcome.error();
    signal.notify();
}

inline Task<> submit_one(TxOutbox& outbox, ports::TxIntent intent, Outcome& outcome, EventSignal& signal) {
    outcome = co_await outbox.submit(std::move(intent));
    signal.notify();
}

class OutboxBench {
public:
    OutboxBench() : file_("outbox_test") {
        settings.path = file_.path;
        settings.chain_id = 31337;
        settings.poll = milliseconds(1);
        settings.backoff_limit = milliseconds(4);
        settings.resend = milliseconds(2);
        server_ = std::make_unique<HttpTestServer>(context, [this](const ServerRequest& each) { return serve(each); });
        JsonRpcSettings rpc;
        rpc.url = server_->url();
        rpc.backoff = milliseconds(1);
        client = std::make_unique<JsonRpcClient>(rpc, rng_);
        restart();
    }
    ~OutboxBench() {
        outbox.reset();
        client.reset();
        server_.reset();
        sys::testing::drain(context);
    }
    void restart() {
        outbox.reset();
        Secret<32> secret;
        secret.expose_mutable()[31] = 7;
        auto key = crypto::PrivateKey::from(secret.expose());
        outbox = std::make_unique<TxOutbox>(settings, std::move(*key), *client, pool, context.get_executor(), *clock);
    }
    /// Runs the outbox until the intent has an outcome, the outbox has halted, or a planned crash happens.
    Outcome submit(const std::string& key) { return submit(intent_of(key)); }
    Outcome submit(ports::TxIntent intent) {
        Outcome outcome;
        sys::testing::run_task(context, drive(std::move(intent), outcome));
        return outcome;
    }

    asio::io_context context;
    WorkerPool pool{4};
    NodeDouble node;
    OutboxSettings settings;
    SystemClock system_clock;
    const Clock* clock = &system_clock;  ///< of the next outbox that is started
    std::unique_ptr<JsonRpcClient> client;
    std::unique_ptr<TxOutbox> outbox;
    std::optional<Error> ended;
    std::function<Fault(std::size_t, const std::string&)> plan;  ///< by number of the request, and method
    std::function<void()> on_idle;                               ///< called at each request for the block number
    std::size_t requests = 0;

private:
    ServerAnswer serve(const ServerRequest& request) {
        const auto parsed = boost::json::parse(request.body);
        const std::string method = parsed.is_object() ? std::string(parsed.at("method").as_string()) : "batch";
        if (method == "eth_blockNumber" && on_idle) on_idle();
        const auto fault = plan ? plan(requests, method) : Fault::none;
        ++requests;
        ServerAnswer answer;
        answer.drop = fault == Fault::lose_request || fault == Fault::lose_answer || fault == Fault::crash_before ||
                      fault == Fault::crash_after;
        if (fault == Fault::crash_before || fault == Fault::crash_after) {
            crashed_ = true;
            if (signal_) signal_->notify();
        }
        if (fault == Fault::busy) return ServerAnswer{429, "busy"};
        if (fault == Fault::lose_request || fault == Fault::crash_before) return answer;
        answer.body = node.handle(request.body);
        if (fault == Fault::truncate) answer.body.resize(answer.body.size() / 2);
        if (fault == Fault::wrong_id) answer.body.replace(answer.body.find("\"id\":"), 5, "\"id\":9");
        return answer;
    }
    Task<> drive(ports::TxIntent intent, Outcome& outcome) {
        const auto executor = co_await asio::this_coro::executor;
        EventSignal signal(executor);
        signal_ = &signal;
        crashed_ = false;
        ended.reset();
        TaskGroup group(executor);
        group.spawn("outbox", run_outbox(*outbox, ended, signal));
        group.spawn("submit", submit_one(*outbox, std::move(intent), outcome, signal));
        while (!outcome && !crashed_) {
            const bool notified = co_await signal.wait(milliseconds(20'000));
            if (notified) continue;
            ADD_FAILURE() << "no outcome";
            break;
        }
        group.cancel();
        co_await group.join();
        signal_ = nullptr;
    }

    TemporaryFile file_;
    crypto::SystemRng rng_;
    std::unique_ptr<HttpTestServer> server_;
    EventSignal* signal_ = nullptr;
    bool crashed_ = false;
};

}  // namespace myst::chain::testing
