#!/usr/bin/env python3
"""Builds and runs every test of the project; the last line is `N passed, N failed, N skipped`.

A suite that is missing, crashes, hangs or runs no test has failed. Logs are in build/test-logs/.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cpp_source
import ctest_file
import run_command
import static_checks
import test_outcome
from test_outcome import Finished, Outcome

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build/test-logs"
JOBS = int(os.environ.get("MYST_JOBS") or os.cpu_count() or 1)
BUILD_TIMEOUT = 3600.0
INTERFACE_LAYERS = {"ports"}  # nothing in them to test
LONG_ENVIRONMENT = {
    "RC_PARAMS": "max_success=20000",
    "FOUNDRY_FUZZ_RUNS": "20000",
    "FOUNDRY_INVARIANT_RUNS": "1000",
    "MYST_SIMULATION_SEEDS": "100000",
    "MYST_SCALE_NODES": "1000",
    "MYST_FUZZ_RUNS": "100000",  # of each target
    "MYST_KILLS": "1000",
    "MYST_POWER_CUTS": "1000",
    "MYST_FLIPS": "2000",
    "MYST_HOSTILE_MESSAGES": "1000000",
    "MYST_FAULT_INJECTIONS": "100",  # of each class of faults of an RPC endpoint
    "MYST_OUTBOX_ROUNDS": "100",  # of stuck, dropped, reorganised and stolen transactions
    "MYST_PAYMENT_FAULT_SEEDS": "500",
    "MYST_REORG_ROUNDS": "10",  # over all depths
    "MYST_WIREGUARD_PEERS": "65536",
    "MYST_TIMEOUT_FACTOR": "20",  # on what a test may take
}
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclass
class Preset:
    """A CMake preset, the tests to run from it, and further targets to build."""

    name: str
    wants: Callable[[ctest_file.Test], bool]
    targets: list[str] = field(default_factory=list)


# Built in the release preset besides its tests.
PROGRAMS = ["mystd", "myst", "bench_aead", "bench_db", "bench_metering", "bench_network", "bench_pay", "bench_peers",
            "bench_relay", "bench_scale", "bench_stores", "bench_tunnel_end", "myst_interop_relay", "myst_interop_test"]
THREADED = {"runtime", "chain", "db", "ledger", "wireguard_meter", "dataplane_thread"}  # suites whose code runs on several threads


def presets(long: bool) -> list[Preset]:
    """Unit tests run under the sanitizers, what needs the machine in the release build; a long run does more of both."""
    of_release = {"integration", "unit"} if long else {"integration"}
    return [
        Preset("asan", lambda test: "unit" in test.labels(), ["myst_header_check"] if long else []),
        Preset("tsan", lambda test: test.name in THREADED),
        Preset("release", lambda test: bool(test.labels() & of_release), PROGRAMS),
    ]


class Report:
    """Prints what each stage did and adds it up."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.sum = Outcome()

    def stage(self, name: str, work: Callable[[], Outcome]) -> None:
        begin = time.monotonic()
        print(f"[{run_command.duration(begin - self.start):>6}] {name}", flush=True)
        outcome = work()
        self.sum.add(outcome)
        for failure in outcome.failed:
            print(f"    FAILED {failure}")
        for log in sorted({failure.rpartition("; log ")[2] for failure in outcome.failed if "; log " in failure}):
            print("\n".join(f"      | {line}" for line in test_outcome.excerpt(Path(log))))
        took = run_command.duration(time.monotonic() - begin)
        print(f"    {took}" + (f", {outcome.counts()}" if outcome.total() else ""), flush=True)

    def finish(self) -> int:
        if self.sum.skipped:
            print("\nSkipped:")
            print("\n".join(f"  {skipped}" for skipped in self.sum.skipped))
        if self.sum.failed:
            print("\nFailed:")
            print("\n".join(f"  {failed}" for failed in self.sum.failed))
        print(f"\nall stages: {run_command.duration(time.monotonic() - self.start)}")
        print(self.sum.counts(), flush=True)
        return 1 if self.sum.failed or self.sum.passed == 0 else 0


def lint() -> Outcome:
    """The checks that need no build."""
    outcome = Outcome()
    for check in static_checks.CHECKS:
        run = run_command.run_command(check.command, LOGS / "lint" / f"{check.name}.log", timeout=300, cwd=ROOT)
        outcome.add(test_outcome.single(check.name, run))
    return outcome


