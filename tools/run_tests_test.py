"""Shows that the test runner cannot take a broken suite for a good one."""

import contextlib
import io
import tempfile
import time
import unittest
from pathlib import Path

import clang_tidy
import ctest_file
import run_command
import run_tests
import test_outcome
from test_outcome import Finished

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="S">
<testcase name="a" classname="S" status="run" result="completed"/>
{cases}
</testsuite></testsuites>"""


class RunTestsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def finished(self, status: int, text: str = "", timed_out: bool = False) -> Finished:
        return Finished(status, text, self.folder / "log", timed_out)

    def of_report(self, cases: str, status: int = 0) -> test_outcome.Outcome:
        report = self.folder / "report.xml"
        report.write_text(REPORT.format(cases=cases))
        return test_outcome.ctest_program("suite", self.finished(status), report, None)

    def of_output(self, text: str, status: int, timed_out: bool = False) -> test_outcome.Outcome:
        return test_outcome.ctest_program("suite", self.finished(status, text, timed_out), self.folder / "none", None)

    def run_shell(self, script: str, timeout: float = 20) -> Finished:
        return run_command.run_command(["bash", "-c", script], self.folder / "log", timeout=timeout, cwd=self.folder)

    def test_cases_of_a_report_are_counted(self) -> None:
        outcome = self.of_report('<testcase name="b" classname="S" status="run"><failure message="x"/></testcase>'
                                 '<testcase name="c" classname="S" status="run">'
                                 '<skipped message="f:1&#x0A;no TUN"/></testcase>'
                                 '<testcase name="d" classname="S" status="notrun"/>', status=1)
        self.assertEqual(outcome.counts(), "1 passed, 1 failed, 2 skipped")
        self.assertIn("S.b", outcome.failed[0])
        self.assertEqual(outcome.skipped[0], "suite: S.c: no TUN")

    def test_an_excerpt_begins_at_the_cause(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_text("\n".join(["fine"] * 50 + ["a.cpp:1: Failure", "why"] + ["later"] * 50))
            self.assertEqual(test_outcome.excerpt(log)[:3], ["a.cpp:1: Failure", "why", "later"])
            log.write_text("\n".join(str(n) for n in range(50)))
            self.assertEqual(test_outcome.excerpt(log)[-1], "49")

    def test_a_failure_after_the_last_case_counts(self) -> None:
        self.assertEqual(self.of_report("", status=23).counts(), "1 passed, 1 failed, 0 skipped")

    def test_a_crash_fails_the_case_it_was_in(self) -> None:
        outcome = self.of_output("[ RUN      ] S.a\n[       OK ] S.a (0 ms)\n[ RUN      ] S.b\n", -11)
        self.assertEqual(outcome.counts(), "1 passed, 1 failed, 0 skipped")
        self.assertIn("killed by signal 11 in S.b", outcome.failed[0])

    def test_a_program_that_ends_early_with_success_fails(self) -> None:
        outcome = self.of_output("[ RUN      ] S.a\n[       OK ] S.a (0 ms)\n[ RUN      ] S.b\n", 0)
        self.assertEqual(len(outcome.failed), 1)

    def test_an_empty_suite_fails(self) -> None:
        report = self.folder / "report.xml"
        report.write_text("<testsuites/>")
        self.assertEqual(len(test_outcome.gtest_report("suite", self.finished(0), report).failed), 1)
        self.assertEqual(len(test_outcome.counted("x", self.finished(0, "x: 0 passed, 0 failed, 0 skipped")).failed), 1)

    def test_a_suite_without_counts_fails(self) -> None:
        self.assertEqual(len(test_outcome.counted("x", self.finished(0, "all good\n")).failed), 1)
        self.assertEqual(len(test_outcome.counted("x", self.finished(0, "")).failed), 1)

    def test_counts_of_a_script_are_added_with_names(self) -> None:
        text = ("[FAIL: revert] test_a() (gas: 1)\n[SKIP: slow] test_b() (gas: 0)\n"
                "contracts: 7 passed, 1 failed, 1 skipped\n")
        outcome = test_outcome.counted("contracts", self.finished(1, text))
        self.assertEqual(outcome.counts(), "7 passed, 1 failed, 1 skipped")
        self.assertIn("test_a", outcome.failed[0])
        self.assertIn("slow", outcome.skipped[0])
        quiet = test_outcome.counted("contracts", self.finished(1, "contracts: 7 passed, 0 failed, 0 skipped\n"))
        self.assertEqual(len(quiet.failed), 1)

    def test_a_hanging_command_is_killed_with_its_children(self) -> None:
        start = time.monotonic()
        run = self.run_shell("sleep 77.7 & echo $! >child; wait", timeout=0.5)
        self.assertTrue(run.timed_out)
        self.assertLess(time.monotonic() - start, 15)
        child = int((self.folder / "child").read_text())
        status = Path(f"/proc/{child}/status")
        self.assertTrue(not status.exists() or "State:\tZ" in status.read_text())
        self.assertEqual(test_outcome.single("x", run).counts(), "0 passed, 1 failed, 0 skipped")

    def test_a_command_reads_nothing_and_keeps_its_output(self) -> None:
        run = self.run_shell("cat; echo out; echo err >&2; exit 3")
        self.assertEqual((run.status, run.text), (3, "out\nerr\n"))

    def test_a_skip_is_one_only_with_its_status(self) -> None:
        self.assertEqual(len(test_outcome.single("x", self.finished(77, "why\n"), 77).skipped), 1)
        self.assertEqual(len(test_outcome.single("x", self.finished(77, "why\n")).failed), 1)

    def test_missing_scripts_and_programs_fail(self) -> None:
        self.assertEqual(len(run_tests.script("x", "tools/not-there", test_outcome.counted, 1).failed), 1)
        gone = ctest_file.Test("gone", [str(self.folder / "gone")], self.folder)
        self.assertEqual(len(run_tests.run_test("asan", gone).failed), 1)

    def test_the_demo_needs_a_true_ok(self) -> None:
        self.assertEqual(run_tests.judge_demo("demo", self.finished(0, 'x\n{"ok":true}\n')).passed, 1)
        for text in ('{"ok":false}', '{"ok":"true"}', "done", "", "[]", "7"):
            self.assertEqual(len(run_tests.judge_demo("demo", self.finished(0, text)).failed), 1, text)
        self.assertEqual(len(run_tests.judge_demo("demo", self.finished(1, '{"ok":true}')).failed), 1)

    def test_the_status_is_bad_if_anything_failed_or_nothing_ran(self) -> None:
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        report = run_tests.Report()
        self.assertEqual(report.finish(), 1)
        report.sum.passed = 3
        self.assertEqual(report.finish(), 0)
        report.sum.failed.append("x")
        self.assertEqual(report.finish(), 1)

    def test_cmake_test_files_are_read(self) -> None:
        (self.folder / "sub").mkdir()
        (self.folder / "CTestTestfile.cmake").write_text(
            '# x\nadd_test([=[a b]=] "/p/a \\"q\\"" "-x")\n'
            'set_tests_properties([=[a b]=] PROPERTIES  LABELS "unit;slow" '
            'TIMEOUT "5" _BACKTRACE_TRIPLES "/x;1;add_test;/x;0;")\nsubdirs("sub")\n')
        (self.folder / "sub/CTestTestfile.cmake").write_text("add_test(plain /p/b)\n")
        first, second = ctest_file.read_tests(self.folder)
        self.assertEqual((first.name, first.command, first.labels(), first.timeout()),
                         ("a b", ['/p/a "q"', "-x"], {"unit", "slow"}, 5))
        self.assertEqual((second.command, second.labels()), (["/p/b"], set()))

    def test_compile_commands_lose_what_clang_tidy_must_not_see(self) -> None:
        command = ("/usr/bin/ccache /usr/bin/clang++-16 -DX=1 -I/s -fsanitize=address -Werror -Winvalid-pch "
                   "-Xclang -include-pch -Xclang /b/cmake_pch.hxx.pch -MD -MT a.o -MF a.d -o a.o -c /s/a.cpp")
        self.assertEqual(clang_tidy.tidy_arguments(command),
                         ["/usr/bin/clang++-16", "-DX=1", "-I/s", "-o", "a.o", "-c", "/s/a.cpp"])


if __name__ == "__main__":
    unittest.main()
