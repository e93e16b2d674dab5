#!/usr/bin/env python3
"""The whole system at work on one machine: see docs/demo.md. Needs root; removes all it makes."""

import argparse
import os
import shutil
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo import checks, selftest, topology  # noqa: E402
from demo.chain import find_anvil  # noqa: E402
from demo.process import SIGNALS, DemoError, Interrupted  # noqa: E402
from demo.daemons import Binaries  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
_PROGRAMS = {"ip": "iproute2", "nft": "nftables", "nginx": "nginx-light", "dnsmasq": "dnsmasq-base", "curl": "curl"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", default=os.environ.get("KEEP", "") not in ("", "0"),
                        help="leave the network running and say how to use it (or KEEP=1 in the environment)")
    parser.add_argument("--clean", action="store_true", help="remove kept networks and what killed runs left behind")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/cmd", help="folder of the built programs")
    parser.add_argument("--mib", type=int, default=256, help="size of the first download in MiB (default 256)")
    parser.add_argument("--self-test", action="store_true", help="test the pure parts of this program")
    parser.add_argument("--self-test-topology", action="store_true", help="test the network and its removal")
    parser.add_argument("--self-test-interrupts", action="store_true", help="interrupt the whole in each of its steps")
    return parser.parse_args()


def require_system():
    """What the machine must offer, before anything is made."""
    if os.geteuid() != 0:
        raise DemoError("the demonstration makes network namespaces and tunnels: run it as root")
    missing = [package for program, package in _PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        raise DemoError(f"not installed: apt-get install --no-install-recommends {' '.join(missing)}")
    if not Path("/dev/net/tun").is_char_device():
        raise DemoError("/dev/net/tun is missing: load the kernel module `tun`, or give the container this device")


def require_binaries(folder):
    binaries = Binaries(folder / "mystd/mystd", folder / "myst/myst")
    for path in (binaries.daemon, binaries.console):
        if not os.access(path, os.X_OK):
            raise DemoError(f"{path} is missing: build it first (make demo does), or name its folder with --bin")
    return binaries


def demonstrate(options):
    """Runs the story; the last line is printed whatever happens. Returns the exit status."""
    from demo.story import Story

    require_system()
    binaries = require_binaries(options.bin.resolve())
    anvil = find_anvil(ROOT)
    topology.remove_abandoned(kept=False)
    story = Story(ROOT, binaries, anvil, options.mib)
    status = 1
    kept = False
    try:
        story.play()
        if options.keep:
            story.keep()
            kept = True
        else:
            story.close()
    except Interrupted as signal_arrived:
        story.break_off(f"interrupted by {signal_arrived}")
        status = 128 + signal_arrived.number
    except Exception as error:  # whatever happens, the network is removed and the last line printed
        story.break_off(error)
        if not isinstance(error, DemoError):
            traceback.print_exc()
    finally:
        try:
            SIGNALS.ignore()
        finally:  # also when a signal arrived on the way to this line
            if not kept:
                story.remove()
    story.summary()
    print(checks.result_line(story.ok(), story.figures), flush=True)
    return 0 if story.ok() else status


def main():
    options = arguments()
    SIGNALS.install()
    try:
        if options.self_test:
            return selftest.pure()
        if options.self_test_topology:
            require_system()
            return selftest.network()
        if options.self_test_interrupts:
            require_system()
            return selftest.interrupts(options.bin.resolve())
        if options.clean:
            require_system()
            topology.remove_abandoned(kept=True)
            return 0
        return demonstrate(options)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Interrupted as signal_arrived:
        print(f"demo: interrupted by {signal_arrived}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
