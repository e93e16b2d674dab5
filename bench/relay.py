#!/usr/bin/env python3
"""Our relay beside an independent one, over WebSocket, with the same records and queries: relay.py RESULT.json [RECORDS].

Adds `ws_…` (ours) and `peer_…` (rust-nostr's) figures to the object in the file. Each relay has one processor to
itself, the client another. Without the independent relay only ours is measured, which is said.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))

import packages  # noqa: E402

RECORDS = 70_000  # the independent relay keeps 75 000 in memory
RELEASE = ROOT / "build/release"
SHOWN = (("ingest_per_s", "records taken per second"), ("query_p50_ms", "a query of 100: median, ms"),
         ("query_p99_ms", "a query of 100: 99 % within, ms"), ("fan_out_per_s", "records handed to 64 followers per second"))


def measure(relay, records):
    """Starts a relay, which prints its URL, on one processor, and measures it from another."""
    with subprocess.Popen(["taskset", "-c", "0", *relay], stdout=subprocess.PIPE, text=True) as running:
        try:
            url = running.stdout.readline().strip()
            client = ["taskset", "-c", "1", RELEASE / "bench/bench_relay", url, str(records)]
            return json.loads(subprocess.run(client, stdout=subprocess.PIPE, check=True, timeout=600).stdout)
        finally:
            running.kill()


def main():
    path = Path(sys.argv[1])
    records = int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS
    found = {}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        program = RELEASE / "tests/interop/myst_interop_relay"
        found["ws"] = measure([program, "--unhurried", "--store", f"{folder}/records.db"], records)
    if (packages.FOLDER / "nostr_sdk").is_dir():
        found["peer"] = measure([sys.executable, ROOT / "tests/interop/foreign_relay.py"], records)
    else:
        print("SKIPPED the independent relay: it is not installed; run tools/install.sh")
    print(f"{'over WebSocket, ' + str(records) + ' records':<52}" + "".join(f"{name:>12}" for name in found))
    for key, what in SHOWN:
        print(f"{what:<52}" + "".join(f"{figures[key]:>12.1f}" for figures in found.values()))
    figures = json.loads(path.read_text()) if path.exists() else {}
    for name, measured in found.items():
        figures |= {f"{name}_{key}": round(value, 3) for key, value in measured.items()}
    path.write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
