"""Medians, ratios and their certainty, as a table and as figures of the result."""

import random
import statistics
from dataclasses import dataclass

OURS = "mystd"
BOUND = "null_cipher"
PACED = 1e9 * 0.95  # bit/s; who delivers less cannot carry the paced load
STOLEN = 0.01  # a round in which the machine's host took more than this share counts only if most did


@dataclass(frozen=True)
class Row:
    key: str
    what: str
    scale: float = 1
    ratio: str = ""  # name of the ratio to others; empty: none is of use


ROWS = (
    Row("tcp1_bit_per_s", "one TCP flow, Gbit/s", 1e-9, "tcp1"),
    Row("tcp1_bbr_bit_per_s", "one TCP flow with bbr, Gbit/s", 1e-9, "tcp1_bbr"),
    Row("tcp4_bit_per_s", "four TCP flows, Gbit/s", 1e-9, "tcp4"),
    Row("reverse_bit_per_s", "one, the other way, Gbit/s", 1e-9, "reverse"),
    Row("bidir_bit_per_s", "one each way, sum, Gbit/s", 1e-9, "bidir"),
    Row("udp1392_bit_per_s", "1392-byte datagrams, Gbit/s", 1e-9),
    Row("udp1392_pps", "1392-byte datagrams, thousands/s", 1e-3, "udp1392_pps"),
    Row("udp64_pps", "64-byte datagrams, thousands/s", 1e-3, "udp64_pps"),
    Row("latency_us", "round trip, idle, µs", 1, "latency"),
    Row("latency_p99_us", "round trip, idle, 99 % within", 1, "latency_p99"),
    Row("loaded_latency_us", "round trip, paced load, µs", 1, "loaded_latency"),
    Row("loaded_latency_p99_us", "round trip, paced, 99 % within", 1, "loaded_latency_p99"),
    Row("paced_bit_per_s", "paced load delivered, Gbit/s", 1e-9),
    Row("paced_cpu_s_per_gb", "processor s per GB, paced", 1, "paced_cpu_per_gb"),
    Row("cpu_s_per_gb", "processor s per GB, one flow", 1, "cpu_per_gb"),
    Row("retransmits", "retransmits, one flow"),
    Row("rss_bytes", "memory of an end, loads done, MiB", 1 / 2 ** 20),
    Row("peak_rss_bytes", "memory of an end at most, MiB", 1 / 2 ** 20),
)


def undisturbed(rounds):
    """Without those in which the machine's host took processor time away; all, if these are half or more."""
    calm = [each for each in rounds if max(figures.get("stolen_share", 0) for figures in each.values()) <= STOLEN]
    if len(calm) == len(rounds):
        return rounds
    enough = 2 * len(calm) > len(rounds)
    print(f"in {len(rounds) - len(calm)} of {len(rounds)} rounds the host took more than {STOLEN:.0%} of the processors: "
          + ("they are left out" if enough else "they are kept, being half or more"))
    return calm if enough else rounds


def medians(rounds, names):
    """Of each tunnel's figures, over the rounds that have them."""
    found = {}
    for name in names:
        keys = dict.fromkeys(key for each in rounds for key in each[name])
        found[name] = {key: statistics.median(each[name][key] for each in rounds if key in each[name]) for key in keys}
    return found


def paired(rounds, key, rival):
    """Ours / theirs, of each round."""
    return [each[OURS][key] / each[rival][key] for each in rounds if each[OURS].get(key) and each[rival].get(key)]


def interval(values, share=0.9, draws=2000):
    """Where the median is with this certainty: bootstrap over the rounds."""
    chance = random.Random(1)
    found = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(draws))
    beyond = int(draws * (1 - share) / 2)
    return [found[beyond], found[-1 - beyond]]


def ratios(rounds, rivals):
    """Medians of the paired ratios by their names, and their 90 % intervals."""
    found, intervals = {}, {}
    for rival in rivals:
        for row in ROWS:
            values = paired(rounds, row.key, rival) if row.ratio else []
            if values:
                name = f"{row.ratio}_ratio_vs_{rival}"
                found[name] = statistics.median(values)
                intervals[name] = interval(values)
    return found, intervals


def number(value):
    """Three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head, columns, lines):
    """A table that a document takes as it is."""
    print(f"| {head:<33} | " + " | ".join(f"{name:>18}" for name in columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for what, cells in lines:
        print(f"| {what:<33} | " + " | ".join(f"{cell:>18}" for cell in cells) + " |")


def show_medians(figures):
    def cell(tunnel, row):
        if row.key not in tunnel:
            return "–"
        slow = "paced" in row.what and tunnel.get("paced_bit_per_s", PACED) < PACED
        return number(tunnel[row.key] * row.scale) + ("*" if slow else "")

    lines = [(row.what, [cell(tunnel, row) for tunnel in figures.values()]) for row in ROWS]
    table("medians", figures, lines)
    if any("*" in text for _, cells in lines for text in cells):
        print("\n* cannot carry the paced load; measured with what it carries")


def show_ratios(rivals, found, intervals):
    def cell(row, rival):
        name = f"{row.ratio}_ratio_vs_{rival}"
        if name not in found:
            return "–"
        return f"{number(found[name])} ({number(intervals[name][0])}–{number(intervals[name][1])})"

    lines = [(row.what.split(", Gbit")[0], [cell(row, rival) for rival in rivals]) for row in ROWS if row.ratio]
    print()
    table("ours / theirs (90 % interval)", rivals, lines)


def report(rounds, names):
    """Prints both tables and returns what belongs into the result."""
    figures = medians(rounds, names)
    rivals = [name for name in names if name != OURS]
    found, intervals = ratios(rounds, rivals) if OURS in names else ({}, {})
    show_medians(figures)
    if found:
        show_ratios(rivals, found, intervals)
    result = {"medians": figures, "intervals": intervals} | found
    if OURS in figures:
        result["rss_mib"] = figures[OURS]["rss_bytes"] / 2 ** 20
    if f"tcp1_ratio_vs_{BOUND}" in found:
        result["fraction_of_null_cipher"] = found[f"tcp1_ratio_vs_{BOUND}"]
        print(f"\nours is at {result['fraction_of_null_cipher']:.0%} of what its input and output carry unencrypted")
    return result
