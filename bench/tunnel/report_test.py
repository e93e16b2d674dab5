"""How figures of rounds become those of the result."""

import contextlib
import io
import unittest

from tunnel import report


def one_round(ours, theirs):
    return {"mystd": {"tcp1_bit_per_s": ours, "rss_bytes": 2 ** 20}, "veth": {"tcp1_bit_per_s": theirs, "rss_bytes": 0}}


def quietly(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        return function(*arguments), output.getvalue()


class ReportTest(unittest.TestCase):
    def test_a_ratio_is_the_median_of_those_of_each_round(self):
        rounds = [one_round(4, 8), one_round(6, 2), one_round(9, 3)]
        found, intervals = report.ratios(rounds, ["veth"])
        self.assertEqual(found, {"tcp1_ratio_vs_veth": 3})  # not 2, that of the medians
        self.assertEqual(intervals["tcp1_ratio_vs_veth"], [0.5, 3])

    def test_equal_rounds_leave_no_doubt(self):
        self.assertEqual(report.interval([3, 3, 3, 3]), [3, 3])

    def test_a_round_without_a_figure_is_left_out_of_that_figure(self):
        rounds = [one_round(6, 2), one_round(5, 1), one_round(4, 2)]
        del rounds[1]["veth"]["tcp1_bit_per_s"]
        self.assertEqual(report.ratios(rounds, ["veth"])[0], {"tcp1_ratio_vs_veth": 2.5})
        self.assertEqual(report.medians(rounds, ["mystd", "veth"])["veth"]["tcp1_bit_per_s"], 2)

    def test_what_never_worked_has_no_ratio(self):
        rounds = [{"mystd": {"tcp1_bit_per_s": 1, "rss_bytes": 1}, "openvpn": {}}]
        result, output = quietly(report.report, rounds, ["mystd", "openvpn"])
        self.assertNotIn("tcp1_ratio_vs_openvpn", result)
        self.assertIn("openvpn", output)

    def test_the_bound_and_the_memory_have_names_of_their_own(self):
        rounds = [{"mystd": {"tcp1_bit_per_s": 3, "rss_bytes": 2 ** 21}, "null_cipher": {"tcp1_bit_per_s": 4}}]
        result, _ = quietly(report.report, rounds, ["mystd", "null_cipher"])
        self.assertEqual(result["fraction_of_null_cipher"], 0.75)
        self.assertEqual(result["rss_mib"], 2)

    def test_who_cannot_carry_the_pace_has_an_asterisk(self):
        rounds = [{"mystd": {"paced_bit_per_s": 1e9, "loaded_latency_us": 2, "rss_bytes": 1},
                   "openvpn": {"paced_bit_per_s": 5e8, "loaded_latency_us": 3, "rss_bytes": 1}}]
        _, output = quietly(report.report, rounds, ["mystd", "openvpn"])
        self.assertIn(" 3* |", output)
        self.assertNotIn(" 2* |", output)

    def test_disturbed_rounds_are_left_out_unless_they_are_half(self):
        calm, disturbed = {"veth": {"stolen_share": 0.0}}, {"veth": {"stolen_share": 0.5}}
        self.assertEqual(quietly(report.undisturbed, [calm, disturbed, calm])[0], [calm, calm])
        self.assertEqual(quietly(report.undisturbed, [calm, disturbed])[0], [calm, disturbed])


if __name__ == "__main__":
    unittest.main()
