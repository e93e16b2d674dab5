"""Shows that every rule of tools/check_banned.py finds what it is there to find, and lets the allowed form pass."""

import tempfile
import unittest
from pathlib import Path

import check_banned

NODE = "src/myst/node/node.cpp"
NODE_TEST = "src/myst/node/node_test.cpp"
NODE_HEADER = "src/myst/node/node.hpp"
RUNTIME = "src/myst/runtime/task.cpp"
PAY = "src/myst/pay/tariff.cpp"

BAD = [
    (NODE, "asio::co_spawn(ex, f(), asio::detached);"),
    (NODE_TEST, "run(asio::detached);"),
    (NODE, "asio::co_spawn(executor, work(), handler);"),
    (NODE_TEST, "std::this_thread::sleep_for(10ms);"),
    (NODE, "usleep(5);"),
    (NODE, "sleep (5);"),
    (PAY, "double price = 0.1;"),
    ("src/myst/base/amount.hpp", "float x();"),
    ("src/myst/ledger/ledger.cpp", "auto x = static_cast<double>(y);"),
    (NODE_HEADER, "using namespace myst::pay;"),
    (NODE, "using namespace boost::asio;"),
    (NODE, "using namespace std;"),
    (NODE, "assert(size < 55);"),
    (NODE, "#include <cassert>"),
    (NODE, "system(command.c_str());"),
    (NODE, "return std::system(x);"),
    (NODE, "FILE* pipe = ::popen(a, b);"),
    (NODE, "auto here = std::source_location::current();"),
    (NODE, "for (auto x : items | std::views::reverse) {}"),
    (NODE, "int x = rand();"),
    (NODE_HEADER, "Result<> open();"),
    (NODE_HEADER, "class A {\npublic:\n    static Result<A> parse(std::string_view text);\n};"),
    (NODE_HEADER, "virtual Task<Result<std::vector<Session>>> sessions(std::size_t limit) = 0;"),
    (NODE_HEADER, "template <class T, class U>\nResult<T> convert(U value);"),
    (NODE_HEADER, "Result<std::optional<A>>& cached();"),
    (NODE, "auto r = co_await pool.run([this, text] { return 1; });"),
    (NODE, "auto r = co_await pool.run([=] { return 1; });"),
    (NODE, "co_await pool.run([x = std::move(y)]() mutable { return x; });"),
    (NODE, "co_await send(fmt::format(a, b));"),
    (NODE, "co_await ledger.keep(HeldVoucher{signer, voucher});"),
    (NODE, "co_await sender.submit({.key = key});"),
    (NODE, "auto r = ok ? co_await f() : other;"),
    (NODE, "auto r = co_await ready() ? first : second;"),
]
GOOD = [
    (RUNTIME, "asio::co_spawn(ex, f(), asio::detached);"),
    (NODE, "// never detached, no system(), no double free"),
    (NODE, 'log::info("assert(x) and system(y)");'),
    (NODE_TEST, "asio::co_spawn(context, test(), asio::use_future);"),
    (NODE, "co_await sleep_for(milliseconds(5));"),
    (NODE, "double seconds_shown = 0;"),
    (PAY, "bool on_double_click = doubled;"),
    (NODE, "using namespace std::chrono_literals;"),
    (NODE, "using namespace std::string_literals;"),
    (NODE, "static_assert(sizeof(int) == 4);"),
    (NODE, "throw boost::system::system_error(ec);"),
    (NODE, "auto file_system(path);"),
    (NODE_HEADER, "[[nodiscard]] Result<> open();"),
    (NODE_HEADER, "template <class T>\n[[nodiscard]] Task<Result<T>> with(Task<Result<T>> child, milliseconds limit);"),
    (NODE_HEADER, "using Handler = std::function<Result<int>(std::string)>;"),
    (NODE_HEADER, "void finish(Result<int> outcome);"),
    (NODE_HEADER, "Result<int> outcome_;"),
    (NODE_HEADER, "void g() {\n    const auto x = Result<int>(5);\n    return Result<int>(x);\n}"),
    (NODE, "const auto [ec, n] = co_await socket.async_read(buffer, no_throw);"),
    (NODE, "auto work = [this] { return 1; };\nauto r = co_await pool.run(std::move(work));"),
    (NODE, "if (co_await ready()) { group.run([x] { return x; }); }"),
    (NODE, "co_await pool.run([] { return 1; });"),
    (NODE, "co_await until([&] { return true; });\nco_await until([this, &x] { return x; });"),
    (NODE, "co_await sleep_for(round < 3 ? kFast : kSlow);"),
    (NODE, "const int x = ok ? 1 : 2;\nauto r = co_await f(x);"),
    (NODE, "if (auto r = co_await f(); !r) co_return ok ? 1 : 2;"),
    (NODE, "co_await send(table[index](3), Frame{});"),
    (NODE, "const std::uint64_t kLimit = 1'000'000; int c = 'x';"),
]


def check(path: str, text: str) -> list[str]:
    return check_banned.check_source(Path(path), text, test=path == NODE_TEST)


class CheckBannedTest(unittest.TestCase):
    def test_every_bad_line_is_found(self) -> None:
        for path, text in BAD:
            with self.subTest(path=path, text=text):
                self.assertNotEqual(check(path, f"\n{text}\n"), [])

    def test_every_good_line_passes(self) -> None:
        for path, text in GOOD:
            with self.subTest(path=path, text=text):
                self.assertEqual(check(path, text), [])

    def test_every_rule_has_a_bad_line(self) -> None:
        found = "\n".join(f for path, text in BAD for f in check(path, text))
        for rule in check_banned.RULES:
            self.assertIn(rule.reason, found)

    def test_the_line_is_right_after_comments_and_raw_strings(self) -> None:
        text = '/* one\ntwo */\nauto raw = R"(assert(\n")";\n\nassert(true);\n'
        self.assertEqual([f.split(" ")[0] for f in check(NODE, text)], [f"{NODE}:6:"])

    def test_left_overs_are_found_in_all_texts(self) -> None:
        word = "TO" + "DO"
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in (NODE, "docs/a.md", "contracts/src/A.sol", "contracts/node_modules/b.md"):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(f"// {word}: later\n")
            found = check_banned.check(root)
        self.assertEqual(sorted(f.split(":")[0] for f in found), ["contracts/src/A.sol", "docs/a.md", NODE])


if __name__ == "__main__":
    unittest.main()
