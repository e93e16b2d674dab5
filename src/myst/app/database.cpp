#include "myst/app/database.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/ip/address.hpp>

#include "myst/base/log.hpp"
#include "myst/node/public_address.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::app {
namespace {

/// Top-level domains that the public name service does not know.
constexpr std::array<std::string_view, 8> kPrivateDomains{"local", "localhost", "internal", "intranet",
                                                          "lan",   "home",      "corp",     "arpa"};

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
    for (const auto& peer : config.db.peers) {
        auto url = db::RelayUrl::parse(peer);
        if (!url) return forward_error(url, "db.peers \"" + peer + "\"");
        settings.relays.push_back(std::move(*url));
    }
    return settings;
}

/// Whether strangers can make use of this host: a public address, or a name of the public name service.
bool is_public_host(const std::string& host) {
    boost::system::error_code not_literal;
    const auto address = asio::ip::make_address(host, not_literal);
    if (not_literal) {
        const auto dot = host.rfind('.');
        if (dot == std::string::npos) return false;
        const auto last = host.substr(dot + 1);
        return !last.empty() &&
               std::find(kPrivateDomains.begin(), kPrivateDomains.end(), last) == kPrivateDomains.end();
    }
    if (address.is_v4()) return node::is_public_ipv4(host);
    return (address.to_v6().to_bytes()[0] & 0xe0U) == 0x20U;  // 2000::/3, global unicast
}

}  // namespace

std::vector<std::string> relays_to_announce(const std::vector<std::string>& peers) {
    std::vector<std::string> relays;
    for (const auto& peer : peers) {
        const auto url = db::RelayUrl::parse(peer);
        if (url && is_public_host(url->host)) relays.push_back(url->text());
    }
    return relays;
}

Result<std::unique_ptr<RecordDatabase>> RecordDatabase::open(const Config& config, asio::any_io_executor executor,
                                                             const Clock& clock, Rng& rng, WorkerPool& workers,
                                                             ports::ProviderRegistry* registry) {
    auto peers = peer_settings(config);
    if (!peers) return forward_error(peers);
    std::unique_ptr<RecordDatabase> database(new RecordDatabase);
    if (config.db.listen.empty()) {
        database->light_ =
            std::make_unique<db::LightNetwork>(std::move(executor), clock, rng, workers, std::move(*peers));
        return database;
    }
    auto opened = database->open_full(config, std::move(executor), clock, rng, workers, std::move(*peers), registry);
    if (!opened) return forward_error(opened);
    return database;
}

Result<> RecordDatabase::open_full(const Config& config, asio::any_io_executor executor, const Clock& clock, Rng& rng,
                                   WorkerPool& workers, db::RelaySet::Settings peers,
                                   ports::ProviderRegistry* registry) {
    db::SqliteRecordStore::Settings store_settings;
    store_settings.path = config.data_dir + "/records.db";
    auto store = db::SqliteRecordStore::open(std::move(store_settings));
    if (!store) return forward_error(store, "record database");
    store_ = std::move(*store);
    db::AdmissionPolicy policy;
    policy.min_pow_bits = config.db.min_pow_bits;
    hub_ = std::make_unique<db::RecordHub>(*store_, clock, std::move(policy), registry);
    auto listen = split_listen(config.db.listen);
    if (!listen) return forward_error(listen);
    db::RelayServer::Settings relay;
    relay.address = listen->ip;
    relay.port = listen->port;
    relay.limits.connections = config.db.max_connections;
    relay.trusted_proxy = config.db.trusted_proxy;
    auto server = db::RelayServer::open(executor, *hub_, workers, clock, std::move(relay));
    if (!server) return forward_error(server, "embedded relay");
    server_ = std::move(*server);
    log::info("relay listens on {} port {}", listen->ip, server_->local_port());
    db::FullNetwork::Settings settings;
    settings.peers = std::move(peers);
    full_ = std::make_unique<db::FullNetwork>(std::move(executor), *hub_, clock, rng, workers, std::move(settings));
    return {};
}

void RecordDatabase::start(TaskGroup& tasks) {
    if (light_) tasks.spawn("relays", light_->run());
    if (server_) tasks.spawn("embedded relay", server_->run());
    if (full_) tasks.spawn("replication", full_->run());
}

ports::RecordNetwork& RecordDatabase::network() {
    if (full_) return *full_;
    return *light_;
}

}  // namespace myst::app
