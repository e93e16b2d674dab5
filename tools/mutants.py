#!/usr/bin/env python3
"""Plants each bug of tests/mutants in a copy of the tree, and looks whether the test it names notices.

  tools/mutants.py            all of them; half an hour the first time, since the copy is built
  tools/mutants.py 06 19      only these

A patch begins with three lines: what is broken, which test program must notice, and with which of its tests. The
copy and its build folder are in build/mutants; nothing else is changed. Logs are in build/mutants/logs. The exit
status is 1 if more than one bug goes unnoticed.
"""

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cpp_source
import ctest_file
import run_command
from run_tests import SANITIZER_ENVIRONMENT, fixed_addresses
from test_outcome import Finished

ROOT = Path(__file__).resolve().parent.parent
PATCHES = "tests/mutants"
WORK = ROOT / "build/mutants"
TREE = WORK / "tree"
BUILD = TREE / "build/asan"
BUILD_TIMEOUT = 3600.0
TEST_TIMEOUT = 600.0
MISSES_ALLOWED = 1


@dataclass
class Mutant:
    """One patch and what its header says."""

    path: Path
    what: str
    target: str
    filter: str

    @staticmethod
    def load(path: Path) -> "Mutant":
        header = dict(line.split(": ", 1) for line in path.read_text().splitlines()[:3] if ": " in line)
        if set(header) != {"What", "Target", "Filter"}:
            raise ValueError(f"{path.name}: the first three lines are What, Target and Filter")
        return Mutant(path, header["What"], header["Target"], header["Filter"])

    @property
    def number(self) -> str:
        return self.path.name.split("-")[0]

    def files(self) -> list[str]:
        return re.findall(r"^\+\+\+ b/(\S+)$", self.path.read_text(), re.MULTILINE)


def load_all(root: Path) -> list[Mutant]:
    return [Mutant.load(path) for path in sorted((root / PATCHES).glob("*.patch"))]


def findings(root: Path) -> list[str]:
    """What is wrong with the patches, without building anything: they must apply, and name tests that exist."""
    tests = {f"{suite}.{name}" for path in cpp_source.source_files(root) if path.stem.endswith("_test")
             for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.MULTILINE)}
    found = []
    for mutant in load_all(root):
        check = subprocess.run(["git", "apply", "--check", str(mutant.path)], cwd=root, capture_output=True, text=True,
                               check=False)
        if check.returncode != 0:
            found.append(f"{mutant.path.name} does not apply: {check.stderr.strip()}")
        if not any(fnmatch.fnmatchcase(test, mutant.filter) for test in tests):
            found.append(f"{mutant.path.name}: no test is called {mutant.filter}")
    return found


def copy_tree() -> None:
    """Brings the copy up to date; files that are the same keep their times, so that little is built."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.split("\0")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for path in [path for path in TREE.rglob("*") if path.is_file() and not path.is_relative_to(TREE / "build")]:
        if str(path.relative_to(TREE)) not in names:
            path.unlink()
    for name in sorted(names):
        copy = TREE / name
        if not copy.is_file() or copy.read_bytes() != (ROOT / name).read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)


def build(target: str, log: str) -> bool:
    environment = {"CCACHE_SLOPPINESS": "pch_defines,time_macros", "CCACHE_DEPEND": "1",
                   "CCACHE_BASEDIR": str(TREE), "CCACHE_NOHASHDIR": "1"}
    jobs = os.environ.get("MYST_JOBS") or str(os.cpu_count() or 1)
    command = ["cmake", "--build", str(BUILD), "--parallel", jobs, "--target", target]
    return run_command.run_command(command, WORK / "logs" / f"{log}.log", timeout=BUILD_TIMEOUT, cwd=TREE,
                                   env=environment, quiet=True).status == 0


def run_test(mutant: Mutant, log: str) -> Finished:
    programs = {Path(test.command[0]).name: test.command[0] for test in ctest_file.read_tests(BUILD)}
    command = [*fixed_addresses("asan"), programs[mutant.target], f"--gtest_filter={mutant.filter}"]
    return run_command.run_command(command, WORK / "logs" / f"{log}.log", timeout=TEST_TIMEOUT, cwd=TREE,
                                   env=SANITIZER_ENVIRONMENT, quiet=True)


def passes(run: Finished) -> bool:
    """Whether tests ran and none failed."""
    return run.status == 0 and re.search(r"^\[  PASSED  \] [1-9]", run.text, re.MULTILINE) is not None


def what_noticed(run: Finished) -> str | None:
    """The test that failed, or how the program ended; none if it did not notice."""
    if passes(run):
        return None
    failed = re.search(r"^\[  FAILED  \] (\S+?)(?:,| )", run.text, re.MULTILINE)
    if failed:
        return failed.group(1)
    started = re.findall(r"^\[ RUN      \] (\S+)", run.text, re.MULTILINE)
    how = "hangs" if run.timed_out else "ends the program"
    return f"{started[-1]} {how}" if started else None


def plant(mutant: Mutant) -> None:
    # The copy lies inside the project's own work tree, which git must not take for the one to patch.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(WORK)}
    subprocess.run(["git", "apply", str(mutant.path)], cwd=TREE, check=True, env=environment)


def examine(mutant: Mutant) -> str | None:
    """Which test noticed; none if no test did."""
    plant(mutant)
    try:
        log = mutant.path.stem
        if not build(mutant.target, f"{log}-build"):
            print(f"    {mutant.path.name} does not compile; log {WORK / 'logs' / log}-build.log")
            return None
        return what_noticed(run_test(mutant, log))
    finally:
        for name in mutant.files():
            shutil.copyfile(ROOT / name, TREE / name)


def prepare(mutants: list[Mutant]) -> list[str]:
    """Builds the copy, and sees that the tests pass as long as no bug is planted."""
    copy_tree()
    shutil.rmtree(WORK / "logs", ignore_errors=True)
    configured = run_command.run_command(["cmake", "--preset", "asan"], WORK / "logs/configure.log", timeout=600,
                                         cwd=TREE, quiet=True)
    if configured.status != 0:
        return [f"the copy cannot be configured; log {configured.log}"]
    problems = []
    for target in sorted({mutant.target for mutant in mutants}):
        print(f"building {target}", flush=True)
        if not build(target, target):
            problems.append(f"{target} cannot be built; log {WORK / 'logs' / target}.log")
    if problems:
        return problems
    for name in sorted({(mutant.target, mutant.filter) for mutant in mutants}):
        mutant = next(each for each in mutants if (each.target, each.filter) == name)
        run = run_test(mutant, f"{mutant.path.stem}-before")
        if not passes(run):
            problems.append(f"{mutant.target} {mutant.filter} fails without a planted bug; log {run.log}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", help="numbers of patches; default: all")
    options = parser.parse_args()
    mutants = [mutant for mutant in load_all(ROOT) if not options.numbers or mutant.number in options.numbers]
    problems = (findings(ROOT) or prepare(mutants)) if mutants else ["no such patch"]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 2
    caught = 0
    for mutant in mutants:
        noticed = examine(mutant)
        caught += noticed is not None
        print(f"{mutant.path.stem:<32} {'caught by ' + noticed if noticed else 'NOT CAUGHT: ' + mutant.what}", flush=True)
    print(f"{caught} of {len(mutants)} caught")
    return 0 if caught >= len(mutants) - MISSES_ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
