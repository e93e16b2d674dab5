#!/usr/bin/env python3
"""Tunnels side by side between two network namespaces: tunnel.py RESULT.json [--rounds N] [--seconds N].

Each round measures every tunnel once, in random order; figures are medians, ratios are medians of those of each round
(ours / theirs). `veth` is the link without a tunnel. Processor time is that of the whole machine, since the kernel's
part is billed to whoever runs: measure on an idle machine. Needs root.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = "mystd"
RIVALS = {"wireguard_go_2022": "/usr/bin/wireguard-go", "wireguard_go_2023": ROOT / "build/peers/wireguard-go-2023"}
LINK = "veth"
PORT = 51820
TICK = os.sysconf("SC_CLK_TCK")


def run(*command, timeout=60):
    """The output of a command that must succeed."""
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True,
                          timeout=timeout).stdout


def inside(namespace, *command, **options):
    return run("ip", "netns", "exec", namespace, *command, **options)


def busy_seconds():
    """Of all processors since the machine started: user, nice, system, irq, softirq."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(fields[i]) for i in (1, 2, 3, 6, 7)) / TICK


def resident_peak(process):
    """Bytes of memory that a process had at most."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class Tunnel:
    """Two namespaces, joined, each with an interface that a program carries."""

    def __init__(self, program):
        self.program = program  # arguments, without the interface; none: the link alone
        self.names = [f"mystbt{os.getpid()}{side}" for side in "cs"]
        self.links = [f"bt{os.getpid() % 10 ** 8}{side}" for side in "cs"]
        self.processes = []
        self.target = "10.0.0.2"

    def __enter__(self):
        try:
            self._join()
            if self.program:
                self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _join(self):
        for name in self.names:
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "out", "netns", self.names[0], "type", "veth", "peer", "name", "out", "netns",
            self.names[1])
        for number, name in enumerate(self.names, 1):
            run("ip", "-n", name, "address", "add", f"10.0.0.{number}/24", "dev", "out")
            for link in ("lo", "out"):
                run("ip", "-n", name, "link", "set", link, "up")

    def _start(self):
        keys = [run("wg", "genkey").strip() for _ in self.names]
        public = [subprocess.run(["wg", "pubkey"], input=key, capture_output=True, text=True, check=True).stdout.strip()
                  for key in keys]
        for name, link in zip(self.names, self.links):
            self.processes.append(subprocess.Popen(
                ["ip", "netns", "exec", name, *map(str, self.program), link], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=os.environ | {"WG_PROCESS_FOREGROUND": "1"}))
        for end, (name, link) in enumerate(zip(self.names, self.links)):
            self._wait_for(link)
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(f"[Interface]\nPrivateKey = {keys[end]}\nListenPort = {PORT}\n[Peer]\nPublicKey = "
                           f"{public[1 - end]}\nAllowedIPs = 10.9.0.{2 - end}/32\nEndpoint = 10.0.0.{2 - end}:{PORT}\n")
                file.flush()
                inside(name, "wg", "setconf", link, file.name)
            run("ip", "-n", name, "address", "add", f"10.9.0.{end + 1}/24", "dev", link)
            run("ip", "-n", name, "link", "set", link, "mtu", "1420", "up")
        self.target = "10.9.0.2"
        inside(self.names[0], "ping", "-c", "1", "-W", "5", self.target)

    def _wait_for(self, link):
        socket = Path(f"/var/run/wireguard/{link}.sock")
        end = time.monotonic() + 10
        while not socket.exists():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.program[0]} has not made {link} within 10 s")
            time.sleep(0.05)

    def iperf(self, seconds, *arguments):
        """What iperf3 reports at its end, and the processor time of the machine meanwhile."""
        with subprocess.Popen(["ip", "netns", "exec", self.names[1], "iperf3", "-s", "-1", "--forceflush"], stdout=subprocess.PIPE,
                              text=True) as server:
            server.stdout.readline()
            server.stdout.readline()  # it listens
            before = busy_seconds()
            try:
                report = json.loads(inside(self.names[0], "iperf3", "-c", self.target, "-J", "-t", seconds, *arguments,
                                           timeout=seconds + 30))
            finally:
                server.terminate()
        return report["end"], busy_seconds() - before

    def memory(self):
        return max((resident_peak(process) for process in self.processes), default=0)


def measure(program, seconds):
    """All figures of one tunnel, freshly made."""
    with Tunnel(program) as tunnel:
        figures = {}
        end, busy = tunnel.iperf(seconds)
        received = end["sum_received"]
        figures["tcp1_bit_per_s"] = received["bits_per_second"]
        figures["cpu_s_per_gb"] = busy / (received["bytes"] / 1e9)
        figures["tcp4_bit_per_s"] = tunnel.iperf(seconds, "-P", "4")[0]["sum_received"]["bits_per_second"]
        figures["reverse_bit_per_s"] = tunnel.iperf(seconds, "-R")[0]["sum_received"]["bits_per_second"]
        udp = tunnel.iperf(seconds, "-u", "-b", "0", "-l", "64")[0]["sum"]
        figures["udp64_pps"] = udp["packets"] * (1 - udp["lost_percent"] / 100) / udp["seconds"]
        ping = inside(tunnel.names[0], "ping", "-q", "-i", "0.01", "-c", "200", tunnel.target)
        figures["latency_us"] = float(ping.rsplit("=", 1)[1].split("/")[1]) * 1000
        figures["rss_bytes"] = tunnel.memory()
        return figures


def ratios(rounds, rival):
    """Medians of ours / theirs, round by round."""
    names = rounds[0][OURS].keys() - {"rss_bytes"}
    return {name: statistics.median(each[OURS][name] / each[rival][name] for each in rounds) for name in names}


def show(medians):
    rows = (("tcp1_bit_per_s", "one TCP flow, Gbit/s", 1e-9), ("tcp4_bit_per_s", "four TCP flows, Gbit/s", 1e-9),
            ("reverse_bit_per_s", "one, the other way, Gbit/s", 1e-9), ("cpu_s_per_gb", "processor seconds per GB", 1),
            ("udp64_pps", "64-byte datagrams, thousands/s", 1e-3), ("latency_us", "round trip, idle, µs", 1),
            ("rss_bytes", "memory at most, MiB", 1 / 2 ** 20))
    print(f"{'':<34}" + "".join(f"{name:>20}" for name in medians))
    for key, what, scale in rows:
        print(f"{what:<34}" + "".join(f"{figures[key] * scale:>20.2f}" for figures in medians.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=10, help="of each load")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/cmd/mystd/mystd")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("tunnel.py: makes network namespaces: run it as root", file=sys.stderr)
        return 1
    programs = {OURS: [options.program, "wireguard"], LINK: None}
    for name, program in RIVALS.items():
        if Path(program).exists():
            programs[name] = [program, "-f"]
        else:
            print(f"SKIPPED {name}: {program} is not there; run tools/install.sh --bench")
    rounds = []
    for number in range(options.rounds):
        order = random.sample(list(programs), len(programs))
        rounds.append({name: measure(programs[name], options.seconds) for name in order})
        print(f"round {number + 1} of {options.rounds} done", flush=True)
    medians = {name: {key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]}
               for name in programs}
    show(medians)
    figures = {"rss_mib": medians[OURS]["rss_bytes"] / 2 ** 20, "rounds": options.rounds, "medians": medians}
    for rival in programs.keys() - {OURS}:
        for key, value in ratios(rounds, rival).items():
            figures[f"{key.removesuffix('_bit_per_s').replace('_s_per_', '_per_')}_ratio_vs_{rival}"] = value
    print(json.dumps({key: round(value, 3) for key, value in sorted(figures.items()) if "ratio" in key}, indent=1))
    known = json.loads(options.result.read_text()) if options.result.exists() else {}
    options.result.write_text(json.dumps(known | figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
