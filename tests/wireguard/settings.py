"""Which programs are tested, and where their logs go."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build/wireguard/logs"
OURS = Path(os.environ.get("MYST_DAEMON", ROOT / "build/release/cmd/mystd/mystd"))
_RIVALS = {"wireguard_go_2022": Path("/usr/bin/wireguard-go"),
           "wireguard_go_2023": ROOT / "build/peers/wireguard-go-2023"}
PROGRAMS = {"ours": [OURS, "wireguard"]} | {name: [path, "-f"] for name, path in _RIVALS.items()}


def missing(program):
    """Why a program cannot be had; empty if it is there."""
    path = PROGRAMS[program][0]
    cure = "tools/build.sh release mystd" if path == OURS else "tools/install.sh"
    return "" if os.access(path, os.X_OK) else f"{path} is not there: run {cure}"
