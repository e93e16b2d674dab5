"""What is done to a tunnel, and the figures that this gives."""

import json
import os
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tunnel.tunnels import CLIENT, SERVER

TICK = os.sysconf("SC_CLK_TCK")
PACE = "1G"  # of the load that is the same for all
SMALL = 64
LARGE = 1392  # fills a packet of 1420 bytes
PINGS_PER_SECOND = 100
CONGESTION = "cubic"  # of TCP, Linux's default, whatever this machine's is
HAS_BBR = "bbr" in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()


class LoadFailed(Exception):
    """This load gave no figures."""


@dataclass
class ProcessorTime:
    """Seconds of all processors since the machine started."""

    busy: float  # user, nice, system, irq, softirq
    stolen: float  # that the machine's host gave to others
    all: float

    @staticmethod
    def now():
        fields = [int(text) / TICK for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return ProcessorTime(sum(fields[i] for i in (0, 1, 2, 5, 6)), fields[7], sum(fields))

    def __sub__(self, other):
        return ProcessorTime(self.busy - other.busy, self.stolen - other.stolen, self.all - other.all)


@dataclass
class Run:
    """A load that is over."""

    end: dict  # what iperf3 says of all
    busy: float  # processor seconds of the machine meanwhile
    beside: object = None

    @property
    def received(self):
        """Bytes of both directions that arrived."""
        return sum(self.end[key]["bytes"] for key in ("sum_received", "sum_received_bidir_reverse") if key in self.end)

    @property
    def seconds(self):
        return self.end["sum_received"]["seconds"]

    @property
    def bit_per_s(self):
        return self.received * 8 / self.seconds

    @property
    def cpu_s_per_gb(self):
        return self.busy / (self.received / 1e9)


def iperf(tunnel, seconds, *arguments, beside=None):
    """Runs iperf3 through the tunnel, and `beside`, if given, while it does."""
    if not {"-u", "-C"} & set(arguments):
        arguments += ("-C", CONGESTION)
    client = tunnel.enter(CLIENT, "iperf3", "-c", tunnel.target, "-p", tunnel.port, "-J", "-t", seconds, *arguments)
    with subprocess.Popen(tunnel.enter(SERVER, "iperf3", "-s", "-1", "--forceflush"), stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            for _ in range(2):
                server.stdout.readline()  # it listens
            before = ProcessorTime.now()
            with subprocess.Popen(client, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sender:
                try:
                    found = beside() if beside else None
                    report = json.loads(sender.communicate(timeout=seconds + 20)[0])
                finally:
                    sender.kill()
            if "error" in report:
                raise LoadFailed(report["error"])
            run = Run(report["end"], (ProcessorTime.now() - before).busy, found)
        except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            raise LoadFailed(f"iperf3: {error}") from error
        finally:
            server.kill()
    if run.received == 0:
        raise LoadFailed("nothing arrived")
    return run


def ping(tunnel, count):
    """Round trips in µs, sorted."""
    command = tunnel.enter(CLIENT, "ping", "-i", 1 / PINGS_PER_SECOND, "-c", count, "-W", "1", tunnel.target)
    output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    times = sorted(float(text) * 1000 for text in re.findall(r"time=([\d.]+) ms", output))
    if len(times) < count // 2:
        raise LoadFailed(f"of {count} pings {len(times)} were answered")
    return times


def latencies(name, times):
    return {f"{name}_us": statistics.median(times), f"{name}_p99_us": times[len(times) * 99 // 100]}


def one_flow(tunnel, seconds):
    run = iperf(tunnel, seconds)
    return {"tcp1_bit_per_s": run.bit_per_s, "cpu_s_per_gb": run.cpu_s_per_gb,
            "retransmits": run.end["sum_sent"]["retransmits"]}


def one_flow_with_bbr(tunnel, seconds):
    """Each super-packet waits for a timer of the sender's."""
    return {"tcp1_bbr_bit_per_s": iperf(tunnel, seconds, "-C", "bbr").bit_per_s} if HAS_BBR else {}


def four_flows(tunnel, seconds):
    return {"tcp4_bit_per_s": iperf(tunnel, seconds, "-P", "4").bit_per_s}


def reverse(tunnel, seconds):
    return {"reverse_bit_per_s": iperf(tunnel, seconds, "-R").bit_per_s}


def both_ways(tunnel, seconds):
    return {"bidir_bit_per_s": iperf(tunnel, seconds, "--bidir").bit_per_s}


def large_datagrams(tunnel, seconds):
    run = iperf(tunnel, seconds, "-u", "-b", "0", "-l", LARGE)
    return {"udp1392_bit_per_s": run.bit_per_s, "udp1392_pps": run.received / LARGE / run.seconds}


def small_datagrams(tunnel, seconds):
    run = iperf(tunnel, seconds, "-u", "-b", "0", "-l", SMALL)
    return {"udp64_pps": run.received / SMALL / run.seconds}


def idle(tunnel, _):
    return latencies("latency", ping(tunnel, 2 * PINGS_PER_SECOND))


def paced(tunnel, seconds):
    """The same work for everybody who can do it, and pings meanwhile."""

    def pings():
        time.sleep(0.3)  # the load has begun, and it lasts longer than the pings
        return ping(tunnel, int((seconds - 0.6) * PINGS_PER_SECOND))

    run = iperf(tunnel, seconds, "-b", PACE, beside=pings if tunnel.echoes else None)
    figures = {"paced_bit_per_s": run.bit_per_s, "paced_cpu_s_per_gb": run.cpu_s_per_gb}
    return figures | (latencies("loaded_latency", run.beside) if run.beside else {})


LOADS = (one_flow, one_flow_with_bbr, four_flows, reverse, both_ways, large_datagrams, small_datagrams, idle, paced)


def measure(name, tunnel, seconds):
    """All figures of a tunnel; those of a load that failed are missing, which is said."""
    before = ProcessorTime.now()
    iperf(tunnel, 1)  # until now nothing was warm
    figures = {}
    for load in LOADS:
        if load is idle and not tunnel.echoes:
            continue
        try:
            figures |= load(tunnel, seconds)
        except LoadFailed as error:
            print(f"{name}: {load.__name__} failed: {error}", flush=True)
    spent = ProcessorTime.now() - before
    return figures | tunnel.memory() | {"stolen_share": spent.stolen / spent.all}


def background_share():
    """How much of the machine others use."""
    before = ProcessorTime.now()
    time.sleep(2)
    spent = ProcessorTime.now() - before
    return spent.busy / spent.all
