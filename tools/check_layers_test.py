"""Shows that tools/check_layers.py finds what it is there to find."""

import tempfile
import unittest
from pathlib import Path

import check_layers

TABLE = """
order = [["low"], ["left", "right"], ["top"]]
[edges]
low = []
left = ["low"]
right = ["low"]
top = ["left", "right"]
[test_edges]
top = ["low"]
[programs]
"cmd/prog" = ["top"]
[pure]
layers = ["low"]
forbidden = ["boost/asio", "thread"]
[only_in]
"sqlite3.h" = ["left"]
"""
FILES = {
    "tools/layers.toml": TABLE,
    "src/myst/low/low.hpp": "#pragma once\n",
    "src/myst/left/left.hpp": '#pragma once\n#include <sqlite3.h>\n#include "myst/low/low.hpp"\n',
    "src/myst/right/right.hpp": '#pragma once\n#include "myst/low/low.hpp"\n',
    "src/myst/top/top.hpp": '#pragma once\n#include "myst/left/left.hpp"\n#include "myst/right/right.hpp"\n',
    "src/myst/top/top_test.cpp": '#include "myst/low/low.hpp"\n',
    "cmd/prog/main.cpp": '#include "myst/top/top.hpp"\n#include "local.hpp"\n',
    "cmd/prog/local.hpp": "#pragma once\n",
}


