#!/usr/bin/env python3
"""Compares every #include of the project with the layer table in tools/layers.toml.

  tools/check_layers.py                 check; exit status 1 and one line per finding if something is wrong
  tools/check_layers.py --graph         print the layer graph as Mermaid
  tools/check_layers.py --update-docs   write the graph into docs/architecture.md
"""

import argparse
import re
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import cpp_source

ROOT = Path(__file__).resolve().parent.parent
TABLE_FILE = "tools/layers.toml"
GRAPH_FILE = "docs/architecture.md"
GRAPH_BEGIN = "<!-- layer graph: written by tools/check_layers.py --update-docs -->"
GRAPH_END = "<!-- end of layer graph -->"
PRIVATE_PART = re.compile(r"(?:\b(\w+)::)(?:\w+::)*detail\b")
TEST_FOLDERS = ("tests", "bench")
OTHER_LIBRARIES = {"CLI", "asio", "beast", "boost", "fmt", "json", "rc", "spdlog", "std", "testing", "tl", "toml"}


@dataclass
class Table:
    """tools/layers.toml."""

    order: list[list[str]]
    edges: dict[str, list[str]]
    test_edges: dict[str, list[str]]
    programs: dict[str, list[str]]
    pure: dict[str, list[str]] = field(default_factory=lambda: {"layers": [], "forbidden": []})
    only_in: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def load(path: Path) -> "Table":
        return Table(**tomllib.loads(path.read_text()))

    def rank(self, layer: str) -> int:
        return next(i for i, siblings in enumerate(self.order) if layer in siblings)

    def layers(self) -> list[str]:
        return [layer for siblings in self.order for layer in siblings]


def check_table(table: Table) -> list[str]:
    """The table itself: every layer once, every edge strictly downward."""
    findings = []
    layers = table.layers()
    for name in sorted(set(layers) ^ set(table.edges)):
        findings.append(f"{TABLE_FILE}: layer {name} stands in only one of `order` and `edges`")
    for section, lists in (("edges", table.edges), ("test_edges", table.test_edges), ("programs", table.programs)):
        for source, targets in lists.items():
            for target in targets:
                if target not in layers:
                    findings.append(f"{TABLE_FILE}: {section}.{source} lists {target}, which is not a layer")
                elif source in layers and table.rank(target) >= table.rank(source):
                    findings.append(f"{TABLE_FILE}: {section}.{source} lists {target}, which is not below it")
    return findings


class Scan:
    """Walks the sources once, collecting the edges in use and whatever else is wrong with an include."""

    def __init__(self, root: Path, table: Table) -> None:
        self.root = root
        self.table = table
        self.tests = cpp_source.test_files(root)
        self.findings: list[str] = []
        self.used: dict[tuple[str, bool], set[str]] = defaultdict(set)  # (owner, in a test) → layers
        self.seen_only_in: set[str] = set()

    def run(self) -> None:
        for path in cpp_source.source_files(self.root):
            self._file(path.relative_to(self.root), path.read_text())

    def owner_of(self, relative: Path) -> str | None:
        """Layer or program that a file belongs to."""
        parts = relative.parts
        if parts[:2] == ("src", "myst") and len(parts) > 3:
            return parts[2] if parts[2] in self.table.edges else None
        name = "/".join(parts[:2]) if parts[0] == "cmd" else parts[0]
        return name if name in self.table.programs else None

    def _file(self, relative: Path, text: str) -> None:
        owner = self.owner_of(relative)
        if owner is None:
            self.findings.append(f"{relative}: belongs to no layer or program of tools/layers.toml; move or list it")
            return
        if relative.suffix == ".hpp" and not re.search(r"^#pragma once$", text, re.MULTILINE):
            self.findings.append(f"{relative}: header without #pragma once")
        for line, path, quoted in cpp_source.includes(text):
            self._include(relative, owner, line, path, quoted)
        self._private_parts(relative, owner, cpp_source.strip(text))

    def _private_parts(self, relative: Path, owner: str, code: str) -> None:
        strangers = OTHER_LIBRARIES | set(self.table.edges) - {owner}
        for match in PRIVATE_PART.finditer(code):
            names = match.group(0).split("::")
            if (names[1] if names[0] == "myst" else names[0]) in strangers:
                line = cpp_source.line_of(code, match.start())
                self.findings.append(f"{relative}:{line}: uses {match.group(0)}, another library's private part")

    def _include(self, relative: Path, owner: str, line: int, path: str, quoted: bool) -> None:
        where = f"{relative}:{line}"
        parts = Path(path).parts
        if parts[0] == "myst":
            self._own_include(relative, owner, where, path, quoted)
            return
        if quoted and not self._is_local(relative, owner, path):
            self.findings.append(f'{where}: include "{path}" as "myst/<layer>/<file>.hpp"')
        if "detail" in parts[:-1] or "impl" in parts[:-1]:
            self.findings.append(f"{where}: includes {path}, another library's private part")
        if owner in self.table.pure["layers"] and relative not in self.tests:
            for prefix in self.table.pure["forbidden"]:
                if path.startswith(prefix):
                    self.findings.append(f"{where}: {owner} must stay free of I/O, threads and clocks: <{path}>")
        for prefix, layers in self.table.only_in.items():
            if path.startswith(prefix):
                self.seen_only_in.add(prefix)
                if owner not in layers:
                    self.findings.append(f"{where}: <{path}> may be included only in {', '.join(layers)}")

    def _is_local(self, relative: Path, owner: str, path: str) -> bool:
        """Programs have headers beside them; tests share headers in tests/."""
        if relative in self.tests and (self.root / "tests" / path).is_file():
            return True
        return owner in self.table.programs and (self.root / relative.parent / path).is_file()

    def _own_include(self, relative: Path, owner: str, where: str, path: str, quoted: bool) -> None:
        if not quoted:
            self.findings.append(f'{where}: write "{path}" with quotes')
        if not (self.root / "src" / path).is_file():
            self.findings.append(f"{where}: there is no src/{path}")
        target = Path(path).parts[1]
        if target == owner:
            return
        in_test = relative in self.tests and owner not in TEST_FOLDERS
        self.used[owner, in_test].add(target)
        allowed = self.table.edges.get(owner, []) + self.table.programs.get(owner, [])
        if in_test:
            allowed = allowed + self.table.test_edges.get(owner, [])
        if target not in allowed:
            listed = ", ".join(allowed) or "nothing"
            self.findings.append(f"{where}: {owner} may not include {target} ({path}); allowed: {listed}")


