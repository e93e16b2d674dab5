// Shared by the tests of this folder: keys, events, a loop that runs tasks.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "myst/codec/filter.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/db/admission.hpp"
#include "myst/db/record.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::db::test {

/// The n-th of a fixed series of keys.
inline crypto::PrivateKey key_of(std::uint8_t n) {
    std::array<std::uint8_t, 32> bytes{};
    bytes[31] = n;
    return *crypto::PrivateKey::from(bytes);
}

inline UnixTime at(std::int64_t unix_seconds) {
    return UnixTime(seconds(unix_seconds));
}

inline codec::Event make_event(const crypto::PrivateKey& key, std::uint32_t kind, UnixTime created_at,
                               std::vector<codec::Tag> tags = {}, std::string content = "") {
    codec::Event event;
    event.kind = kind;
    event.created_at = created_at;
    event.tags = std::move(tags);
    event.content = std::move(content);
    codec::sign_event(event, key, Hash32{});
    return event;
}

inline SharedRecord make_record(const crypto::PrivateKey& key, std::uint32_t kind, UnixTime created_at,
                                std::vector<codec::Tag> tags = {}, std::string content = "") {
    auto record = Record::verify(make_event(key, kind, created_at, std::move(tags), std::move(content)));
    EXPECT_TRUE(record) << record.error().message;
    return *record;
}

inline codec::Tag expires(UnixTime time) {
    return {"expiration", std::to_string(time.time_since_epoch().count())};
}

/// An offer that this node's admission accepts.
inline codec::Event make_proposal(const crypto::PrivateKey& key, UnixTime now, std::string country = "DE",
                                  std::string name = "test") {
    std::vector<codec::Tag> tags = {{"d", "wireguard"}, {"s", "wireguard"}, {"c", std::move(country)}};
    tags.push_back(expires(now + seconds(3600)));
    return make_event(key, kProposalKind, now, std::move(tags), R"({"v":1,"terms":"","name":")" + name + R"("})");
}

inline codec::Event make_envelope(const crypto::PrivateKey& from, const NodeKey& to, UnixTime now,
                                  std::string content) {
    std::vector<codec::Tag> tags = {{"p", to.hex()}};
    return make_event(from, kEnvelopeKind, now, std::move(tags), std::move(content));
}

/// What the owner of a key follows to get his envelopes.
inline std::vector<codec::Filter> envelopes_to(const NodeKey& key) {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kEnvelopeKind};
    filters[0].tags['p'] = {key.hex()};
    return filters;
}

/// Runs one task to its end, with whatever else lives on the loop; rethrows what it threw. Children in `group` are
/// cancelled and joined afterwards.
class Loop {
public:
    asio::io_context context;
    TaskGroup group{context.get_executor()};
    [[nodiscard]] asio::any_io_executor executor() { return context.get_executor(); }

    void run(Task<> task) {
        const auto error = run_task(context, whole(std::move(task)));
        context.restart();
        context.run();  // what was closed or cancelled ends
        if (error) std::rethrow_exception(error);
    }

private:
    static Task<Result<>> to_result(Task<> task) {
        co_await std::move(task);
        co_return Result<>();
    }
    Task<> whole(Task<> task) {
        auto limited = with_timeout(to_result(std::move(task)), std::chrono::seconds(60), "the whole test");
        auto done = co_await std::move(limited);
        EXPECT_TRUE(done) << done.error().message;
        group.cancel();
        co_await group.join();
    }
};

/// Waits until a condition holds; a test that waits in vain fails by the limit of `Loop`. Polls, so that conditions
/// need no hooks in the code under test.
template <class Condition>
Task<> until(Condition condition) {
    while (!condition()) co_await sleep_for(milliseconds(2));
}

}  // namespace myst::db::test
