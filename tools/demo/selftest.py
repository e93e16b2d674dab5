"""Tests of the demonstration itself: its pure parts, and its network with every way a run can end."""

import json
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from demo import checks, pure_test, snapshot, topology
from demo.process import SIGNALS, DemoError, Interrupted, Process, run, wait_until
from demo.site import Site
from demo.topology import SITE_ADDRESS, Topology

_TOOLS = Path(__file__).resolve().parent.parent


class Network(unittest.TestCase):
    """Reachability, comparison of states, and removal. Needs root."""

    def setUp(self):
        self.net = Topology(f"myst-{time.monotonic_ns() % 10**9 + 10**7}-")
        self.addCleanup(topology.remove, self.net.prefix, 1.0)

    def test_client_reaches_the_nodes_and_not_the_site(self):
        self.net.create()
        Site(self.net, self.net.dir / "logs").start({"small": 1})
        relay = Process("listener", self.net.exec("node-a", [sys.executable, "-m", "http.server", "7777"]),
                        self.net.dir / "listener.log")
        wait_until("the listener", lambda: self.net.reaches("node-a", "11.0.0.2", 7777), 10, process=relay)
        self.assertTrue(self.net.reaches("client", "11.0.0.2", 7777))
        self.assertTrue(self.net.reaches("provider", SITE_ADDRESS, 80))
        for role in ("client", "client2", "node-b"):
            self.assertFalse(self.net.reaches(role, SITE_ADDRESS, 80), role)
        self.assertTrue(relay.stop())

    def test_a_snapshot_is_steady_and_sees_each_kind_of_change(self):
        self.net.create()
        before = snapshot.network(self.net, "client")
        self.assertEqual(checks.difference(before, snapshot.network(self.net, "client")), [])
        for change in (["link", "add", "x0", "type", "bridge"], ["rule", "add", "fwmark", "7", "table", "77"],
                       ["route", "add", "11.8.0.0/24", "dev", "lan0", "table", "77"],
                       ["addr", "add", "11.7.0.1/32", "dev", "lan0"]):
            earlier = snapshot.network(self.net, "client")
            self.net.ip("client", *change)
            self.assertTrue(checks.difference(earlier, snapshot.network(self.net, "client")), change)
        earlier = snapshot.network(self.net, "client")
        run(self.net.exec("client", ["nft", "add", "table", "inet", "probe"]))
        self.assertTrue(checks.difference(earlier, snapshot.network(self.net, "client")))

    def test_stubborn_and_stopped_processes_are_removed(self):
        self.net.create()
        program = ("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
                   "while True: time.sleep(9)")
        deaf = Process("deaf", self.net.exec("client", [sys.executable, "-c", program]), self.net.dir / "deaf.log")
        wait_until("the deaf process", lambda: "up" in deaf.log.read_text(), 10)
        asleep = Process("asleep", self.net.exec("site", ["sleep", "1000"]), self.net.dir / "asleep.log")
        wait_until("the sleeping process", lambda: topology.pids_in(self.net.ns("site")), 10)
        asleep.send(signal.SIGSTOP)
        topology.remove(self.net.prefix, 0.3)
        self.assertEqual(topology.leftovers(self.net.prefix), [])
        self.assertIsNotNone(deaf.wait(5))
        self.assertIsNotNone(asleep.wait(5))
        topology.remove(self.net.prefix)

    def test_nothing_is_left_however_a_run_ends(self):
        cases = [("exception", None, 0), ("running", signal.SIGINT, 0), ("running", signal.SIGTERM, 0),
                 ("running", signal.SIGHUP, 0)]
        cases += [("creating", signal.SIGINT, delay / 1000) for delay in (0, 20, 60, 120, 200, 300)]
        for stage, number, delay in cases:
            with self.subTest(stage=stage, signal=number, delay=delay):
                child = self._hold(stage)
                if number is not None:
                    time.sleep(delay)
                    child.send_signal(number)
                self.assertEqual(child.wait(timeout=20), 7)
                self.assertEqual(topology.leftovers(f"myst-{child.pid}-"), [])

    def test_a_killed_run_is_found_and_removed_by_the_next(self):
        child = self._hold("running")
        prefix = f"myst-{child.pid}-"
        self.assertIn(prefix, topology.prefixes())
        self.assertTrue(topology.owner_alive(prefix))
        child.kill()
        child.wait(timeout=10)
        self.assertIn(prefix, topology.prefixes())
        self.assertFalse(topology.owner_alive(prefix))
        topology.remove(prefix, 0.5)
        self.assertNotIn(prefix, topology.prefixes())
        self.assertEqual(topology.leftovers(prefix), [])

    def _hold(self, stage):
        """A child that makes a network and stays in it; returns when it has reached the stage."""
        child = subprocess.Popen([sys.executable, "-c", f"from demo import selftest; selftest.hold({stage!r})"],
                                 cwd=_TOOLS, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(topology.remove, f"myst-{child.pid}-", 0.5)
        if stage != "exception":
            self.assertEqual(child.stdout.readline().strip(), stage)
        return child


class Interruption(unittest.TestCase):
    """The whole demonstration, interrupted in each of its steps. Needs the built programs."""

    options = ()

    def test_each_step_can_be_interrupted(self):
        for step in range(1, 9):
            for number, delay in ((signal.SIGINT, 0.05), (signal.SIGTERM, 1.0)):
                with self.subTest(step=step, signal=number):
                    self._interrupt(step, number, delay)

    def _interrupt(self, step, number, delay):
        child = subprocess.Popen([sys.executable, str(_TOOLS / "demo.py"), "--mib", "96", *self.options],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(child.stdout.close)
        lines = []
        for line in child.stdout:
            lines.append(line)
            if line.startswith(f"{step}. "):
                time.sleep(delay)
                child.send_signal(number)
        self.assertEqual(child.wait(timeout=60), 128 + number, "".join(lines[-20:]))
        self.assertFalse(json.loads(lines[-1])["ok"])
        self.assertEqual(topology.leftovers(f"myst-{child.pid}-"), [])


def hold(stage):
    """Runs in a child of the test: ends with status 7 after removing what it made."""
    net = Topology()
    SIGNALS.install()
    try:
        if stage == "creating":
            print(stage, flush=True)
        net.create()
        Process("sleeper", net.exec("client", ["sleep", "1000"]), net.dir / "sleeper.log")
        if stage == "exception":
            raise DemoError("on purpose")
        if stage == "running":
            print(stage, flush=True)
        while True:
            time.sleep(60)
    except (Interrupted, DemoError):
        SIGNALS.ignore()
        topology.remove(net.prefix, 1.0)
    sys.exit(7)


def _run(suite):
    return 0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1


def pure():
    return _run(unittest.defaultTestLoader.loadTestsFromModule(pure_test))


def interrupts(binaries):
    Interruption.options = ("--bin", str(binaries))
    return _run(unittest.defaultTestLoader.loadTestsFromTestCase(Interruption))


def network():
    return _run(unittest.defaultTestLoader.loadTestsFromTestCase(Network))
