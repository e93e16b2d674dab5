"""Medians, ratios and their certainty, as a table and as figures of the result."""

import random
import statistics
from dataclasses import dataclass

OURS = "mystd"
BOUND = "null_cipher"
PACED = 1e9 * 0.95  # bit/s; who delivers less cannot carry the paced load


@dataclass(frozen=True)
class Row:
    key: str
    what: str
    scale: float = 1
    ratio: str = ""  # name of the ratio to others; empty: none is of use


ROWS = (
    Row("tcp1_bit_per_s", "one TCP flow, Gbit/s", 1e-9, "tcp1"),
    Row("tcp4_bit_per_s", "four TCP flows, Gbit/s", 1e-9, "tcp4"),
    Row("reverse_bit_per_s", "one, the other way, Gbit/s", 1e-9, "reverse"),
    Row("bidir_bit_per_s", "one each way, sum, Gbit/s", 1e-9, "bidir"),
    Row("udp1392_bit_per_s", "1392-byte datagrams, Gbit/s", 1e-9),
    Row("udp1392_pps", "1392-byte datagrams, thousands/s", 1e-3, "udp1392_pps"),
    Row("udp64_pps", "64-byte datagrams, thousands/s", 1e-3, "udp64_pps"),
    Row("latency_us", "round trip, idle, µs", 1, "latency"),
    Row("latency_p99_us", "  99 % within", 1, "latency_p99"),
    Row("loaded_latency_us", "round trip, paced load, µs", 1, "loaded_latency"),
    Row("loaded_latency_p99_us", "  99 % within", 1, "loaded_latency_p99"),
    Row("paced_bit_per_s", "paced load delivered, Gbit/s", 1e-9),
    Row("paced_cpu_s_per_gb", "processor s per GB, paced", 1, "paced_cpu_per_gb"),
    Row("cpu_s_per_gb", "processor s per GB, one flow", 1, "cpu_per_gb"),
    Row("retransmits", "retransmits, one flow"),
    Row("rss_bytes", "memory of an end at most, MiB", 1 / 2 ** 20),
)


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


def show_medians(figures):
    print(f"{'medians':<34}" + "".join(f"{name:>19}" for name in figures))
    slow = False
    for row in ROWS:
        line = f"{row.what:<34}"
        for tunnel in figures.values():
            mark = "*" if "paced" in row.what and tunnel.get("paced_bit_per_s", PACED) < PACED else " "
            slow |= mark == "*"
            line += f"{tunnel[row.key] * row.scale:>18.2f}{mark}" if row.key in tunnel else f"{'-':>18} "
        print(line)
    if slow:
        print("* cannot carry the paced load; measured with what it carries")


def show_ratios(rivals, found, intervals):
    print(f"\n{'ours / theirs, 90 % interval':<34}" + "".join(f"{rival:>24}" for rival in rivals))
    for row in ROWS:
        names = [f"{row.ratio}_ratio_vs_{rival}" for rival in rivals]
        if row.ratio:
            print(f"{row.what.split(', Gbit')[0]:<34}" + "".join(
                f"{found[name]:>9.2f} ({intervals[name][0]:.2f} - {intervals[name][1]:.2f})".rjust(24)
                if name in found else f"{'-':>24}" for name in names))


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
