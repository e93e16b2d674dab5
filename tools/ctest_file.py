"""Reads the tests of a build folder from the CTestTestfile.cmake files that CMake writes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_COMMAND = re.compile(r"^(add_test|set_tests_properties|subdirs)\(", re.MULTILINE)
_ARGUMENT = re.compile(r'\s*(?:\[(=*)\[(.*?)\]\1\]|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)


@dataclass
class Test:
    """One add_test of CMake."""

    name: str
    command: list[str]
    folder: Path
    properties: dict[str, str] = field(default_factory=dict)

    def labels(self) -> set[str]:
        return set(self.properties.get("LABELS", "").split(";")) - {""}

    def timeout(self) -> float:
        return float(self.properties.get("TIMEOUT", "300"))

    def environment(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.properties.get("ENVIRONMENT", "").split(";") if pair)
        return {name: value for name, _, value in pairs}

    def working_directory(self) -> Path:
        return Path(self.properties.get("WORKING_DIRECTORY", self.folder))

    def skip_status(self) -> int | None:
        value = self.properties.get("SKIP_RETURN_CODE")
        return int(value) if value else None


def arguments(text: str, position: int) -> list[str]:
    """The arguments of a CMake command, from behind its opening bracket."""
    found = []
    while match := _ARGUMENT.match(text, position):
        bracket, quoted, bare = match.group(2, 3, 4)
        if quoted is not None:
            quoted = re.sub(r"\\(.)", r"\1", quoted)
        found.append(next(value for value in (bracket, quoted, bare) if value is not None))
        position = match.end()
    return found


def read_tests(folder: Path) -> list[Test]:
    """The tests of a build folder and the folders below it, in CMake's order."""
    file = folder / "CTestTestfile.cmake"
    text = file.read_text() if file.is_file() else ""
    tests: dict[str, Test] = {}
    below: list[Test] = []
    for match in _COMMAND.finditer(text):
        values = arguments(text, match.end())
        if match.group(1) == "subdirs":
            below += [test for name in values for test in read_tests(folder / name)]
        elif match.group(1) == "add_test":
            tests[values[0]] = Test(values[0], values[1:], folder)
        else:
            names, properties = values[:values.index("PROPERTIES")], values[values.index("PROPERTIES") + 1:]
            for name in names:
                tests[name].properties.update(zip(properties[::2], properties[1::2], strict=True))
    return [*tests.values(), *below]