def tidy(all_files: bool) -> Outcome:
    """clang-tidy; needs a configured build folder."""
    outcome = Outcome()
    arguments = ["--all"] if all_files else ["--changed", "--seconds", "90"]
    run = run_command.run_command([str(ROOT / "tools/clang_tidy.py"), *arguments], LOGS / "lint/clang-tidy.log",
                                  timeout=BUILD_TIMEOUT, cwd=ROOT)
    outcome.add(test_outcome.single("clang-tidy", run, skip_status=77))
    return outcome


def script(name: str, command: str, judge: Callable[[str, Finished], Outcome], timeout: float) -> Outcome:
    """A suite that is a script of the project, with its arguments."""
    path, *arguments = command.split()
    if not os.access(ROOT / path, os.X_OK):
        return Outcome(failed=[f"{name}: {path} is missing or not executable"])
    run = run_command.run_command([str(ROOT / path), *arguments], LOGS / f"{name}.log", timeout=timeout, cwd=ROOT)
    return judge(name, run)


def configure(preset: Preset) -> Outcome:
    log = LOGS / preset.name / "configure.log"
    run = run_command.run_command(["cmake", "--preset", preset.name], log, timeout=600, cwd=ROOT)
    return Outcome() if run.status == 0 else test_outcome.single(f"{preset.name}: configure", run)


def build(preset: Preset) -> Outcome:
    """Builds the programs of the preset's tests and its further targets; a success is not counted."""
    folder = ROOT / "build" / preset.name
    programs = [Path(test.command[0]) for test in wanted_tests(preset)]
    targets = [str(path.relative_to(folder)) for path in programs if path.is_relative_to(folder)]
    command = [str(ROOT / "tools/build.sh"), preset.name, *preset.targets, *dict.fromkeys(targets)]
    run = run_command.run_command(command, LOGS / preset.name / "build.log", timeout=BUILD_TIMEOUT, cwd=ROOT)
    return Outcome() if run.status == 0 else test_outcome.single(f"{preset.name}: build", run)


def wanted_tests(preset: Preset) -> list[ctest_file.Test]:
    return [test for test in ctest_file.read_tests(ROOT / "build" / preset.name) if preset.wants(test)]


def run_preset(preset: Preset) -> Outcome:
    """Runs the preset's tests: unit tests side by side, the others, which share the machine, one by one."""
    tests = wanted_tests(preset)
    outcome = Outcome()
    parallel = [test for test in tests if "unit" in test.labels() and "RUN_SERIAL" not in test.properties]
    with ThreadPoolExecutor(JOBS) as pool:
        for result in pool.map(lambda test: run_test(preset.name, test), parallel):
            outcome.add(result)
    for test in tests:
        if test not in parallel:
            outcome.add(run_test(preset.name, test))
    if not tests:
        outcome.failed.append(f"{preset.name}: no tests found")
    return outcome


def run_test(preset: str, test: ctest_file.Test) -> Outcome:
    name = f"{preset}/{test.name}"
    if not os.access(test.command[0], os.X_OK):
        return Outcome(failed=[f"{name}: {test.command[0]} was not built"])
    report = LOGS / preset / f"{test.name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    environment = SANITIZER_ENVIRONMENT | test.environment() | {"GTEST_OUTPUT": f"xml:{report}"}
    run = run_command.run_command([*fixed_addresses(preset), *test.command], LOGS / preset / f"{test.name}.log",
                                  timeout=test.timeout() * float(os.environ.get("MYST_TIMEOUT_FACTOR", "1")),
                                  cwd=test.working_directory(), env=environment, quiet=True)
    return test_outcome.ctest_program(name, run, report, test.skip_status())


def fixed_addresses(preset: str) -> list[str]:
    """The sanitizers cannot place their shadow memory under newer kernels' wide address randomisation."""
    without = ["setarch", "-R"]
    if preset == "release" or subprocess.run([*without, "true"], capture_output=True, check=False).returncode != 0:
        return []
    return without


def suites_present() -> Outcome:
    """Every layer has unit tests that CMake knows, and every source file is part of the build."""
    outcome = Outcome()
    tests = [test.name for test in ctest_file.read_tests(ROOT / "build/asan") if "unit" in test.labels()]
    names = {name.partition("_")[0] for name in tests}  # a part of a layer has a library, <layer>_<part>
    for folder in sorted((ROOT / "src/myst").iterdir()):
        if folder.is_dir() and folder.name not in INTERFACE_LAYERS | names:
            outcome.failed.append(f"layer {folder.name} has no unit tests in CMake")
    database = ROOT / "build/asan/compile_commands.json"
    compiled = {entry["file"] for entry in json.loads(database.read_text())} if database.is_file() else set()
    for path in cpp_source.source_files(ROOT):
        if path.suffix == ".cpp" and str(path) not in compiled:
            outcome.failed.append(f"{path.relative_to(ROOT)} is not compiled by any target")
    if not outcome.failed:
        outcome.passed = 1
    return outcome


