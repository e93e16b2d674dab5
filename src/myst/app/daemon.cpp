#include "myst/app/daemon.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "myst/api/access.hpp"
#include "myst/api/server.hpp"
#include "myst/app/chain_access.hpp"
#include "myst/app/database.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/ledger/sqlite_ledger.hpp"
#include "myst/node/node.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/sys/file.hpp"
#include "myst/vpn/wireguard_driver.hpp"

namespace myst::app {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr milliseconds kAutostartRetry{3'000};
constexpr std::string_view kVersion = MYST_VERSION;

/// No core files, no peeking by other processes of the same user: keys are in this memory.
void protect_memory() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/// Sockets are files: the limit that most systems give a program first is far below what a relay or a provider with
/// many sessions needs, while the one it may raise it to is not.
void raise_file_limit(const Config& config) {
    constexpr std::uint64_t kOwnFiles = 256;       // databases, endpoint, API, the consumer's part
    constexpr std::uint64_t kFilesPerSession = 4;  // payment streams of one consumer
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) getrlimit(RLIMIT_NOFILE, &files);
    std::uint64_t needed = kOwnFiles;
    if (!config.db.listen.empty()) needed += config.db.max_connections;
    if (config.provider.enabled) needed += kFilesPerSession * config.provider.max_sessions;
    if (files.rlim_cur >= needed) return;
    log::warn(
        "this program may open {} files, but db.max_connections and provider.max_sessions can need {}: lower "
        "them, or raise the limit (ulimit -n, LimitNOFILE)",
        files.rlim_cur, needed);
}

node::KeyRingSettings key_settings(const Config& config) {
    node::KeyRingSettings settings;
    settings.directory = config.data_dir + "/keys";
    settings.password_file =
        config.keys.password_file.empty() ? config.data_dir + "/keystore-password" : config.keys.password_file;
    settings.strength = config.keys.strength == KeyStrength::light ? crypto::KeystoreStrength::light
                                                                   : crypto::KeystoreStrength::standard;
    return settings;
}

node::ProviderSettings provider_settings(const Config& config) {
    const auto& from = config.provider;
    node::ProviderSettings settings;
    settings.country = from.country;
    settings.city = from.city;
    settings.name = from.name;
    settings.terms = from.terms;
    settings.tariff = {from.price_gib, from.price_hour};
    settings.endpoint = from.endpoint;
    settings.relays = relays_to_announce(config.db);
    settings.dns = from.dns;
    settings.exit.listen_port = from.wireguard_port;
    settings.exit.pool = from.pool;
    settings.exit.deny = from.deny;
    settings.exit.allow = from.allow;
    settings.exit.uplink = from.uplink;
    settings.credit_bytes = from.credit_bytes;
    settings.risk_limit = from.risk_limit;
    settings.settle_trigger_percent = from.settle_trigger_percent;
    settings.settlement.terms.gas_price = from.gas_price_in_tokens;
    settings.settlement.terms.overhead_percent = from.settle_overhead_percent;
    settings.settlement.terms.minimum = from.settle_minimum;
    settings.settlement.terms.at_session_end = from.settle_at_session_end;
    settings.settlement.terms.max_age = from.settle_max_age;
    settings.settlement.release_on_request = from.release_on_request;
    settings.settlement.finality_blocks = config.chain.reorg_limit;
    settings.outage_tolerated = from.outage_tolerated;
    settings.min_free = from.min_free;
    settings.stake = from.stake;
    settings.max_sessions = from.max_sessions;
    return settings;
}

node::NodeSettings node_settings(const Config& config) {
    node::NodeSettings settings;
    settings.version = kVersion;
    if (!config.db.listen.empty()) settings.roles.emplace_back("full");
    if (config.provider.enabled) settings.roles.emplace_back("provider");
    if (config.consumer.enabled) settings.roles.emplace_back("consumer");
    if (const auto bytes = config.consumer.chunk_bytes) settings.consumer.chunk = {*bytes, *bytes};
    settings.consumer.ticks = config.consumer.ticks;
    settings.consumer.tolerance_percent = config.consumer.tolerance_percent;
    settings.consumer.max_per_gib = config.consumer.max_price_gib;
    settings.consumer.max_per_hour = config.consumer.max_price_hour;
    settings.consumer.risk_limit = config.consumer.risk_limit;
    settings.consumer.reserve_ahead = config.consumer.reserve_ahead;
    settings.consumer.publish_receipts = config.consumer.publish_receipts;
    settings.provider = provider_settings(config);
    settings.may_provide = config.provider.enabled;
    settings.may_consume = config.consumer.enabled;
    return settings;
}

/// Everything that runs. Members are destroyed in reverse order, so each outlives those that use it.
class Daemon {
public:
    explicit Daemon(const Config& config)
        : config_(config), tasks_(context_.get_executor()), signals_(context_, SIGINT, SIGTERM) {}

