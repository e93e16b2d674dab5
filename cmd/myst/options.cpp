#include "options.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace myst::console {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 not connected, 4 no funds, 5 daemon not reachable.\n"
    "The API token is read from a file, never from the command line or the environment.";

CLI::App* add_verb(CLI::App& parent, Options& options, Verb verb, const std::string& name, const std::string& help) {
    auto* command = parent.add_subcommand(name, help);
    command->callback([&options, verb] { options.verb = verb; });
    return command;
}

void add_globals(CLI::App& app, Options& options) {
    app.add_option("--api", options.api, "URL of the daemon's API [as written in DATA_DIR/api-address]");
    app.add_option("--token-file", options.token_file, "File with the API token [DATA_DIR/api-token]");
    app.add_option("--data-dir", options.data_dir, "The daemon's data directory")->capture_default_str();
    app.add_flag("--json", options.json, "Print one JSON object (\"v\": 1) and nothing else");
    app.set_version_flag("--version", std::string("myst ") + MYST_VERSION);
}

void add_filter(CLI::App& command, Options& options) {
    command.add_option("--country", options.country, "Two letters, such as DE");
    command.add_option("--service", options.service, "Driver, such as wireguard");
    command.add_option("--max-price", options.max_price, "Dearest price, in tokens per GiB");
    command.add_option("--max-price-hour", options.max_price_hour, "Dearest price, in tokens per hour");
    command.add_option("--provider", options.provider, "Only this node key");
    command.add_option("--city", options.city, "City of the exit, such as Hamburg");
    command.add_option("--min-stake", options.min_stake, "Least stake in the registry, in tokens");
    command.add_option("--min-reputation", options.min_reputation, "Least reputation")->check(CLI::Range(0U, 47U));
    command.add_option("--max-age", options.max_age, "Published within so many seconds")->check(CLI::Range(0U, 86400U));
}

void add_wallet(CLI::App& app, Options& options) {
    auto* wallet = app.add_subcommand("wallet", "Keys, balances, the payment account");
    wallet->require_subcommand(1);
    add_verb(*wallet, options, Verb::wallet_create, "create", "Create the wallet and the payment signer");
    add_verb(*wallet, options, Verb::wallet_address, "address", "Show the addresses");
    add_verb(*wallet, options, Verb::wallet_balance, "balance", "Show ether, tokens and the deposit");
    auto* deposit = add_verb(*wallet, options, Verb::wallet_deposit, "deposit", "Move tokens into the payment account");
    deposit->add_option("AMOUNT", options.amount, "Tokens, such as 2.5")->required();
    deposit->add_flag("--units", options.units, "AMOUNT counts the smallest unit");
    auto* withdraw = add_verb(*wallet, options, Verb::wallet_withdraw, "withdraw",
                              "Announce a withdrawal; asked again after the waiting time, pay it out");
    withdraw->add_option("AMOUNT", options.amount, "Tokens, such as 2.5 [all that is free]");
    withdraw->add_flag("--units", options.units, "AMOUNT counts the smallest unit");
    add_verb(*wallet, options, Verb::wallet_reservations, "reservations", "List what is set aside for providers");
    auto* release = add_verb(*wallet, options, Verb::wallet_release, "release",
                             "Announce that a provider's reservation is taken back; asked again after the waiting "
                             "time, do so");
    release->add_option("PROVIDER", options.provider, "The provider's Ethereum address")->required();
}

