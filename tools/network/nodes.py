"""Full nodes, one daemon in each namespace, each configured with a few of the others as peers."""

import os
import random
from pathlib import Path

from demo.daemons import Node, RELAY_PORT
from demo.process import wait_until
from network.lan import address_of, name_of

_ESTABLISHED = "01"
_TICKS = os.sysconf("SC_CLK_TCK")
_SOME_ADDRESS = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"


def connected(nodes, peers):
    """Whether the connections between these nodes alone join them all."""
    nodes = set(nodes)
    found, waiting = set(), [min(nodes)]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        waiting += [other for other in nodes if other in peers[node] or node in peers[other]]
    return found == nodes


def draw_peers(count, each, rng):
    """For every node the peers it is configured with, such that all are joined."""
    while True:
        peers = [rng.sample([other for other in range(count) if other != node], each) for node in range(count)]
        if connected(range(count), peers):
            return peers


def draw_half(count, peers, rng):
    """Half of the nodes, such that they and the others are each joined among themselves; and those others.

    Nodes that lose all their peers at once are cut off by configuration, and say nothing about replication.
    """
    while True:
        half = rng.sample(range(count), count // 2)
        rest = [node for node in range(count) if node not in half]
        if connected(half, peers) and connected(rest, peers):
            return sorted(half), rest


class Nodes:
    def __init__(self, lan, binaries, logs, each, seed):
        self.lan = lan
        self.rng = random.Random(seed)
        self.peers = draw_peers(len(lan.nodes), each, self.rng)
        self._nodes = [Node(lan, name_of(node), binaries, logs, self._settings(node)) for node in lan.nodes]

    def _settings(self, node):
        """No chain is needed to keep records: its endpoint does not exist, and is hardly ever asked."""
        return {
            "data_dir": str(self.lan.dir / f"{name_of(node)}-data"),
            "log": {"level": "debug"},
            "api": {"port": 0},
            "chain": {"endpoints": ["http://127.0.0.1:1"], "chain_id": 31337, "mode": "light", "poll_ms": 60000,
                      "lanes": _SOME_ADDRESS, "token": _SOME_ADDRESS},
            "keys": {"strength": "light"},
            "db": {"listen": f"0.0.0.0:{RELAY_PORT}",
                   "relays": [f"ws://{address_of(peer)}:{RELAY_PORT}" for peer in self.peers[node]],
                   "min_pow_bits": 0},  # the work of strangers is not what is tested
        }

    def draw_half(self):
        return draw_half(len(self.lan.nodes), self.peers, self.rng)

    def all(self):
        return list(self.lan.nodes)

    def start(self, nodes):
        for node in nodes:
            self._nodes[node].start()

    def kill(self, nodes):
        for node in nodes:
            self._nodes[node].kill()

    def pids(self, nodes):
        return [self._nodes[node].process.pid for node in nodes]

    def log_of(self, node):
        return self._nodes[node].log

    def meshed(self, nodes):
        """Whether each of these nodes is connected to all of its peers among them."""
        return all(self._connections(node) >= len(set(self.peers[node]) & set(nodes)) for node in nodes)

    def wait_meshed(self, nodes, seconds):
        wait_until("the nodes to be connected", lambda: self.meshed(nodes), seconds)

    def _connections(self, node):
        """Of a daemon to relays of others."""
        try:
            lines = Path(f"/proc/{self._nodes[node].process.pid}/net/tcp").read_text().splitlines()[1:]
        except OSError:
            return 0
        found = [line.split() for line in lines]
        return sum(entry[3] == _ESTABLISHED and entry[2].endswith(f":{RELAY_PORT:04X}") for entry in found)

    def cpu_seconds(self):
        """Processor time that the running daemons have used, together."""
        ticks = 0
        for pid in self.pids(self.all()):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def memory_mib(self):
        """Of the largest daemon, without what is shared with other programs."""
        largest = 0
        for pid in self.pids(self.all()):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    largest = max(largest, int(line.split()[1]))
        return largest / 1024
