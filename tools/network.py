#!/usr/bin/env python3
"""Replication between real daemons in network namespaces: see docs/records.md, "How replication is proved".

Needs root; removes all it makes. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import dataclasses
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo import checks, topology  # noqa: E402
from demo.daemons import Binaries  # noqa: E402
from demo.process import SIGNALS, DemoError, Interrupted, Process  # noqa: E402
from demo.screen import Screen  # noqa: E402
from network.lan import Lan  # noqa: E402
from network.nodes import Nodes  # noqa: E402
from network.phases import Phases  # noqa: E402
from network.probe import Probe  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build/network-logs"


@dataclasses.dataclass(frozen=True)
class Profile:
    """How large a run is."""

    nodes: int
    peers: int  # that each node is configured with
    records: int
    per_second: int
    partition_seconds: int
    partition_per_second: int
    lossy_seconds: int
    lossy_per_second: int
    killed_per_second: int


PROFILES = {
    "short": Profile(nodes=8, peers=3, records=500, per_second=50, partition_seconds=12, partition_per_second=20,
                     lossy_seconds=4, lossy_per_second=10, killed_per_second=25),
    "long": Profile(nodes=32, peers=4, records=10_000, per_second=25, partition_seconds=60, partition_per_second=10,
                    lossy_seconds=15, lossy_per_second=10, killed_per_second=25),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES, default="short")
    for field in dataclasses.fields(Profile):
        parser.add_argument("--" + field.name.replace("_", "-"), type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help="of the peers and of the halves")
    parser.add_argument("--only", nargs="+", help="phases to run: methods of network/phases.py; always with start")
    parser.add_argument("--result", type=Path, help="JSON file into which the figures go, beside what is in it")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release", help="folder of the built programs")
    return parser.parse_args()


def profile_of(options):
    changed = {field.name: value for field in dataclasses.fields(Profile)
               if (value := getattr(options, field.name)) is not None}
    return dataclasses.replace(PROFILES[options.profile], **changed)


def write_result(path, figures):
    """Adds the figures to a JSON file of benchmarks."""
    known = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | figures) + "\n")


def prove(options):
    """Runs the phases; returns the exit status."""
    topology.remove_abandoned(kept=False)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    profile = profile_of(options)
    lan = Lan(profile.nodes)
    outcome = checks.Checks()
    screen = Screen()
    figures = {}
    status = 1
    try:
        lan.create()
        commands = options.bin.resolve() / "cmd"
        nodes = Nodes(lan, Binaries(commands / "mystd/mystd", commands / "myst/myst"), LOGS, profile.peers,
                      options.seed)
        probe = Probe(lan, options.bin.resolve() / "bench/bench_network", LOGS / "probe.log")
        phases = Phases(lan, nodes, probe, profile, outcome, screen, LOGS)
        figures = phases.figures
        phases.run(options.only)
        status = 0 if outcome.ok else 1
    except Interrupted as signal_arrived:
        outcome.expect("not interrupted", False, str(signal_arrived))
        status = 128 + signal_arrived.number
    except Exception as error:  # whatever happens, the network is removed and the last line printed
        outcome.expect("all phases ran", False, str(error))
        screen.failure(error)
        if not isinstance(error, DemoError):
            traceback.print_exc()
    finally:
        SIGNALS.ignore()
        Process.kill_all()
        topology.remove(lan.prefix, 0.0)
    print(json.dumps(figures))
    if options.result and status == 0:
        write_result(options.result, figures)
    failed = outcome.failed()
    for name in failed:
        print(f"FAILED {name}")
    print(f"{len(outcome.results) - len(failed)} passed, {len(failed)} failed, 0 skipped", flush=True)
    return status


def main():
    options = arguments()
    if os.geteuid() != 0:
        print("network: makes network namespaces: run it as root", file=sys.stderr)
        return 1
    SIGNALS.install()
    return prove(options)


if __name__ == "__main__":
    sys.exit(main())