def demo() -> Outcome:
    """The demo as an end-to-end test; its checks are its own."""
    reason = no_namespaces()
    if reason:
        return Outcome(skipped=[f"demo: {reason}"])
    outcome = script("demo-network", "tools/demo.py --self-test-topology", test_outcome.single, 300)
    outcome.add(script("demo", "tools/demo.py", judge_demo, 900))
    return outcome


def network() -> Outcome:
    """Replication between real daemons; needs the release build."""
    reason = no_namespaces()
    if reason:
        return Outcome(skipped=[f"network: {reason}"])
    return script("network", "tools/network.py", test_outcome.counted, 300)


def wireguard(long: bool) -> Outcome:
    """Our WireGuard beside wireguard-go; needs the release build."""
    reason = no_namespaces()
    if reason:
        return Outcome(skipped=[f"wireguard: {reason}"])
    command = "tests/wireguard/run.py" + (" --long" if long else "")
    return script("wireguard", command, test_outcome.counted, 3600 if long else 600)


def judge_demo(name: str, run: Finished) -> Outcome:
    if run.status == 0 and not run.timed_out:
        lines = run.text.strip().splitlines()
        try:
            if json.loads(lines[-1])["ok"] is True:
                return Outcome(passed=1)
        except (IndexError, KeyError, TypeError, ValueError):
            pass
        return Outcome(failed=[f"{name}: its last line is not a JSON object with \"ok\": true; log {run.log}"])
    return test_outcome.single(name, run)


def no_namespaces() -> str:
    """Why this machine cannot run the network in namespaces; empty if it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        return "may not create network namespaces"
    return ""


def stages(report: Report, wanted: set[str], *, long: bool, all_files: bool) -> None:
    """Every stage of the groups asked for, in order."""
    if wanted & {"contracts", "interop", "demo"}:
        report.stage("contracts: build", lambda: script("contracts-build", "contracts/build.sh", build_only, 600))
    if "contracts" in wanted:
        report.stage("contracts: forge tests",
                     lambda: script("contracts", "contracts/test.sh", test_outcome.counted, 7200 if long else 1800))
    if "lint" in wanted:
        report.stage("lint", lint)
    # Unit tests wait more than they compute: they run beside the build of the next preset.
    under_way: list[tuple[str, Future[Outcome]]] = []

    def finish_tests() -> None:
        for name, tests in under_way:
            report.stage(f"{name}: tests", tests.result)
        under_way.clear()

    with ThreadPoolExecutor(1) as beside:
        for preset in presets(long):
            if preset.name in wanted or (preset.name == "asan" and "tidy" in wanted):
                report.stage(f"{preset.name}: configure", lambda: configure(preset))
            if preset.name == "asan" and "tidy" in wanted:
                report.stage("tidy", lambda: tidy(all_files))
            if preset.name in wanted:
                if preset.name == "asan":
                    report.stage("asan: all suites present", suites_present)
                report.stage(f"{preset.name}: build", lambda: build(preset))
                finish_tests()
                under_way.append((preset.name, beside.submit(run_preset, preset)))
                if "integration" in {label for test in wanted_tests(preset) for label in test.labels()}:
                    finish_tests()  # these share the machine with nothing
        finish_tests()
    if "differential" in wanted:
        command = "tests/differential/run.sh" + (" --count 20000" if long else "")
        report.stage("differential", lambda: script("differential", command, test_outcome.counted, 3600))
    if "interop" in wanted:
        report.stage("interop", lambda: script("interop", "tests/interop/run.py", test_outcome.counted, 900))
    if "wireguard" in wanted:
        report.stage("wireguard", lambda: wireguard(long))
    if "network" in wanted:
        report.stage("network", network)
    if "demo" in wanted:
        report.stage("demo", demo)


def build_only(name: str, run: Finished) -> Outcome:
    return Outcome() if run.status == 0 else test_outcome.single(name, run)


GROUPS = ("contracts", "lint", "tidy", "asan", "tsan", "release", "differential", "interop", "wireguard", "network",
          "demo")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, help="groups of stages to run")
    parser.add_argument("--long", action="store_true", help="many more random cases")
    parser.add_argument("--all-files", action="store_true", help="clang-tidy on every file, not only on changed ones")
    options = parser.parse_args()
    if options.long:
        for name, value in LONG_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    shutil.rmtree(LOGS, ignore_errors=True)
    report = Report()
    stages(report, set(options.only), long=options.long, all_files=options.all_files or options.long)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
