#include "myst/node/test_support/fake_world.hpp"

#include <algorithm>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "myst/base/check.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::node::test {

void CountingRng::fill(std::span<std::uint8_t> out) {
    ++count_;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(count_ >> (8 * (i % 8)));
    out[0] = static_cast<std::uint8_t>(out[0] ^ 0x5a);
}

class FakeBus::Handle final : public ports::Subscription {
public:
    Handle(FakeBus& bus, std::uint64_t id) : bus_(bus), id_(id) {}
    ~Handle() override { bus_.followers_.erase(id_); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

private:
    FakeBus& bus_;
    std::uint64_t id_;
};

Task<Result<ports::PublishReport>> FakeBus::publish(codec::Event event) {
    if (deaf) co_return ports::PublishReport{{"bus"}, {}};
    if (codec::classify_kind(event.kind) != codec::KindClass::ephemeral) {
        std::erase_if(stored, [&](const auto& old) { return old.pubkey == event.pubkey && old.kind == event.kind; });
        stored.push_back(event);
    }
    const auto followers = followers_;
    for (const auto& [id, follower] : followers) {
        for (const auto& filter : follower.filters) {
            if (followers_.contains(id) && filter.matches(event)) follower.callback(event);
        }
    }
    while (slow_author == event.pubkey) co_await sleep_for(milliseconds(1));
    co_return ports::PublishReport{{"bus"}, {}};
}

Task<Result<std::vector<codec::Event>>> FakeBus::query(std::vector<codec::Filter> filters, std::size_t limit) {
    std::vector<codec::Event> found;
    for (const auto& event : stored) {
        if (filters.front().matches(event)) found.push_back(event);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.created_at > b.created_at; });
    if (found.size() > limit) found.resize(limit);
    co_return found;
}

std::unique_ptr<ports::Subscription> FakeBus::subscribe(std::vector<codec::Filter> filters, Callback callback) {
    followers_.emplace(next_, Follower{std::move(filters), std::move(callback)});
    return std::make_unique<Handle>(*this, next_++);
}

Task<Result<>> FakeBus::exchange(ports::EnvelopeExchange exchange) {
    named = exchange.relays;
    const auto executor = co_await asio::this_coro::executor;
    EventSignal answered(executor);
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {exchange.envelope.kind};
    filters[0].tags['p'] = {exchange.key.node_key().hex()};
    bool ended = false;
    const auto subscription = subscribe(std::move(filters), [&](const codec::Event& event) {
        if (ended || !exchange.is_answer(event)) return;
        ended = true;
        answered.notify();
    });
    auto publishing = publish(exchange.envelope);
    std::ignore = co_await std::move(publishing);
    const bool came = co_await answered.wait(exchange.limit);
    if (!came) co_return fail(ErrorCode::timeout, "no answer came");
    co_return Result<>();
}

std::uint64_t FakeWire::carry(std::uint64_t bytes) {
    if (dead || !peer) return 0;
    const auto passed = std::min(bytes, allowance - std::min(allowance, provider.total()));
    provider.down += passed;
    consumer.down += passed;
    return passed;
}

namespace {

class FakeClientTunnel final : public ports::ClientTunnel {
public:
    explicit FakeClientTunnel(FakeWire& wire) : wire_(wire) {
        wire_.consumer = {};
        ++wire_.client_tunnels;
    }
    [[nodiscard]] const std::string& interface_name() const override { return name_; }
    [[nodiscard]] Result<ports::TrafficCounters> counters() override { return wire_.consumer; }
    [[nodiscard]] Task<Result<std::optional<seconds>>> handshake_age() override { co_return std::nullopt; }
    [[nodiscard]] Task<Result<>> replace(ports::TunnelOffer, ports::TunnelKeyPair) override { co_return Result<>(); }
    [[nodiscard]] Task<Result<>> close() override {
        while (wire_.close_hangs) co_await sleep_for(milliseconds(1));
        --wire_.client_tunnels;
        co_return Result<>();
    }

private:
    FakeWire& wire_;
    std::string name_ = "fake0";
};

class FakeExit final : public ports::ExitTunnel {
public:
    explicit FakeExit(FakeWire& wire) : wire_(wire) { wire_.dead = false; }
    [[nodiscard]] const TunnelKey& public_key() const override { return key_; }
    [[nodiscard]] std::uint16_t listen_port() const override { return 51820; }
    [[nodiscard]] const std::string& server_address() const override { return wire_.payment_host; }
    [[nodiscard]] Result<int> listen_inside(std::uint16_t) override {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        CHECK(listen(fd, 16) == 0);
        socklen_t size = sizeof address;
        CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        if (wire_.on_listen) wire_.on_listen(ntohs(address.sin_port));
        return fd;
    }
    [[nodiscard]] Task<Result<>> add_peer(SessionId id, TunnelKey, std::string) override {
        wire_.peer = id;
        wire_.provider = {};
        wire_.allowance = 0;
        co_return Result<>();
    }
    [[nodiscard]] Task<Result<>> set_allowance(SessionId, std::uint64_t bytes) override {
        while (wire_.gate_hangs) co_await sleep_for(milliseconds(1));
        wire_.allowance = bytes;
        if (bytes == 0) wire_.provider.down += std::exchange(wire_.last_moment, 0);
        co_return Result<>();
    }
    [[nodiscard]] Result<std::vector<std::pair<SessionId, ports::TrafficCounters>>> counters() override {
        std::vector<std::pair<SessionId, ports::TrafficCounters>> all;
        if (wire_.peer) all.emplace_back(*wire_.peer, wire_.provider);
        return all;
    }
    [[nodiscard]] Task<Result<>> remove_peer(SessionId) override {
        ++wire_.removals;
        while (wire_.removal_hangs) co_await sleep_for(milliseconds(1));
        wire_.peer.reset();
        co_return Result<>();
    }
    [[nodiscard]] Task<Result<>> close() override {
        wire_.dead = true;
        co_return Result<>();
    }

private:
    FakeWire& wire_;
    TunnelKey key_{{4}};
};

}  // namespace

