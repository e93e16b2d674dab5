"""Shows that tools/check_docs.py finds what it is there to find."""

import tempfile
import unittest
from pathlib import Path

import check_docs


class CheckDocsTest(unittest.TestCase):
    def findings(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_docs.check(root)

    def test_links_that_lead_somewhere_pass(self) -> None:
        self.assertEqual(self.findings({
            "README.md": "[a](docs/a.md) [b](https://example.org/x) [c](docs/a.md#part)",
            "docs/a.md": "[up](../README.md) [folder](../src)",
            "src/myst/base/a.hpp": "// see docs/a.md",
        }), [])

    def test_dead_links_and_mentions_are_found(self) -> None:
        found = self.findings({"docs/a.md": "[b](b.md)", "src/myst/base/a.hpp": "// docs/gone.md, section 2"})
        self.assertEqual(found, ["docs/a.md: there is no b.md", "src/myst/base/a.hpp: there is no docs/gone.md"])


if __name__ == "__main__":
    unittest.main()