void add_connection(CLI::App& app, Options& options) {
    auto* status = add_verb(app, options, Verb::status, "status", "Show the connection, the chain and the relays");
    status->add_flag("-v,--verbose", options.verbose, "Show everything");
    status->add_flag("--watch", options.watch, "Show rate, traffic and payments until Ctrl-C");
    auto* proposals = add_verb(app, options, Verb::proposals, "proposals", "List offers, cheapest first");
    add_filter(*proposals, options);
    proposals->add_option("--sort", options.sort, "What comes first decides [price]")
        ->check(CLI::IsMember({"price", "stake", "reputation", "age", "country", "latency"}));
    proposals->add_option("--max-latency", options.max_latency, "Only those that answer within so many milliseconds")
        ->check(CLI::Range(0U, 10'000U));
    proposals->add_flag("--worst-first", options.worst_first, "Turn the order round");
    proposals->add_option("--limit", options.limit, "How many in a page [50]")->check(CLI::Range(1U, 500U));
    proposals->add_option("--cursor", options.cursor, "The page that begins here, as the one before said");
    proposals->add_flag("--all", options.all, "Every page");
    proposals->add_flag("--watch", options.watch, "Go on with what changes, until Ctrl-C");
    auto* connect = add_verb(app, options, Verb::connect, "connect", "Connect to the cheapest offer and wait for it");
    add_filter(*connect, options);
    connect->add_flag("--no-wait", options.no_wait, "Start connecting and return");
    connect->add_flag("--watch", options.watch, "Once connected, show rate, traffic and payments until Ctrl-C");
    add_verb(app, options, Verb::disconnect, "disconnect", "End the connection and pay what is owed");
}

void add_provider(CLI::App& app, Options& options) {
    auto* provider = app.add_subcommand("provider", "Sell this machine's connection");
    provider->require_subcommand(1);
    add_verb(*provider, options, Verb::provider_start, "start", "Open the exit and publish the offer");
    add_verb(*provider, options, Verb::provider_stop, "stop", "Withdraw the offer and end all sessions");
    add_verb(*provider, options, Verb::provider_status, "status", "Show the offer and the earnings");
    add_verb(*provider, options, Verb::provider_sessions, "sessions", "List open and past sessions");
    add_verb(*provider, options, Verb::provider_limits, "limits", "Show limits, settlement policy and what is at risk");
    add_verb(*provider, options, Verb::provider_settle, "settle", "Bring all vouchers on chain");
    add_verb(*provider, options, Verb::provider_unregister, "unregister",
             "Announce leaving the registry; asked again after the waiting time, leave it and take the stake back");
    auto* revoke =
        add_verb(*provider, options, Verb::provider_revoke, "revoke", "Declare this node's key invalid, for ever");
    revoke->add_flag("--yes", options.yes, "I know that nothing takes it back")->required();
    revoke->add_option("--reason", options.reason, "For people; at most 256 bytes");
}

/// What CLI11 cannot check by itself; empty if there is nothing to complain about.
std::string conflict(const Options& options) {
    if (options.verb == Verb::proposals && options.watch) {
        const bool has_page = options.limit || options.all || !options.cursor.empty();
        const bool has_order = options.worst_first || !options.sort.empty() || options.max_latency;
        if (has_page || has_order) return "--watch shows all offers that match, as they come";
    } else if (options.watch && options.json) {
        return "--watch and --json exclude each other";
    }
    if (options.watch && options.no_wait) return "--watch and --no-wait exclude each other";
    if (options.all && !options.cursor.empty()) return "--all and --cursor exclude each other";
    return "";
}

}  // namespace

tl::expected<std::optional<Options>, Exit> parse_options(int argc, const char* const* argv) {
    Options options;
    CLI::App app("Console of the Mysterium node: buy and sell connections, pay as you go.", "myst");
    app.fallthrough();
    app.require_subcommand(1);
    app.footer(kFooter);
    add_globals(app, options);
    add_connection(app, options);
    add_wallet(app, options);
    add_provider(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (app.exit(error) == 0) return std::optional<Options>();
        return tl::unexpected<Exit>(Exit::usage);
    }
    if (const auto complaint = conflict(options); !complaint.empty()) {
        fmt::print(stderr, "{}\nRun with --help for more information.\n", complaint);
        return tl::unexpected<Exit>(Exit::usage);
    }
    return std::optional<Options>(std::move(options));
}

}  // namespace myst::console
