#!/usr/bin/env python3
"""Runs clang-tidy with the checks of .clang-tidy; findings are errors.

  tools/clang_tidy.py --all        every source file of the asan build
  tools/clang_tidy.py --changed    those that differ from origin/main, or, on main itself, from the commit before;
                                   for a changed header, one source file that includes it
  tools/clang_tidy.py FILE…        these

With --seconds N no further file is begun after N seconds; the last line then says how many were left out, and the
exit status is 77 if nothing was found in the others.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cpp_source

ROOT = Path(__file__).resolve().parent.parent
DATABASE = ROOT / "build/asan/compile_commands.json"
OWN_DATABASE = ROOT / "build/clang-tidy"
TIDY = "clang-tidy-16"
# What a look at the source needs not: warnings of the build, sanitizers, lists of dependencies. The precompiled headers
# go, too: clang-tidy would look at all that is in them, for every file anew.
DROPPED = re.compile(r"-Winvalid-pch|-fsanitize=.*|-fno-sanitize.*|-fno-omit-frame-pointer|-Werror|-M[DT]?")


def tidy_arguments(command: str) -> list[str]:
    """A compile command of the build without what is DROPPED; words that have a value go with it."""
    words = shlex.split(command)
    kept = []
    i = next(n for n, word in enumerate(words) if word.rpartition("/")[2].startswith("clang++"))
    while i < len(words):
        if words[i] in ("-MF", "-MT", "-MQ", "-Xclang"):
            i += 2
            continue
        if not DROPPED.fullmatch(words[i]):
            kept.append(words[i])
        i += 1
    return kept


def write_database() -> list[Path]:
    """Writes clang-tidy's compile database; returns the project's source files in it."""
    files = []
    entries = []
    for entry in json.loads(DATABASE.read_text()):
        path = Path(entry["file"])
        if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build") and path not in files:
            files.append(path)
            entries.append({"directory": entry["directory"], "file": entry["file"],
                            "arguments": tidy_arguments(entry["command"])})
    OWN_DATABASE.mkdir(parents=True, exist_ok=True)
    (OWN_DATABASE / "compile_commands.json").write_text(json.dumps(entries, indent=1))
    return files


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed_paths() -> set[str] | None:
    """Paths relative to the project that differ from the base, or None if there is no base to compare with."""
    head = git("rev-parse", "HEAD")
    base = git("merge-base", "HEAD", "origin/main") or git("rev-parse", "HEAD~1")
    if base == head:
        base = git("rev-parse", "HEAD~1")
    if not base:
        return None
    return set((git("diff", "--name-only", base) + "\n" + git("ls-files", "-o", "--exclude-standard")).split("\n"))


def affected(files: list[Path], changed: set[str]) -> list[Path]:
    """The source files that changed, and for every other changed header one that includes it, directly or not."""
    names = [str(path.relative_to(ROOT)) for path in files]
    sources = {str(path.relative_to(ROOT)): path for path in cpp_source.source_files(ROOT)}
    includes = {name: {str(target) for target in cpp_source.included(Path(name), path.read_text())} & set(sources)
                for name, path in sources.items()}

    def reach(name: str) -> set[str]:
        found, fresh = set(), {name}
        while fresh:
            found |= fresh
            # What is compiled but no source of ours, as the precompiled header's, includes nothing of interest.
            fresh = {target for source in fresh for target in includes.get(source, ())} - found
        return found

    chosen = {name for name in names if name in changed}
    covered = {header for name in chosen for header in reach(name)}
    for header in sorted(name for name in changed & set(sources) if name.endswith(".hpp")):
        if header not in covered:
            twin = header.removesuffix(".hpp") + ".cpp"
            users = [name for name in ([twin] if twin in names else names) if header in reach(name)][:1]
            chosen.update(users)
            covered |= {seen for name in users for seen in reach(name)}
    return [path for path, name in zip(files, names, strict=True) if name in chosen]


def tidy(path: Path, give_up: float) -> tuple[Path, str | None, float]:
    """The findings in one file (empty if none), or None if it was too late to begin; and the time it took."""
    start = time.monotonic()
    if start > give_up:
        return path, None, 0
    command = [TIDY, "--quiet", "-p", str(OWN_DATABASE), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return path, "" if done.returncode == 0 else done.stdout + done.stderr, time.monotonic() - start


def run(files: list[Path], give_up: float) -> tuple[int, int]:
    """Prints the findings; returns how many files have some, and how many were left out."""
    bad = left_out = 0
    with ThreadPoolExecutor(int(os.environ.get("MYST_JOBS") or os.cpu_count() or 1)) as pool:
        done = pool.map(lambda path: tidy(path, give_up), files)
        for number, (path, findings, took) in enumerate(done, start=1):
            if findings is None:
                left_out += 1
                continue
            print(f"[{number}/{len(files)}] {path.relative_to(ROOT)} {took:.1f}s", flush=True)
            if findings:
                bad += 1
                print(findings, flush=True)
    return bad, left_out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    if not DATABASE.is_file():
        print(f"{DATABASE} is missing; run: cmake --preset asan", file=sys.stderr)
        return 1
    files = write_database()
    if options.files:
        wanted = {path.resolve() for path in options.files}
        files = [path for path in files if path in wanted]
    elif options.changed and (changed := changed_paths()) is not None:
        files = affected(files, changed)
    bad, left_out = run(files, time.monotonic() + options.seconds)
    print(f"clang-tidy: findings in {bad} of {len(files) - left_out} files")
    if left_out:
        print(f"{left_out} changed files were left out for time; run `make lint`")
    return 1 if bad else 77 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
