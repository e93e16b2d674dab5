"""`mystd wireguard IFNAME` as a program: it behaves as wireguard-go does."""

import signal
import socket
import subprocess
import unittest

from demo.process import run, wait_until
from pair import PATIENCE, Pair
from settings import LOGS, PROGRAMS, missing

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


class Program:
    """Cases of every program; the left end of a pair is started anew for each."""

    program = None

    @classmethod
    def setUpClass(cls):
        reason = missing(cls.program)
        if reason:
            raise unittest.SkipTest(reason)

    def setUp(self):
        self.argv = PROGRAMS[self.program]
        self.pair = Pair(self.argv, self.argv, LOGS)
        self.addCleanup(self.pair.remove)
        self.pair.machines.create()
        self.end = self.pair.left
        self.end.start()

    def start_another(self, name, *, before=()):
        """The same program once more in the same network: how it ended and what it said."""
        argv = self.pair.machines.exec("left", [*before, *map(str, self.argv), name])
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def links(self):
        return [link["ifname"] for link in self.pair.machines.ip_json("left", "link", "show")]

    def assert_gone(self):
        self.assertNotIn(self.end.link, self.links())
        self.assertFalse(self.end.uapi.exists())

    def ended_by(self, number):
        self.end.signal(number)
        self.assertEqual(self.end.process.wait(PATIENCE), 0)
        self.assert_gone()

    def test_SIGTERM_ends_it(self):
        self.ended_by(signal.SIGTERM)

    def test_SIGINT_ends_it(self):
        self.ended_by(signal.SIGINT)

    def test_it_ends_when_its_interface_is_removed(self):
        self.pair.machines.ip("left", "link", "del", self.end.link)
        self.assertEqual(self.end.process.wait(PATIENCE), 0)
        self.assert_gone()

    def test_a_name_that_is_in_use(self):
        done = self.start_another(self.end.link)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(self.end.uapi.exists(), "the first one is not harmed")
        self.end.wg("show", None)
        self.assertIn(self.end.link, self.links())

    def test_a_name_that_is_too_long(self):
        self.assertNotEqual(self.start_another("w" * 16).returncode, 0)

    def test_two_at_a_time(self):
        self.pair.right.start()
        for end in self.pair.ends:
            self.assertIn("listening port: 51820", end.wg("show", None).stdout)
        self.pair.right.stop()
        self.assertEqual(self.end.wg("show", "interfaces").stdout.split(), [self.end.link])

    def test_a_socket_that_a_killed_one_has_left_is_replaced(self):
        self.end.process.kill()
        self.assertTrue(self.end.uapi.exists())
        wait_until("the interface to go", lambda: self.end.link not in self.links(), PATIENCE)
        self.end.start()
        self.end.wg("show", None)

    def test_an_ordinary_user(self):
        done = self.start_another("wgnobody", before=AS_NOBODY)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("wgnobody", self.links())

    def test_only_its_owner_may_ask(self):
        done = run([*AS_NOBODY, "wg", "show", self.end.link], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("listening port", done.stdout)

    def test_it_goes_up_and_down(self):
        """Down it keeps its settings."""
        before = self.end.wg("showconf", None).stdout
        for state in ("down", "up", "down"):
            self.pair.machines.ip("left", "link", "set", self.end.link, state)
        self.assertEqual(self.end.wg("showconf", None).stdout, before)
        self.pair.machines.ip("left", "link", "set", self.end.link, "up")


class ProgramOurs(Program, unittest.TestCase):
    program = "ours"

    def test_an_ordinary_user_is_told_what_to_do(self):
        done = self.start_another("wgnobody", before=AS_NOBODY)
        self.assertRegex(done.stderr, r"^mystd wireguard: .*run as root")

    def test_names_that_cannot_be(self):
        for name in ("a/b", "", "."):
            done = self.start_another(name)
            self.assertEqual(done.returncode, 1, f"{name!r}")
            self.assertRegex(done.stderr, r"^mystd wireguard: ")

    def test_no_name(self):
        done = subprocess.run([*map(str, self.argv)], capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("IFNAME", done.stderr)

    def test_clients_that_say_nothing_do_not_stop_others(self):
        for _ in range(40):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.addCleanup(client.close)
            client.connect(str(self.end.uapi))
            client.send(b"get=")
        self.end.wg("show", None)

    def test_requests_in_pieces(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.end.uapi))
            for piece in (b"g", b"et=1", b"\n", b"\n"):
                client.send(piece)
            answer = b""
            while not answer.endswith(b"\n\n"):
                answer += client.recv(4096)
        self.assertIn(b"listen_port=51820\n", answer)


class ProgramWireguardGo2022(Program, unittest.TestCase):
    program = "wireguard_go_2022"


class ProgramWireguardGo2023(Program, unittest.TestCase):
    program = "wireguard_go_2023"
