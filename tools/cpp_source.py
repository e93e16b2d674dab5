"""Reading C++ sources for the checkers: which files there are, and their text without comments and literals."""

import re
from collections.abc import Iterator
from pathlib import Path

SOURCE_FOLDERS = ("src", "cmd", "tests", "bench")
SUFFIXES = (".cpp", ".hpp")

_TOKEN = re.compile(
    r"""
      (?P<line_comment>//(?:[^\n\\]|\\.|\\\n)*)
    | (?P<block_comment>/\*.*?\*/)
    | (?P<raw_string>R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)")
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<digits>\b[0-9](?:'?[0-9A-Za-z_.])*)
    | (?P<char>'(?:[^'\\\n]|\\.)+')
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def source_files(root: Path) -> list[Path]:
    """All C++ files of the project, sorted."""
    found = []
    for folder in SOURCE_FOLDERS:
        found += [path for path in (root / folder).rglob("*") if path.suffix in SUFFIXES and path.is_file()]
    return sorted(found)


def test_files(root: Path) -> set[Path]:
    """The files, relative to the project, that are tests or that only tests include."""
    texts = {path.relative_to(root): path.read_text() for path in source_files(root)}
    users: dict[Path, set[Path]] = {name: set() for name in texts}
    for name, text in texts.items():
        for target in included(name, text):
            if target in users and target != name.with_suffix(".hpp"):
                users[target].add(name)
    tests = {name for name in texts if name.parts[0] in ("tests", "bench") or name.stem.endswith("_test")}
    while more := {name for name in texts if name not in tests
                   and (users[name] and users[name] <= tests or name.with_suffix(".hpp") in tests)}:
        tests |= more
    return tests


def included(name: Path, text: str) -> Iterator[Path]:
    """Where the quoted includes of a file may lead, relative to the project."""
    for _, target, quoted in includes(text):
        if quoted:
            yield from (Path("src", target), Path("tests", target), name.parent / target)


def strip(text: str, *, keep_strings: bool = False) -> str:
    """Blanks comments, and the content of literals unless asked to keep them; line numbers stay the same."""

    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        if match.lastgroup == "digits":
            return found
        if match.group("line_comment") or match.group("block_comment"):
            return re.sub(r"[^\n]", " ", found)
        if keep_strings:
            return found
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]

    return _TOKEN.sub(blank, text)


def includes(text: str) -> Iterator[tuple[int, str, bool]]:
    """Line number, path and whether it is quoted (not in angle brackets) of every #include."""
    for match in _INCLUDE.finditer(strip(text, keep_strings=True)):
        yield line_of(text, match.start()), match.group(1) or match.group(2), match.group(1) is not None


def line_of(text: str, position: int) -> int:
    """The 1-based line of a character position; leading blanks before it do not count."""
    while position < len(text) and text[position] in " \t\n":
        position += 1
    return text.count("\n", 0, position) + 1
