#include "myst/app/database.hpp"

#include <algorithm>

#include "myst/app/config_rules.hpp"
#include "myst/base/log.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/record_work.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::app {
namespace {

struct ListenAddress {
    std::string ip;
    std::uint16_t port = 0;
};

/// "IP:port", as the configuration has checked it.
Result<ListenAddress> split_listen(const std::string& listen) {
    const auto colon = listen.rfind(':');
    auto port = parse_u64(std::string_view(listen).substr(colon == std::string::npos ? listen.size() : colon + 1));
    if (!port || *port > 65'535) return fail(ErrorCode::invalid_argument, "db.listen \"" + listen + "\" has no port");
    auto ip = listen.substr(0, colon);
    if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
    return ListenAddress{ip, static_cast<std::uint16_t>(*port)};
}

Result<db::RelaySet::Settings> peer_settings(const Config& config) {
    db::RelaySet::Settings settings;
    settings.client.socket.mark = ports::kBypassMark;
    for (const auto& peer : config.db.relays) {
        auto url = db::RelayUrl::parse(peer);
        if (!url) return forward_error(url, "db.relays \"" + peer + "\"");
        settings.relays.push_back(std::move(*url));
    }
    return settings;
}

db::EnvelopeCarrier::Settings envelope_settings(const Config& config) {
    db::EnvelopeCarrier::Settings settings;
    if (config.db.private_peers) settings.scope = db::AddressScope::any;
    return settings;
}

/// At least so many, so that a bad list of configured peers is not the whole world.
constexpr std::size_t kLeastFound = 2;

}  // namespace

std::vector<std::string> relays_to_announce(const DbConfig& config) {
    std::vector<std::string> named;
    if (!config.listen.empty() && config.public_url) named.push_back(config.public_url->text());
    named.insert(named.end(), config.relays.begin(), config.relays.end());
    std::vector<std::string> relays;
    for (const auto& each : named) {
        const auto url = db::RelayUrl::parse(each);
        if (!url || (!config.private_peers && !is_public_host(url->host))) continue;
        auto text = url->text();
        if (text.size() > node::kMaxRelayUrl || relays.size() == node::kMaxRelays) continue;
        if (std::find(relays.begin(), relays.end(), text) == relays.end()) relays.push_back(std::move(text));
    }
    return relays;
}

std::size_t peers_to_find(const DbConfig& config) {
    if (config.peer_target == 0) return 0;
    const std::size_t target = config.peer_target;
    return std::max(target - std::min(target, config.relays.size()), kLeastFound);
}

std::optional<db::NodeRecord> own_node_record(const Config& config, std::string version) {
    if (!config.db.public_url) return std::nullopt;
    db::NodeRecord record;
    record.relays.push_back(*config.db.public_url);
    record.version = std::move(version);
    record.roles.emplace_back("full");
    if (config.provider.enabled) record.roles.emplace_back("provider");
    return record;
}

Result<std::unique_ptr<RecordDatabase>> RecordDatabase::open(const Config& config, asio::any_io_executor executor,
                                                             const Clock& clock, Rng& rng, WorkerPool& workers,
                                                             DatabaseOwner owner) {
    auto peers = peer_settings(config);
    if (!peers) return forward_error(peers);
    peers->client.mailboxes = owner.mailboxes;
    std::unique_ptr<RecordDatabase> database(new RecordDatabase);
    if (config.db.listen.empty()) {
        database->light_ = std::make_unique<db::LightNetwork>(std::move(executor), clock, rng, workers,
                                                              std::move(*peers), envelope_settings(config));
        return database;
    }
    auto opened =
        database->open_full(config, std::move(executor), clock, rng, workers, std::move(*peers), std::move(owner));
    if (!opened) return forward_error(opened);
    return database;
}

Result<> RecordDatabase::open_full(const Config& config, asio::any_io_executor executor, const Clock& clock, Rng& rng,
                                   WorkerPool& workers, db::RelaySet::Settings peers, DatabaseOwner owner) {
    auto record = own_node_record(config, owner.version);
    auto self_check = std::make_shared<db::SelfCheck>(rng);
    auto opened = open_relay(config, executor, clock, workers, owner.registry, self_check);
    if (!opened) return opened;
    db::FullNetwork::Settings settings;
    settings.peers = db::watchful(std::move(peers));
    settings.peers.client.self_check = std::move(self_check);
    settings.found.wanted = peers_to_find(config.db);
    settings.found.own_key = owner.node_key.node_key();
    settings.envelopes = envelope_settings(config);
    settings.found.book.scope = settings.envelopes.scope;
    full_ = std::make_unique<db::FullNetwork>(std::move(executor), *hub_, clock, rng, workers, std::move(settings));
    if (!record) return {};
    log::info("other full nodes find this one at {}", record->relays.front().text());
    const node::RecordWork work{workers, rng, config.db.min_pow_bits};
    auto sign = [work, &key = owner.node_key](codec::Event event) {
        return node::sign_with_work(work, std::move(event), key);
    };
    announcer_ = std::make_unique<db::NodeAnnouncer>(*full_, std::move(sign), clock, rng,
                                                     db::NodeAnnouncer::Settings{std::move(*record)});
    return {};
}

Result<> RecordDatabase::open_relay(const Config& config, asio::any_io_executor executor, const Clock& clock,
                                    WorkerPool& workers, ports::ProviderRegistry* registry,
                                    std::shared_ptr<db::SelfCheck> self_check) {
    db::SqliteRecordStore::Settings store_settings;
    store_settings.path = config.data_dir + "/records.db";
    auto store = db::SqliteRecordStore::open(std::move(store_settings));
    if (!store) return forward_error(store, "record database");
    store_ = std::move(*store);
    db::AdmissionPolicy policy;
    policy.min_pow_bits = config.db.min_pow_bits;
    if (config.db.gift_wraps) policy.kinds.push_back(codec::kGiftWrapKind);
    hub_ = std::make_unique<db::RecordHub>(*store_, clock, std::move(policy), registry);
    auto listen = split_listen(config.db.listen);
    if (!listen) return forward_error(listen);
    db::RelayServer::Settings relay;
    relay.address = listen->ip;
    relay.port = listen->port;
    relay.limits.connections = config.db.max_connections;
    relay.trusted_proxy = config.db.trusted_proxy;
    relay.self_check = std::move(self_check);
    relay.access.auth_for_mailboxes = config.db.auth_for_mailboxes;
    relay.access.url = config.db.public_url;
    auto server = db::RelayServer::open(std::move(executor), *hub_, workers, clock, std::move(relay));
    if (!server) return forward_error(server, "embedded relay");
    server_ = std::move(*server);
    log::info("relay listens on {} port {}", listen->ip, server_->local_port());
    return {};
}

void RecordDatabase::start(TaskGroup& tasks) {
    if (light_) tasks.spawn("relays", light_->run());
    if (server_) tasks.spawn("embedded relay", server_->run());
    if (full_) tasks.spawn("replication", full_->run());
    if (announcer_) tasks.spawn("node record", announcer_->run());
}

ports::RecordNetwork& RecordDatabase::network() {
    if (full_) return *full_;
    return *light_;
}

}  // namespace myst::app
