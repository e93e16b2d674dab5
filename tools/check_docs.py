#!/usr/bin/env python3
"""Fails if a document links to, or a source file mentions, a file of the project that does not exist."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cpp_source

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MENTION = re.compile(r"\b(?:docs|tools|tests/vectors)/[\w./-]+\.\w+")


def documents(root: Path) -> list[Path]:
    """The project's Markdown files."""
    folders = [root / name for name in ("docs", "tests", "contracts", ".")]
    found = {path for folder in folders[:2] for path in folder.rglob("*.md") if "node_modules" not in path.parts}
    return sorted(found | {path for folder in folders[2:] for path in folder.glob("*.md")})


def targets(root: Path) -> Iterator[tuple[Path, str, Path]]:
    """Every place that names a file: where, how, and which file that is."""
    for path in documents(root):
        for link in LINK.findall(path.read_text()):
            if "://" not in link:
                yield path, link, path.parent / link
    for path in cpp_source.source_files(root):
        for name in MENTION.findall(path.read_text()):
            yield path, name, root / name


def check(root: Path) -> list[str]:
    return [f"{path.relative_to(root)}: there is no {name}" for path, name, file in targets(root) if not file.exists()]


def main() -> int:
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    print(f"documents: {len(findings)} findings" if findings else "documents: in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