    Result<> run() {
        if (auto opened = open(); !opened) return opened;
        const auto broken = run_task(context_, main());
        if (broken) return fail(ErrorCode::internal, "the daemon failed: " + describe_exception(broken));
        if (failure_) return tl::unexpected(*failure_);
        return {};
    }

private:
    Result<> open();
    Task<> main();
    Task<Result<>> start();
    Task<> provide();
    Task<> stop();

    const Config& config_;
    SystemClock clock_;
    crypto::SystemRng rng_;
    asio::io_context context_;
    WorkerPool workers_{kWorkers};
    std::optional<node::KeyRing> keys_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::unique_ptr<ChainAccess> chain_;
    std::shared_ptr<ports::MailboxKeys> mailboxes_ = std::make_shared<ports::MailboxKeys>();
    std::unique_ptr<RecordDatabase> records_;
    std::unique_ptr<vpn::WireguardDriver> driver_;
    TaskGroup tasks_;
    std::unique_ptr<node::Node> node_;
    std::unique_ptr<api::Server> api_;
    asio::signal_set signals_;
    std::optional<Error> failure_;
};

Result<> Daemon::open() {
    if (auto made = sys::make_private_directory(config_.data_dir); !made) return forward_error(made, "data folder");
    // The ledger is locked first: a second daemon on the same folder stops here, before it touches anything.
    auto ledger = ledger::SqliteLedger::open(config_.data_dir + "/ledger.db");
    if (!ledger) return forward_error(ledger);
    ledger_ = std::move(*ledger);
    auto keys = node::KeyRing::open(key_settings(config_), rng_);
    if (!keys) return forward_error(keys);
    keys_.emplace(std::move(*keys));
    chain_ = std::make_unique<ChainAccess>(config_, context_.get_executor(), workers_, rng_, clock_);
    DatabaseOwner owner{keys_->node(), std::string(kVersion), chain_->registry(), mailboxes_};
    auto records = RecordDatabase::open(config_, context_.get_executor(), clock_, rng_, workers_, std::move(owner));
    if (!records) return forward_error(records);
    records_ = std::move(*records);
    vpn::DriverSettings driver;
    driver.state_directory = config_.data_dir + "/vpn";
    driver.dns = config_.consumer.dns;
    driver.wireguard.kind = config_.vpn.wireguard;
    driver_ = std::make_unique<vpn::WireguardDriver>(workers_, rng_, std::move(driver));
    auto open_sender = [this](const crypto::PrivateKey& wallet) { return chain_->open_sender(wallet, tasks_); };
    node_ = std::make_unique<node::Node>(
        node::Context{context_.get_executor(), clock_, rng_, workers_, *keys_, chain_->reader(), records_->network(),
                      *ledger_, *driver_, std::move(open_sender), [this] { return chain_->status(); },
                      config_.db.min_pow_bits, mailboxes_},
        node_settings(config_));
    auto token = api::prepare_token(config_.data_dir + "/" + std::string(api::kTokenFile), rng_);
    if (!token) return forward_error(token, "API token");
    api::ServerSettings settings;
    settings.address = config_.api.address;
    settings.port = config_.api.port;
    auto server = api::Server::listen(context_.get_executor(), std::move(settings), *token, *node_, clock_);
    if (!server) return forward_error(server, "web API");
    api_ = std::move(*server);
    return {};
}

Task<> Daemon::main() {
    auto started = co_await start();
    if (!started) {
        failure_ = started.error();
    } else {
        auto [ec, signal] = co_await signals_.async_wait(no_throw);
        log::info("stopping on signal {}", signal);
    }
    co_await stop();
}

Task<Result<>> Daemon::start() {
    auto cleaned = co_await driver_->remove_stale();
    if (!cleaned) log::warn("{}", cleaned.error().in("removing what an earlier run left").describe());
    if (auto opened = co_await chain_->open(); !opened) co_return forward_error(opened, "chain index");
    chain_->start(tasks_);
    records_->start(tasks_);
    node_->start();
    tasks_.spawn("web API", api_->run());
    const auto address_file = config_.data_dir + "/" + std::string(api::kAddressFile);
    if (auto written = api::publish_address(address_file, api_->url()); !written) co_return forward_error(written);
    log::info("mystd {} is ready; API at {}, node key {}", kVersion, api_->url(), keys_->node().node_key().hex());
    if (config_.provider.enabled && config_.provider.autostart) tasks_.spawn("provider autostart", provide());
    co_return Result<>();
}

Task<> Daemon::provide() {
    for (;;) {
        auto started = co_await node_->provider_start();
        if (started) co_return;
        log::warn("{}", started.error().describe());
        co_await sleep_for(kAutostartRetry);
    }
}

Task<> Daemon::stop() {
    co_await node_->shut_down();
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace

Result<> run_daemon(const Config& config) {
    log::set_level(config.log_level);
    protect_memory();
    raise_file_limit(config);
    Daemon daemon(config);
    return daemon.run();
}

}  // namespace myst::app
