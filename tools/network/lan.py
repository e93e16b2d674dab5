"""Nodes on one bridge, and what can be done to the lines between them: cut in two, or slow and lossy."""

import sys
from pathlib import Path

from demo.process import Process, run, wait_until
from demo.topology import Namespaces

_SLOW_WIRE = Path(__file__).resolve().parent / "slow_wire.py"
_CUT = """
table bridge cut {{
  chain forward {{
    type filter hook forward priority 0;
    iifname {{ {one} }} oifname {{ {other} }} drop
    iifname {{ {other} }} oifname {{ {one} }} drop
  }}
}}
"""


def name_of(node):
    """The role of a node's namespace."""
    return f"n{node}"


def address_of(node):
    return f"11.0.0.{10 + node}"


class Lan(Namespaces):
    """A namespace for each node, one for the probe, which reaches all, and one with the bridge."""

    def __init__(self, nodes, prefix=None):
        super().__init__(prefix)
        self.nodes = range(nodes)
        self._slow = None

    def create(self):
        """Makes the network. On failure the caller removes what is there."""
        self.claim()
        for role in ("switch", "probe", *map(name_of, self.nodes)):
            self.add(role)
        self.bridge()
        self.plug("probe", "11.0.0.2")
        for node in self.nodes:
            self.plug(name_of(node), address_of(node))
        for role in ("probe", *map(name_of, self.nodes)):
            wait_until(f"the link of {role}", lambda: self.link_up(role, "lan0"), 10)

    def cut(self, one, other):
        """No packet passes between two groups of nodes."""
        ports = [", ".join(f'"p-{name_of(node)}"' for node in group) for group in (one, other)]
        run(self.exec("switch", ["nft", "-f", "-"]), stdin=_CUT.format(one=ports[0], other=ports[1]))

    def mend(self):
        """Ends a cut."""
        run(self.exec("switch", ["nft", "delete", "table", "bridge", "cut"]))

    def slow(self, log, delay_ms, loss_percent):
        """Every packet between nodes takes `delay_ms`, and some get lost. The probe's packets go the same way."""
        ports = [f"p-{role}" for role in ("probe", *map(name_of, self.nodes))]
        for port in ports:
            self.ip("switch", "link", "set", port, "nomaster")
        argv = [sys.executable, _SLOW_WIRE, "--delay-ms", delay_ms, "--loss-percent", loss_percent,
                "--not-for", "p-probe", *ports]
        self._slow = Process("slow wire", self.exec("switch", [str(part) for part in argv]), log)
        wait_until("the slow wire", lambda: "ready" in Path(log).read_text(), 10, log=log, process=self._slow)

    def fast(self):
        """Ends `slow`."""
        self._slow.stop()
        for role in ("probe", *map(name_of, self.nodes)):
            self.ip("switch", "link", "set", f"p-{role}", "master", "br0")

    def bytes_of(self, node):
        """Bytes that a node has sent and received so far."""
        stats = self.ip_json("switch", "-s", "link", "show", f"p-{name_of(node)}")[0]["stats64"]
        return stats["rx"]["bytes"] + stats["tx"]["bytes"]
