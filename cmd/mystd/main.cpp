// mystd, the daemon: reads its configuration and runs a node.
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "myst/app/config.hpp"
#include "myst/app/daemon.hpp"
#include "wireguard.hpp"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

int complain(const myst::Error& error) {
    std::fprintf(stderr, "mystd: %s\n", error.describe().c_str());
    return kFailure;
}

int run(const std::string& path, bool check_only) {
    auto config = myst::app::load_config(path);
    if (!config) return complain(config.error());
    if (check_only) {
        std::printf("%s is a complete configuration\n", path.c_str());
        return 0;
    }
    if (auto ended = myst::app::run_daemon(*config); !ended) return complain(ended.error());
    return 0;
}

void add_wireguard_options(CLI::App& command, myst::dataplane::Tunnel::Settings& interface) {
    command.add_option("IFNAME", interface.name, "Name of the interface to make")->required();
    const auto add_switch = [&command](const char* name, bool& on, const char* what) {
        command.add_flag_callback(
            name, [&on] { on = false; }, what);
    };
    add_switch("--no-tun-offload", interface.offloads.tun,
               "Take and give one packet at a time on the interface's side");
    add_switch("--no-tun-tcp", interface.offloads.tun_tcp, "The same for TCP only");
    add_switch("--no-tun-udp", interface.offloads.tun_udp, "The same for UDP only");
    add_switch("--no-udp-gso", interface.offloads.udp_out, "Send one datagram at a time");
    add_switch("--no-equal-tail", interface.offloads.equal_tail,
               "End what is sent with one call with a shorter datagram, for kernels that spoil the last one");
    add_switch("--no-udp-gro", interface.offloads.udp_in, "Receive one datagram at a time");
    command.footer(
        "wg finds it at /var/run/wireguard/IFNAME.sock. It ends with status 0 at SIGINT or SIGTERM, or when the\n"
        "interface is deleted, and takes interface and socket with it; with 1 if it cannot go on, and says why.");
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("mystd, a node of the Mysterium network");
    std::string config = "/etc/mystd/mystd.toml";
    bool print_default = false;
    bool print_reference = false;
    bool check_only = false;
    app.add_option("--config", config, "Configuration file (TOML)")->capture_default_str();
    const auto of_node = {
        app.add_flag("--check", check_only, "Check the configuration and exit"),
        app.add_flag("--print-default-config", print_default, "Print a commented configuration and exit"),
        app.add_flag("--print-config-reference", print_reference, "Print the description of every key and exit")};
    auto* wireguard = app.add_subcommand("wireguard", "Carry a WireGuard interface in the foreground, set up with wg");
    myst::dataplane::Tunnel::Settings interface;
    add_wireguard_options(*wireguard, interface);
    for (auto* option : of_node) wireguard->excludes(option);
    app.set_version_flag("--version", "mystd " MYST_VERSION);
    try {
        app.parse(argc, argv);
        if (wireguard->parsed()) return run_wireguard(interface);
        if (print_default) std::fputs(myst::app::default_config_text().c_str(), stdout);
        if (print_reference) std::fputs(myst::app::config_reference().c_str(), stdout);
        if (print_default || print_reference) return 0;
        return run(config, check_only);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mystd: %s\n", error.what());
        return kFailure;
    }
}
