"""Tests of the pure parts of the demonstration."""

import json
import signal
import struct
import tomllib
import unittest

from demo import checks, ledgerfile
from demo.daemons import to_toml, tokens
from demo.process import SIGNALS, Interrupted

_KEYS = ["ok", "bytes_down", "billed_consumer", "billed_provider", "paid", "settled", "fee", "refunded", "vouchers",
         "connect_ms", "settle_gas", "overrun_bytes", "lost_vouchers"]


class ResultLine(unittest.TestCase):
    def test_keys_in_order_and_amounts_as_text(self):
        figures = checks.Figures(bytes_down=5, paid=2**90, settle_gas=7)
        line = checks.result_line(True, figures)
        self.assertNotIn("\n", line)
        value = json.loads(line)
        self.assertEqual(list(value), _KEYS)
        self.assertIs(value["ok"], True)
        self.assertEqual(value["paid"], str(2**90))
        self.assertEqual(value["fee"], "0")
        self.assertEqual(value["settle_gas"], 7)


class CheckList(unittest.TestCase):
    def test_one_failure_stays_a_failure(self):
        list_of = checks.Checks()
        list_of.expect("sum", False, "1 != 2")
        list_of.expect("sum", True, "2 == 2")
        self.assertFalse(list_of.ok)
        self.assertEqual(list_of.failed(), ["sum"])

    def test_a_check_never_reached_is_a_failure(self):
        list_of = checks.Checks(required=("first", "last"))
        list_of.expect("first", True, "")
        self.assertEqual(list_of.failed(), ["last"])
        list_of.expect("last", True, "")
        self.assertTrue(list_of.ok)


class Arithmetic(unittest.TestCase):
    def test_tolerance(self):
        self.assertTrue(checks.meters_agree(1 << 20, (1 << 20) + (1 << 20)))
        self.assertFalse(checks.meters_agree(1 << 20, (1 << 20) + (1 << 20) + 1))
        self.assertTrue(checks.meters_agree(980_000_000, 1_000_000_000))
        self.assertFalse(checks.meters_agree(979_999_999, 1_000_000_000))

    def test_overrun(self):
        price = 10**18
        paid = 5 * price // 1024
        self.assertEqual(checks.overrun(6 << 20, paid, price, 1 << 20), 0)
        self.assertEqual(checks.overrun((6 << 20) + 70_000, paid, price, 1 << 20), 70_000)

    def test_lost_vouchers(self):
        price = 1024 * 100
        self.assertEqual(checks.lost_vouchers(500, 500, price), 0)
        self.assertEqual(checks.lost_vouchers(500, 700, price), 0)
        self.assertEqual(checks.lost_vouchers(500, 499, price), 1)
        self.assertEqual(checks.lost_vouchers(500, 300, price), 2)

    def test_difference(self):
        self.assertEqual(checks.difference([{"a": 1}, {"b": 2}], [{"b": 2}, {"a": 1}]), [])
        self.assertEqual(checks.difference([{"a": 1}], [{"c": 3}]), ['- {"a": 1}', '+ {"c": 3}'])
        self.assertEqual(checks.difference([1], [1, 1]), ["+ 1"])


class LedgerFile(unittest.TestCase):
    def test_the_highest_total_of_each_lane_counts(self):
        payer, other = b"p" * 20, b"o" * 20

        def row(kind, signer, provider, epoch, total, ticks=b""):
            head = struct.pack(">B20s20sI", kind, signer, provider, epoch) + total.to_bytes(12, "big")
            return head + bytes(12 + 64 + 16) + ticks + b"rest"

        seven_of_ten = bytes(32) + struct.pack(">QHH", 3, 10, 7)
        rows = [row(0, payer, b"a" * 20, 0, 5), row(3, payer, b"a" * 20, 0, 9), row(3, payer, b"a" * 20, 0, 7),
                row(0x83, payer, b"a" * 20, 1, 2, seven_of_ten), row(0, other, b"a" * 20, 0, 100),
                row(1, payer, b"a" * 20, 0, 50), b"\x04"]
        self.assertEqual(ledgerfile.highest_total(rows, payer), 9 + 2 + 3 * 7)


class Configuration(unittest.TestCase):
    def test_toml_reads_back(self):
        settings = {"data_dir": "/x", "db": {"relays": ["a", "b"], "on": True}, "n": {"port": 1, "s": 'q"\\'}}
        self.assertEqual(tomllib.loads(to_toml(settings)), settings)

    def test_tokens_are_exact(self):
        self.assertEqual(tokens(10**18), "1")
        self.assertEqual(tokens(5 * 10**16), "0.05")
        self.assertEqual(tokens(1), "0." + "0" * 17 + "1")
        self.assertEqual(tokens(0), "0")


class Interrupts(unittest.TestCase):
    def test_a_signal_waits_for_the_end_of_a_critical_section(self):
        old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        SIGNALS.install()
        steps = []
        try:
            with self.assertRaises(Interrupted), SIGNALS.critical():
                signal.raise_signal(signal.SIGTERM)
                steps.append("finished")
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
        self.assertEqual(steps, ["finished"])
