#!/usr/bin/env python3
"""Tunnels side by side between two network namespaces: tunnel.py RESULT.json (docs/performance.md, "Tunnel").

Each round measures every tunnel once, in random order; figures are medians, ratios are medians of those of each round
(ours / theirs). `veth` is the link without a tunnel, `null_cipher` our tunnel without encryption. Processor time is that
of the whole machine, since the kernel's part is billed to whoever runs: measure on an idle machine. Needs root.
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tunnel import report  # noqa: E402
from tunnel.loads import LoadFailed, background_share, measure  # noqa: E402
from tunnel.tunnels import OpenVpn, Shadowsocks, Tunnel, WireGuard  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build/release"
TOOLS = ("ip", "iperf3", "ping", "wg", "ss")
OTHERS = ("peers", "metering", "metering_cost_fraction")  # that other benchmarks write into the same file
FOREIGN = 0.02  # use of the machine by others that is worth a warning


def contenders(program):
    """By name: how to make the tunnel, and the programs that it needs."""
    go = {"2023": ROOT / "build/peers/wireguard-go-2023", "2022": "/usr/bin/wireguard-go"}
    null = RELEASE / "bench/bench_tunnel_end"
    return {
        report.OURS: (lambda **options: WireGuard(program, "wireguard", **options), [program]),
        report.BOUND: (lambda **options: WireGuard(null, **options), [null]),
        "wireguard_go_2023": (lambda **options: WireGuard(go["2023"], "-f", **options), [go["2023"]]),
        "wireguard_go_2022": (lambda **options: WireGuard(go["2022"], "-f", **options), [go["2022"]]),
        "openvpn": (OpenVpn, ["openvpn", "openssl"]),
        "shadowsocks": (Shadowsocks, ["ss-server", "ss-tunnel"]),
        "veth": (Tunnel, []),
    }


def present(candidates):
    """Those whose programs are there; the others are named."""
    found = {}
    for name, (make, needs) in candidates.items():
        missing = [str(program) for program in needs if shutil.which(program) is None]
        if missing:
            print(f"SKIPPED {name}: {', '.join(missing)} not found; run make bench-tunnel, or tools/install.sh --bench")
        else:
            found[name] = make
    return found


def measure_new(name, make, options):
    """The figures of a tunnel made for this. A rival that does not work has none, which is said."""
    try:
        with make(pinned=options.pinned) as tunnel:
            return measure(name, tunnel, options.seconds)
    except (RuntimeError, LoadFailed, subprocess.CalledProcessError) as error:
        if name == report.OURS:
            raise
        print(f"FAILED {name}: {error}", flush=True)
        return {}


def play_rounds(makers, options):
    """Figures of every tunnel, round by round."""
    rounds, foreign = [], []
    for number in range(options.rounds):
        foreign.append(background_share())
        if foreign[-1] > FOREIGN:
            print(f"others use {foreign[-1]:.0%} of this machine: the figures will not be of use elsewhere")
        order = random.sample(list(makers), len(makers))
        rounds.append({name: measure_new(name, makers[name], options) for name in order})
        print(f"round {number + 1} of {options.rounds} done", flush=True)
    return rounds, statistics.median(foreign)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of each load, at least 2")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--only", help="names of tunnels with commas between")
    parser.add_argument("--pinned", action="store_true", help="each side has one processor for itself")
    parser.add_argument("--program", type=Path, default=RELEASE / "cmd/mystd/mystd")
    options = parser.parse_args()
    if options.seconds < 2:
        parser.error("--seconds must be at least 2")
    if options.quick:
        options.rounds = 2
    return options


def main():
    options = arguments()
    if os.geteuid() != 0:
        print("tunnel.py: makes network namespaces: run it as root", file=sys.stderr)
        return 1
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"tunnel.py: {', '.join(missing)} not found: run tools/install.sh --bench", file=sys.stderr)
        return 1
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda *_: sys.exit(1))  # so that what was made is removed
    candidates = contenders(options.program)
    if options.only:
        candidates = {name: candidates[name] for name in options.only.split(",")}
    makers = present(candidates)
    rounds, foreign = play_rounds(makers, options)
    figures = report.report(report.undisturbed(rounds), list(makers))
    figures |= {"rounds": options.rounds, "seconds": options.seconds, "pinned": options.pinned,
                "foreign_share": foreign, "kernel": platform.release(), "processors": os.cpu_count()}
    known = json.loads(options.result.read_text()) if options.result.exists() else {}
    kept = {key: known[key] for key in OTHERS if key in known}
    options.result.write_text(json.dumps(kept | figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
