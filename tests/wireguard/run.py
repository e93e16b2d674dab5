#!/usr/bin/env python3
"""Our WireGuard beside wireguard-go: data between them, and what `wg` says of them (docs/wireguard.md).

Needs root; runs in namespaces of its own, so that nothing of it is left. The last line is
`wireguard: N passed, N failed, N skipped`. Names of tests after the options choose some of them. Logs are in
build/wireguard/logs.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

import run_tests  # noqa: E402
from demo.process import Process  # noqa: E402
from settings import LOGS, missing  # noqa: E402
from test_outcome import Outcome  # noqa: E402

SUITES = ["transfer_test", "wg_test", "program_test"]
LONG_SUITES = ["long_test"]
ISOLATED = "--isolated"


def isolate():
    """Continues in namespaces of its own, whose processes and networks end with it."""
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
               sys.executable, str(Path(__file__).resolve()), ISOLATED, *sys.argv[1:]]
    os.execvp(command[0], command)


def hide_the_machine():
    """Names of networks and sockets of `wg` are this run's own."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    for folder in ("/run/netns", "/run/wireguard"):
        Path(folder).mkdir()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


class Counted(unittest.TextTestResult):
    """Counts what passed, and says how long each test took."""

    passed = 0

    def startTest(self, test):
        self._begin = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.passed += 1
        self.stream.writeln(f"ok, {time.monotonic() - self._begin:.1f} s")


def run(suites, only):
    """Tests of these modules whose names contain one of the texts, or all."""
    loader = unittest.defaultTestLoader
    loader.testNamePatterns = [f"*{name}*" for name in only] or None
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Counted, descriptions=False)
    result = runner.run(loader.loadTestsFromNames(suites))
    bad = [str(test) for test, _ in result.failures + result.errors]
    return Outcome(result.passed, bad, [f"{test}: {reason}" for test, reason in result.skipped])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument(ISOLATED, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("only", nargs="*", help="parts of names of tests")
    options = parser.parse_args()
    reason = run_tests.no_namespaces() or missing("ours")
    if reason:
        print(f"SKIPPED {reason}\nwireguard: 0 passed, 0 failed, 1 skipped")
        return 0
    if not options.isolated:
        isolate()
    hide_the_machine()
    shutil.rmtree(LOGS, ignore_errors=True)
    try:
        outcome = run(SUITES + (LONG_SUITES if options.long else []), options.only)
    finally:
        Process.kill_all()
    for failure in outcome.failed:
        print(f"[FAIL] {re.sub(r'[^A-Za-z0-9]+', '_', failure)}(): {failure}")
    for skipped in outcome.skipped:
        print(f"SKIPPED {skipped}")
    print(f"wireguard: {outcome.counts()}", flush=True)
    return 1 if outcome.failed or outcome.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
