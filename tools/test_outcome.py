"""What the test runner counts, and how it reads the output of GoogleTest, CTest and Foundry."""

import re
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

COUNTS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$")
_GTEST_LINE = re.compile(r"\[ (?P<state>RUN     |      OK|  FAILED |  SKIPPED)\s*\] (?P<name>[\w/]+\.[\w/]+)")


@dataclass
class Outcome:
    """Counts of test cases, with the names of those that did not pass and why."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def total(self) -> int:
        return self.passed + len(self.failed) + len(self.skipped)

    def counts(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


@dataclass
class Finished:
    """How a command ended. `status` is negative for a signal; `text` is its output (also in `log`)."""

    status: int
    text: str
    log: Path
    timed_out: bool = False

    def ending(self) -> str:
        if self.timed_out:
            return "timed out"
        return f"killed by signal {-self.status}" if self.status < 0 else f"exit status {self.status}"


_CAUSE = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|: Failure$|Falsifiable|error:|^Traceback"
                    r"|^\[FAIL|^not ok")
EXCERPT_LINES = 15


def excerpt(log: Path) -> list[str]:
    """The lines of a log that most likely say why it failed: from the first that looks like a cause, or the last ones."""
    if not log.is_file():
        return []
    lines = log.read_text(errors="replace").splitlines()
    first = next((n for n, line in enumerate(lines) if _CAUSE.search(line)), max(0, len(lines) - EXCERPT_LINES))
    return [line[:300] for line in lines[first:first + EXCERPT_LINES]]


def single(name: str, run: Finished, skip_status: int | None = None) -> Outcome:
    """A command that is one test; with `skip_status` its last line says why it was skipped."""
    if run.timed_out:
        return Outcome(failed=[f"{name}: {run.ending()}; log {run.log}"])
    if run.status == 0:
        return Outcome(passed=1)
    if run.status == skip_status:
        last_line = (run.text.strip().splitlines() or ["no reason given"])[-1]
        return Outcome(skipped=[f"{name}: {last_line}"])
    return Outcome(failed=[f"{name}: {run.ending()}; log {run.log}"])


def ctest_program(name: str, run: Finished, report: Path, skip_status: int | None) -> Outcome:
    """A test program: its cases if it wrote a GoogleTest report or GoogleTest's output, otherwise one test."""
    if report.is_file() and not run.timed_out:
        return gtest_report(name, run, report)
    if _GTEST_LINE.search(run.text) or "[==========]" in run.text:
        return gtest_output(name, run)
    return single(name, run, skip_status)


def gtest_report(name: str, run: Finished, report: Path) -> Outcome:
    """The XML report of a GoogleTest program that ran to its end."""
    outcome = Outcome()
    for case in xml.parse(report).iter("testcase"):
        full_name = f"{name}: {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            outcome.failed.append(f"{full_name}; log {run.log}")
        elif skipped is not None:
            reason = (skipped.get("message") or "").strip().splitlines() or ["no reason given"]
            outcome.skipped.append(f"{full_name}: {reason[-1]}")
        elif case.get("status") != "run":
            outcome.skipped.append(f"{full_name}: disabled in the source")
        else:
            outcome.passed += 1
    if run.status != 0 and not outcome.failed:
        outcome.failed.append(f"{name}: {run.ending()} after its tests; log {run.log}")
    if outcome.total() == 0:
        outcome.failed.append(f"{name}: ran no test; log {run.log}")
    return outcome


def gtest_output(name: str, run: Finished) -> Outcome:
    """What a GoogleTest program printed before it crashed or hung; the case it was in has failed."""
    outcome = Outcome()
    running = None
    for match in _GTEST_LINE.finditer(run.text):
        state, case = match["state"].strip(), match["name"]
        if state == "RUN":
            running = case
            continue
        if case != running:
            continue  # the summary at the end names failures again
        running = None
        if state == "OK":
            outcome.passed += 1
        elif state == "FAILED":
            outcome.failed.append(f"{name}: {case}; log {run.log}")
        else:
            outcome.skipped.append(f"{name}: {case}: see {run.log}")
    outcome.failed.append(f"{name}: {run.ending()}{f' in {running}' if running else ''}; log {run.log}")
    return outcome


def counted(name: str, run: Finished) -> Outcome:
    """A suite whose last line says `… N passed, N failed, N skipped` (contracts, differential tests)."""
    lines = run.text.strip().splitlines()
    match = COUNTS.search(lines[-1]) if lines else None
    if match is None:
        return Outcome(failed=[f"{name}: no counts in its last line, {run.ending()}; log {run.log}"])
    passed, failed, skipped = (int(count) for count in match.groups())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", run.text)
    failures = list(dict.fromkeys(re.findall(r"^\s*\[FAIL[^\n]*?\] (\w+)\(", plain, re.MULTILINE)))
    skips = list(dict.fromkeys(re.findall(r"^\s*\[SKIP[^\n]*?\] \w+\(|^SKIPPED\b[^\n]*", plain, re.MULTILINE)))
    outcome = Outcome(passed=passed)
    outcome.failed = [f"{name}: {failures[i] if i < len(failures) else 'a test'}; log {run.log}" for i in range(failed)]
    outcome.skipped = [f"{name}: {skips[i].strip() if i < len(skips) else f'see {run.log}'}" for i in range(skipped)]
    if run.status != 0 and not outcome.failed:
        outcome.failed.append(f"{name}: {run.ending()} although no test failed; log {run.log}")
    if outcome.total() == 0:
        outcome.failed.append(f"{name}: ran no test; log {run.log}")
    return outcome