class CheckLayersTest(unittest.TestCase):
    def findings(self, changes: dict[str, str | None] | None = None) -> str:
        """The findings on a small tree in order, after replacing (or, with None, leaving out) some files."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in (FILES | (changes or {})).items():
                if text is not None:
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).write_text(text)
            if "docs/architecture.md" not in (changes or {}):
                self.write_docs(root)
            return "\n".join(check_layers.check(root))

    @staticmethod
    def write_docs(root: Path) -> None:
        empty = f"# Layers\n{check_layers.GRAPH_BEGIN}\n{check_layers.GRAPH_END}\nend\n"
        table = check_layers.Table.load(root / "tools/layers.toml")
        (root / "docs").mkdir()
        try:
            (root / "docs/architecture.md").write_text(check_layers.docs_with_graph(empty, table) or empty)
        except (KeyError, RecursionError):  # a table that is refused before the docs are looked at
            (root / "docs/architecture.md").write_text(empty)

    def test_a_tree_in_order_has_no_findings(self) -> None:
        self.assertEqual(self.findings(), "")

    def test_an_upward_include_is_found(self) -> None:
        found = self.findings({"src/myst/low/low.hpp": '#pragma once\n#include "myst/top/top.hpp"\n'})
        self.assertIn("src/myst/low/low.hpp:2: low may not include top", found)

    def test_an_include_of_a_sibling_is_found(self) -> None:
        found = self.findings({"src/myst/left/left.cpp": '#include "myst/right/right.hpp"\n'})
        self.assertIn("left may not include right", found)

    def test_a_test_may_not_include_what_neither_list_names(self) -> None:
        found = self.findings({"src/myst/right/right_test.cpp": '#include "myst/left/left.hpp"\n'})
        self.assertIn("right may not include left", found)

    def test_an_edge_for_tests_does_not_hold_for_the_layer(self) -> None:
        found = self.findings({"src/myst/top/top.cpp": '#include "myst/low/low.hpp"\n'})
        self.assertNotIn("top may not include low", self.findings())
        self.assertIn("src/myst/top/top.cpp:1: top may not include low", found)

    def test_what_only_tests_include_is_test_code(self) -> None:
        helper = {"src/myst/top/helper.hpp": "#pragma once\n",
                  "src/myst/top/helper.cpp": '#include "myst/low/low.hpp"\n'}
        use = '#include "myst/low/low.hpp"\n#include "myst/top/helper.hpp"\n'
        self.assertEqual(self.findings(helper | {"src/myst/top/top_test.cpp": use}), "")
        found = self.findings(helper | {"src/myst/top/top_test.cpp": use, "src/myst/top/top.cpp": use})
        self.assertIn("helper.cpp:1: top may not include low", found)

    def test_an_unused_edge_is_found(self) -> None:
        found = self.findings({"src/myst/right/right.hpp": "#pragma once\n"})
        self.assertIn("edges.right lists low, which nothing includes", found)

    def test_an_unused_edge_of_a_program_and_of_tests_is_found(self) -> None:
        found = self.findings({"cmd/prog/main.cpp": "\n", "src/myst/top/top_test.cpp": "\n"})
        self.assertIn("programs.cmd/prog lists top", found)
        self.assertIn("test_edges.top lists low", found)

    def test_an_include_in_a_comment_does_not_count(self) -> None:
        found = self.findings({"src/myst/right/right.hpp": '#pragma once\n// #include "myst/low/low.hpp"\n'})
        self.assertIn("edges.right lists low", found)

    def test_a_table_with_an_upward_edge_is_refused(self) -> None:
        found = self.findings({"tools/layers.toml": TABLE.replace("low = []", 'low = ["top"]')})
        self.assertIn("edges.low lists top, which is not below it", found)

    def test_a_missing_layer_and_program_are_found(self) -> None:
        found = self.findings({"src/myst/top/top.hpp": None, "cmd/prog/main.cpp": None, "cmd/prog/local.hpp": None})
        self.assertIn("layer top has no header", found)
        self.assertIn("cmd/prog has no source file", found)

    def test_a_file_outside_all_layers_is_found(self) -> None:
        self.assertIn("belongs to no layer", self.findings({"src/myst/new/new.hpp": "#pragma once\n"}))
        self.assertIn("belongs to no layer", self.findings({"src/myst/stray.hpp": "#pragma once\n"}))

    def test_a_header_without_pragma_once_is_found(self) -> None:
        self.assertIn("without #pragma once", self.findings({"src/myst/low/low.hpp": "// #pragma once\n"}))

    def test_an_include_without_the_full_path_is_found(self) -> None:
        found = self.findings({"src/myst/left/left.cpp": '#include "left.hpp"\n'})
        self.assertIn('include "left.hpp" as "myst/<layer>/<file>.hpp"', found)

    def test_headers_shared_by_tests_are_for_tests(self) -> None:
        table = TABLE.replace("[pure]", "tests = []\n[pure]")
        shared = {"tests/load.hpp": "#pragma once\n", "tools/layers.toml": table}
        line = '#include "load.hpp"\n'
        self.assertEqual(self.findings(shared | {"src/myst/left/left_test.cpp": line}), "")
        self.assertIn("left.cpp:1: include", self.findings(shared | {"src/myst/left/left.cpp": line}))

    def test_an_include_of_nothing_is_found(self) -> None:
        found = self.findings({"src/myst/left/left.cpp": '#include "myst/low/gone.hpp"\n'})
        self.assertIn("there is no src/myst/low/gone.hpp", found)

    def test_private_parts_of_other_libraries_are_found(self) -> None:
        text = "#include <boost/asio/detail/socket_ops.hpp>\nint i = boost::asio::detail::x;\n"
        found = self.findings({"src/myst/left/left.cpp": text})
        self.assertIn("left.cpp:1: includes boost/asio/detail/socket_ops.hpp", found)
        self.assertIn("left.cpp:2: uses boost::asio::detail", found)
        self.assertIn("uses right::detail", self.findings({"src/myst/left/left.cpp": "auto x = right::detail::y;\n"}))
        own = "auto x = myst::left::detail::y + part::detail::z;\n"
        self.assertEqual("", self.findings({"src/myst/left/left.cpp": own}))

    def test_a_pure_layer_with_io_is_found(self) -> None:
        found = self.findings({"src/myst/low/low.cpp": "#include <thread>\n#include <boost/asio/post.hpp>\n"})
        self.assertIn("low.cpp:1: low must stay free of I/O", found)
        self.assertIn("low.cpp:2: low must stay free of I/O", found)

    def test_a_restricted_header_elsewhere_is_found(self) -> None:
        found = self.findings({"src/myst/right/right.cpp": "#include <sqlite3.h>\n"})
        self.assertIn("<sqlite3.h> may be included only in left", found)

    def test_docs_that_differ_from_the_table_are_found(self) -> None:
        stale = f"{check_layers.GRAPH_BEGIN}\n```mermaid\ngraph TD\n    top --> low\n```\n{check_layers.GRAPH_END}\n"
        self.assertIn("out of date", self.findings({"docs/architecture.md": stale}))
        self.assertIn("no place for the layer graph", self.findings({"docs/architecture.md": "# empty\n"}))

    def test_the_graph_leaves_out_what_follows(self) -> None:
        table = check_layers.Table(order=[["a"], ["b"], ["c"]], edges={"a": [], "b": ["a"], "c": ["a", "b"]},
                                   test_edges={}, programs={})
        self.assertEqual(check_layers.reduced_edges(table), [("b", "a"), ("c", "b")])


if __name__ == "__main__":
    unittest.main()
