// Our relay alone, for foreign clients: `myst_interop_relay [--store FILE] [--unhurried]` listens on a free port of the
// loopback address, prints its URL, and serves until it is killed.
#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "myst/base/log.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/sqlite_record_store.hpp"
#include "myst/runtime/run_task.hpp"

namespace {

using namespace myst;

template <class T>
T or_exit(Result<T> result) {
    if (result) return std::move(*result);
    std::cerr << result.error().describe() << '\n';
    std::exit(EXIT_FAILURE);
}

int serve(std::string path, bool unhurried) {
    SystemClock clock;
    asio::io_context context;
    WorkerPool workers(2);
    const auto store = or_exit(db::SqliteRecordStore::open({.path = std::move(path)}));
    db::RecordHub hub(*store, clock, db::AdmissionPolicy{});
    db::RelayServer::Settings settings;
    settings.address = "127.0.0.1";
    settings.port = 0;
    if (unhurried) {
        settings.limits.messages_per_second = settings.limits.burst = 1'000'000;
        settings.limits.connections_per_ip = settings.limits.connections;
    }
    const auto server = or_exit(db::RelayServer::open(context.get_executor(), hub, workers, clock, settings));
    std::cout << "ws://127.0.0.1:" << server->local_port() << std::endl;
    return run_task(context, server->run()) ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Our relay alone, on a free port of the loopback address");
    std::string store = ":memory:";
    bool unhurried = false;
    app.add_option("--store", store, "file of the records; without it they are in memory");
    app.add_flag("--unhurried", unhurried, "no limit on messages per second, nor on connections of one address");
    CLI11_PARSE(app, argc, argv);
    return serve(std::move(store), unhurried);
}