def check_unused(scan: Scan) -> list[str]:
    """Edges and names of the table that nobody uses."""
    table = scan.table
    findings = []
    for section, lists, in_test in (("edges", table.edges, False), ("programs", table.programs, False),
                                    ("test_edges", table.test_edges, True)):
        for owner, targets in lists.items():
            for target in targets:
                if target not in scan.used[owner, in_test]:
                    findings.append(f"{TABLE_FILE}: {section}.{owner} lists {target}, which nothing includes: remove")
    for prefix in table.only_in:
        if prefix not in scan.seen_only_in:
            findings.append(f"{TABLE_FILE}: only_in lists {prefix}, but nothing includes it; remove it")
    for layer in table.edges:
        if not any((scan.root / "src/myst" / layer).rglob("*.hpp")):
            findings.append(f"{TABLE_FILE}: layer {layer} has no header in src/myst/{layer}")
    for program in table.programs:
        if not any(path.suffix in cpp_source.SUFFIXES for path in (scan.root / program).rglob("*")):
            findings.append(f"{TABLE_FILE}: {program} has no source file")
    return findings


def reduced_edges(table: Table) -> list[tuple[str, str]]:
    """The edges that do not follow from others (transitive reduction), for a readable picture."""

    def reach(layer: str) -> set[str]:
        return {deeper for target in table.edges[layer] for deeper in {target} | reach(target)}

    result = []
    for layer in table.layers():
        for target in table.edges[layer]:
            if not any(target in reach(other) for other in table.edges[layer] if other != target):
                result.append((layer, target))
    return result


def graph(table: Table) -> str:
    """The layer graph as a fenced Mermaid block."""
    programs = [name for name in table.programs if name.startswith("cmd/")]
    edges = [(name.removeprefix("cmd/"), target) for name in programs for target in table.programs[name]
             if not any(target in table.edges[other] for other in table.programs[name])]
    edges += reversed(reduced_edges(table))
    return "\n".join(["```mermaid", "graph TD", *(f"    {a} --> {b}" for a, b in edges), "```"])


def docs_with_graph(text: str, table: Table) -> str | None:
    """docs/architecture.md with the current graph, or None if it has no place for one."""
    before, begin, rest = text.partition(GRAPH_BEGIN)
    _, end, after = rest.partition(GRAPH_END)
    if not begin or not end:
        return None
    return f"{before}{begin}\n{graph(table)}\n{end}{after}"


def check_docs(root: Path, table: Table) -> list[str]:
    path = root / GRAPH_FILE
    text = path.read_text() if path.is_file() else ""
    wanted = docs_with_graph(text, table)
    if wanted is None:
        return [f"{GRAPH_FILE}: no place for the layer graph; add the two marker comments of tools/check_layers.py"]
    if wanted != text:
        return [f"{GRAPH_FILE}: the layer graph is out of date; run tools/check_layers.py --update-docs"]
    return []


def check(root: Path) -> list[str]:
    """Everything; an empty list means the tree is in order."""
    table = Table.load(root / TABLE_FILE)
    broken = check_table(table)
    if broken:
        return broken
    scan = Scan(root, table)
    scan.run()
    return scan.findings + check_unused(scan) + check_docs(root, table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", action="store_true", help="print the layer graph as Mermaid")
    parser.add_argument("--update-docs", action="store_true", help=f"write the graph into {GRAPH_FILE}")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.graph:
        print(graph(Table.load(options.root / TABLE_FILE)))
        return 0
    if options.update_docs:
        path = options.root / GRAPH_FILE
        text = docs_with_graph(path.read_text(), Table.load(options.root / TABLE_FILE))
        if text is None:
            print(f"{GRAPH_FILE}: add the lines {GRAPH_BEGIN} and {GRAPH_END} for the graph", file=sys.stderr)
            return 1
        path.write_text(text)
        return 0
    findings = check(options.root)
    for finding in findings:
        print(finding)
    print(f"layers: {len(findings)} findings" if findings else "layers: in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
