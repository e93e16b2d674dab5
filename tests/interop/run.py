#!/usr/bin/env python3
"""Our relay, client and daemon together with other implementations (docs/records.md, "Works with").

The last line is `interop: N passed, N failed, N skipped`. Logs are in build/interop/logs.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from packages import FOLDER, ROOT

sys.path.insert(0, str(ROOT / "tools"))

import run_command  # noqa: E402
import test_outcome  # noqa: E402
from test_outcome import Outcome  # noqa: E402

HERE = Path(__file__).resolve().parent
LOGS = ROOT / "build/interop/logs"
TARGETS = ("myst_interop_relay", "myst_interop_test", "myst_differential", "mystd", "myst")


def build():
    """Builds the programs with the first configured preset; returns its folder."""
    preset = next((name for name in ("release", "asan", "dev") if (ROOT / f"build/{name}/build.ninja").exists()), "release")
    subprocess.run([ROOT / "tools/build.sh", preset, *TARGETS], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / preset


def nostr_tools(programs):
    """A JavaScript client of our relay."""
    if not (HERE / "node_modules/nostr-tools").is_dir():
        return Outcome(skipped=["nostr-tools is not installed: run tools/install.sh"])
    command = ["node", HERE / "nostr_tools.mjs", programs / "tests/interop/myst_interop_relay",
               programs / "tests/differential/myst_differential"]
    run = run_command.run_command([str(part) for part in command], LOGS / "nostr-tools.log", timeout=300, cwd=ROOT)
    return test_outcome.counted("nostr-tools", run)


def foreign_relay(programs):
    """Our client and full node against a foreign relay."""
    report = LOGS / "foreign-relay.xml"
    environment = {"MYST_FOREIGN_RELAY": str(HERE / "foreign_relay.py"), "GTEST_OUTPUT": f"xml:{report}"}
    run = run_command.run_command([str(programs / "tests/interop/myst_interop_test")], LOGS / "foreign-relay-test.log",
                                  timeout=300, cwd=ROOT, env=environment, quiet=True)
    return test_outcome.ctest_program("foreign relay", run, report, None)


def python_tests(programs):
    """A foreign client of our relay, and two daemons that live off a foreign relay."""
    os.environ["MYST_INTEROP_RELAY"] = str(programs / "tests/interop/myst_interop_relay")
    os.environ["MYST_PROGRAMS"] = str(programs / "cmd")
    tests = unittest.defaultTestLoader.loadTestsFromNames(["nostr_sdk_test", "two_nodes_test"])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    bad = [str(test) for test, _ in result.failures + result.errors]
    skipped = [f"{test}: {reason}" for test, reason in result.skipped]
    return Outcome(result.testsRun - len(bad) - len(skipped), bad, skipped)


def main():
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    outcome = Outcome()
    programs = build()
    outcome.add(nostr_tools(programs))
    if (FOLDER / "nostr_sdk").is_dir():
        outcome.add(foreign_relay(programs))
        outcome.add(python_tests(programs))
    else:
        outcome.skipped.append("the independent relay is not installed: run tools/install.sh")
    for failure in outcome.failed:
        name = re.sub(r"\W+", "_", failure.partition(";")[0])  # as test_outcome.counted reads it
        print(f"[FAIL] {name}(): {failure}")
    for skipped in outcome.skipped:
        print(f"SKIPPED {skipped}")
    print(f"interop: {outcome.counts()}", flush=True)
    return 1 if outcome.failed or outcome.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
