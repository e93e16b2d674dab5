"""Shows that every planted bug can still be planted, and that the tool cannot take silence for success."""

import tempfile
import unittest
from pathlib import Path

import mutants
from test_outcome import Finished

PASSED = "[ RUN      ] S.a\n[       OK ] S.a (0 ms)\n[  PASSED  ] 1 test.\n"


class MutantsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_with(self, text: str, status: int, timed_out: bool = False) -> Finished:
        return Finished(status, text, self.folder / "log", timed_out)

    def test_every_patch_applies_and_names_a_test(self) -> None:
        self.assertEqual(mutants.findings(mutants.ROOT), [])
        self.assertGreaterEqual(len(mutants.load_all(mutants.ROOT)), 20)

    def test_numbers_are_not_used_twice(self) -> None:
        numbers = [mutant.number for mutant in mutants.load_all(mutants.ROOT)]
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_a_patch_that_does_not_apply_is_found(self) -> None:
        (self.folder / mutants.PATCHES).mkdir(parents=True)
        (self.folder / "src").mkdir()
        (self.folder / "src/a_test.cpp").write_text("TEST(S, a) {}\n")
        header = "What: w\nTarget: t\nFilter: {}\n\n--- a/src/a_test.cpp\n+++ b/src/a_test.cpp\n"
        patch = self.folder / mutants.PATCHES / "01-x.patch"
        patch.write_text(header.format("S.*") + "@@ -1 +1 @@\n-TEST(S, a) {}\n+TEST(S, b) {}\n")
        self.assertEqual(mutants.findings(self.folder), [])
        patch.write_text(header.format("T.*") + "@@ -1 +1 @@\n-TEST(S, gone) {}\n+TEST(S, b) {}\n")
        self.assertEqual(len(mutants.findings(self.folder)), 2)

    def test_only_a_failure_counts_as_noticed(self) -> None:
        self.assertIsNone(mutants.what_noticed(self.run_with(PASSED, 0)))
        self.assertIsNone(mutants.what_noticed(self.run_with("cannot execute", 127)))
        failed = self.run_with("[ RUN      ] S.a\n[  FAILED  ] S.a (0 ms)\n[  PASSED  ] 0 tests.\n", 1)
        self.assertEqual(mutants.what_noticed(failed), "S.a")
        self.assertEqual(mutants.what_noticed(self.run_with("[ RUN      ] S.a\n", -6)), "S.a ends the program")
        self.assertEqual(mutants.what_noticed(self.run_with("[ RUN      ] S.a\n", -9, True)), "S.a hangs")

    def test_an_empty_run_is_no_pass(self) -> None:
        self.assertFalse(mutants.passes(self.run_with("[  PASSED  ] 0 tests.\n", 0)))
        self.assertTrue(mutants.passes(self.run_with(PASSED, 0)))


if __name__ == "__main__":
    unittest.main()
