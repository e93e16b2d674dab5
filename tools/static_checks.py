"""The checks that need no build; each counts as one test."""

from dataclasses import dataclass


@dataclass
class Check:
    name: str
    command: list[str]


CHECKS = [
    Check("tool-tests", ["python3", "-m", "unittest", "discover", "-s", "tools", "-p", "*_test.py"]),
    Check("bench-tests", ["python3", "-m", "unittest", "discover", "-s", "bench", "-p", "*_test.py"]),
    Check("layers", ["tools/check_layers.py"]),
    Check("banned-patterns", ["tools/check_banned.py"]),
    Check("documents", ["tools/check_docs.py"]),
    Check("clang-format", ["tools/check_format.sh"]),
]
