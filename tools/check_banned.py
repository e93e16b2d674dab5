#!/usr/bin/env python3
"""Looks for patterns that the project does not use; each rule says why, and where it does not apply.

Exit status 1 and one line per finding if something is wrong. What to do is in the rule's reason.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cpp_source

ROOT = Path(__file__).resolve().parent.parent
LEFT_OVERS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
TWICE = "inside a co_await expression, which GCC 12 may destroy twice; give it a name before"
TEXT_FOLDERS = (*cpp_source.SOURCE_FOLDERS, "cmake", "contracts", "docs", "tools", ".ci")
TEXT_SUFFIXES = {".cpp", ".hpp", ".cmake", ".js", ".json", ".md", ".mjs", ".py", ".sh", ".sol", ".toml", ".txt"}
SKIPPED_FOLDERS = {"node_modules", "out", "cache", "build", "vectors", "__pycache__"}


@dataclass
class Rule:
    """A regular expression that must not match the code (comments and literals blanked) of the files it covers."""

    pattern: str
    reason: str
    covers: Callable[[Path, bool], bool]  # of the path, and whether it is test code


def everywhere(_path: Path, _test: bool) -> bool:
    return True


def outside_runtime(path: Path, _test: bool) -> bool:
    return path.parts[:3] != ("src", "myst", "runtime")


def header(path: Path, _test: bool) -> bool:
    return path.suffix == ".hpp"


def money(path: Path, _test: bool) -> bool:
    """Code that computes with amounts or puts them on the wire."""
    layer = path.parts[2] if path.parts[:2] == ("src", "myst") else ""
    return layer in ("chain", "codec", "ledger", "pay") or (layer == "base" and path.stem.startswith("amount"))


RULES = [
    Rule(r"\bdetached\b", "a task nobody owns; give it to a TaskGroup", outside_runtime),
    Rule(r"\bco_spawn\b", "raw co_spawn; use TaskGroup::spawn, with_timeout or WorkerPool::run",
         lambda path, test: outside_runtime(path, test) and not test),
    Rule(r"\bthis_thread\s*::\s*sleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\(",
         "a blocking sleep; wait for the condition itself (EventSignal, a future, a deadline)", everywhere),
    Rule(r"\b(?:double|float)\b", "floating point where money is handled; use Amount or integers", money),
    Rule(r"\busing\s+namespace\b", "using namespace in a header reaches everyone who includes it", header),
    Rule(r"\busing\s+namespace\s+(?!std::(?:\w+_)?literals\b|std::(?:chrono|literals)::)(?:std|boost|asio|testing)\b",
         "a whole foreign namespace; name what is used", everywhere),
    Rule(r"(?<![\w.>])assert\s*\(|<cassert>|<assert\.h>",
         "vanishes in release builds; CHECK for our own promises, Result for input", everywhere),
    Rule(r"(?<![\w.>:])(?:(?:std)?::\s*)?(?:system|popen)\s*\(", "a shell; use the system interface, or ChildProcess",
         everywhere),
    Rule(r"\bsource_location\b|#\s*include\s*<ranges>|\bstd::(?:ranges::)?views::",
         "clang cannot read these of GCC 12's library; write a loop", everywhere),
    Rule(r"\bstd::(?:rand|srand)\b|(?<![\w.>:])s?rand\s*\(", "not random; use the injected Rng", everywhere),
]


def line_findings(path: Path, code: str, test: bool) -> Iterator[tuple[int, str]]:
    """Position and reason of every match of a rule."""
    for rule in RULES:
        if rule.covers(path, test):
            for match in re.finditer(rule.pattern, code):
                yield match.start(), f"{match.group(0).strip()}: {rule.reason}"


def closing(code: str, start: int, opening: str, end: str) -> int:
    """Position behind the bracket that closes the one at `start`; -1 if none does."""
    depth = 0
    for i in range(start, len(code)):
        if code[i] == opening:
            depth += 1
        elif code[i] == end and code[i - 1] != "-":
            depth -= 1
            if depth == 0:
                return i + 1
    return -1


def ignorable_results(path: Path, code: str, test: bool) -> Iterator[tuple[int, str]]:
    """Functions in headers that return a Result without [[nodiscard]]; an override needs its own."""
    if path.suffix != ".hpp" or test:
        return
    for match in re.finditer(r"(?<![\w<:])(?:(?:myst::)?Task<\s*)?(?:myst::)?Result(<)", code):
        behind = closing(code, match.start(1), "<", ">")
        if behind < 0:
            continue
        name = re.match(r"[\s>&]*((?:\w+::)*(?:~?\w+|operator\s*\S+?))\s*\(", code[behind:])
        begin = max(code.rfind(mark, 0, match.start()) for mark in ";{}") + 1
        before = code[begin:match.start()]
        inside = re.search(r"[=(,]|\b(?:return|using|friend)\b", strip_labels(before))
        if name and "nodiscard" not in before and not inside:
            yield match.start(), f"{name.group(1)} returns a Result without [[nodiscard]]"


def strip_labels(declaration: str) -> str:
    """Without `template <…>` and attributes, whose commas and brackets mean nothing here."""
    return re.sub(r"template\s*<[^;{}]*?>\s*(?=\w|\[|$)|\[\[.*?\]\]", " ", declaration, flags=re.DOTALL)


def awaited_expression(code: str, start: int) -> str:
    """What a co_await at `start` waits for: to the end of its statement or the bracket around it."""
    depth = 0
    for i in range(start, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and code[i] == ";"):
            return code[start:i]
    return code[start:]


def fragile_awaits(code: str) -> Iterator[tuple[int, str]]:
    """Temporaries that GCC 12 destroys twice when they stand in a co_await expression."""
    for match in re.finditer(r"\bco_await\b", code):
        expression = awaited_expression(code, match.end())
        captures = re.findall(r"(?<![\w)\]\[])\[(?!\[)([^\]]*)\]\s*(?:[({]|mutable\b)", expression)
        if any(not re.fullmatch(r"&\w*|this|", item.strip()) for list_ in captures for item in list_.split(",")):
            yield match.start(), f"a lambda that captures by value, {TWICE}"
        elif re.search(r"\bfmt::format\s*\(", expression):
            yield match.start(), f"fmt::format {TWICE}"
        elif re.search(r"\b[A-Z]\w*(?:<[^;(){}]*>)?\{[^}\s]|[(,]\s*\{[^}\s]", expression):
            yield match.start(), f"a braced temporary {TWICE}"


def conditional_awaits(code: str) -> Iterator[tuple[int, str]]:
    """co_await as an operand of ?:, whose result GCC 12 destroys twice."""
    as_condition = [match.start() for match in re.finditer(r"\bco_await\b", code)
                    if "?" in outside_brackets(awaited_expression(code, match.end()))]
    as_choice = [match.start() for match in re.finditer(r"\?[^;{}?]*\bco_await\b", code)]
    for position in as_condition + as_choice:
        yield position, "co_await in a conditional expression, which GCC 12 destroys twice; write if and else"


def outside_brackets(code: str) -> str:
    """The text without anything in brackets."""
    before = None
    while before != code:
        before, code = code, re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", code)
    return code


def check_source(path: Path, text: str, *, test: bool) -> list[str]:
    """Findings in one C++ file; `path` is relative to the project."""
    code = cpp_source.strip(text)
    found = [*line_findings(path, code, test), *ignorable_results(path, code, test), *fragile_awaits(code),
             *conditional_awaits(code)]
    return [f"{path}:{cpp_source.line_of(code, position)}: {what}" for position, what in sorted(found)]


def text_files(root: Path) -> Iterator[Path]:
    """Everything people write, for the search for left-overs."""
    for folder in TEXT_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            if path.suffix in TEXT_SUFFIXES and path.is_file() and not SKIPPED_FOLDERS & set(relative.parts):
                yield path


def check(root: Path) -> list[str]:
    """Everything; an empty list means the tree is in order."""
    findings = []
    tests = cpp_source.test_files(root)
    for path in cpp_source.source_files(root):
        relative = path.relative_to(root)
        findings += check_source(relative, path.read_text(), test=relative in tests)
    for path in text_files(root):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            for word in LEFT_OVERS.findall(line):
                where = f"{path.relative_to(root)}:{number}"
                findings.append(f"{where}: {word}: finish it, or write it into docs/known-issues.md")
    return findings


def main() -> int:
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    print(f"banned patterns: {len(findings)} findings" if findings else "banned patterns: none")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