Task<Result<std::unique_ptr<ports::ClientTunnel>>> FakeDriver::connect(ports::TunnelOffer, KeyPair) {
    co_return std::make_unique<FakeClientTunnel>(wire_);
}

Task<Result<std::unique_ptr<ports::ExitTunnel>>> FakeDriver::open_exit(ports::ExitSettings) {
    co_return std::make_unique<FakeExit>(wire_);
}

Task<Result<ports::TxOutcome>> FakeSender::submit(ports::TxIntent intent) {
    if (world_.open_intent && world_.open_intent->key == intent.key) world_.open_intent.reset();
    if (auto why = world_.refuse ? world_.refuse(intent) : std::nullopt)
        co_return tl::unexpected<Error>(std::move(*why));
    world_.sent.push_back(intent);
    if (world_.on_mined) world_.on_mined(intent);
    co_return ports::TxOutcome{Hash32{{1}}, {world_.chain.head_number, {}, {}}, true, 21'000};
}

Task<Result<std::optional<ports::TxIntent>>> FakeSender::open_intent(ports::TxKind kind) {
    const auto prefix = std::string(to_string(kind)) + ":";
    if (world_.open_intent && world_.open_intent->key.starts_with(prefix)) co_return world_.open_intent;
    co_return std::nullopt;
}

bool World::run(Task<> task) {
    return run_task(context, std::move(task)) == nullptr;
}

TestNode::TestNode(World& world, const std::string& name, NodeSettings settings) : driver(world.wire) {
    const auto path = (world.folder / name).string();
    KeyRingSettings key_settings{path, path + "/password", crypto::KeystoreStrength::light};
    auto opened = KeyRing::open(key_settings, world.rng);
    CHECK(opened.has_value());
    keys = std::make_unique<KeyRing>(std::move(*opened));
    if (!keys->wallet()) {
        auto made = keys->make_wallet(world.rng);
        CHECK(made.has_value());
        keys->adopt(std::move(*made));
    }
    if (settings.may_provide) {
        world.chain.providers[keys->wallet()->address()].node_key = keys->node().node_key();
    }
    auto store = ledger::SqliteLedger::open(path + "/ledger.db");
    CHECK(store.has_value());
    ledger = std::move(*store);
    auto open_sender = [&world](const crypto::PrivateKey&) -> Result<std::unique_ptr<ports::TxSender>> {
        ++world.senders;
        return std::make_unique<FakeSender>(world);
    };
    node = std::make_unique<Node>(
        Context{world.context.get_executor(), world.clock, world.rng, world.workers, *keys, world.chain, world.bus,
                *ledger, driver, std::move(open_sender), nullptr, world.pow_bits},
        std::move(settings));
}

NodeSettings provider_settings() {
    NodeSettings settings;
    settings.may_provide = true;
    settings.provider.country = "DE";
    settings.provider.tariff = {Amount(1024 * 100), Amount{}};  // 100 units per MiB
    settings.provider.endpoint = "11.0.0.5";
    settings.provider.exit.pool = "127.0.0.0/29";
    settings.provider.risk_limit = Amount(1'000'000'000);
    settings.provider.min_free = Amount(100);
    settings.provider.settlement.terms.gas_price = Amount(100);
    return settings;
}

NodeSettings consumer_settings() {
    NodeSettings settings;
    settings.may_consume = true;
    settings.consumer.chunk = {1 << 20, 1 << 20};
    settings.consumer.ticks = pay::TickUse::never;
    return settings;
}

}  // namespace myst::node::test
