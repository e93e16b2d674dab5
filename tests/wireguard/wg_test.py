"""What `wg` says of an interface of ours and of one of wireguard-go, after the same commands: it must be the same.

Both have the same keys and ports, each in a network of its own. Only time, chosen ports and order may differ.
"""

import base64
import re
import socket
import unittest

from pair import PATIENCE, PORT, Pair, new_key, public_key
from settings import LOGS, PROGRAMS, missing

FIELDS = ("public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints", "allowed-ips",
          "persistent-keepalive", "latest-handshakes")
STDIN = "/dev/stdin"


class Twins:
    """The same command to both; the answers of both."""

    rival = None

    @classmethod
    def setUpClass(cls):
        reason = missing(cls.rival)
        if reason:
            raise unittest.SkipTest(reason)

    def setUp(self):
        # Both ends of one pair have the same keys and ports, and never speak to each other.
        pair = Pair(PROGRAMS["ours"], PROGRAMS[self.rival], LOGS)
        self.addCleanup(pair.remove)
        pair.start()
        self.ends = pair.ends
        self.keys = [new_key() for _ in range(3)]
        self.peers = [public_key(key) for key in self.keys]
        self.both("set", None, "private-key", STDIN, stdin=self.keys[0])
        self.add_peers()

    def add_peers(self):
        one, two = self.peers[1:]
        self.both("set", None, "listen-port", str(PORT),
                  "peer", one, "allowed-ips", "10.1.0.0/16,fd01::/64", "endpoint", "11.0.0.9:1234",
                  "peer", two, "allowed-ips", "10.2.0.0/16", "persistent-keepalive", "25")

    def both(self, *arguments, stdin=None):
        """Runs the command on both; status and complaints must be equal."""
        done = [end.wg(*arguments, stdin=stdin, check=False) for end in self.ends]
        outcomes = [(each.returncode, self.anonymous(end, each.stderr)) for end, each in zip(self.ends, done)]
        self.assertEqual(*outcomes, f"wg {' '.join(str(part) for part in arguments)}")
        return done[0]

    @staticmethod
    def anonymous(end, text):
        """Without what differs between two interfaces: names, and what was sent so far."""
        text = text.replace(end.link, "IFNAME")
        text = re.sub(r"^ +transfer: .*\n", "", text, flags=re.MULTILINE)
        return re.sub(r"\t\d+\t\d+\t(\w+)$", r"\t\1", text, flags=re.MULTILINE)

    def seen(self, end, *command):
        """The output in an order of its own: that of peers and addresses is chance."""
        text = self.anonymous(end, end.wg(*command).stdout)
        blocks = [self.ordered(block) for block in re.split(r"\n\n", text.rstrip("\n"))]
        return "\n\n".join(sorted(blocks))

    @staticmethod
    def ordered(block):
        """Lines in order, and what stands between spaces or commas in them, too."""
        return "\n".join(sorted(" ".join(sorted(re.split(r"[ ,]+", line))) for line in
                                block.replace("\t", "\n").splitlines()))

    def same(self, *fields):
        """All that `wg` shows of both."""
        for command in (("show", None), ("showconf", None), *(("show", None, field) for field in ("dump", *fields))):
            ours, theirs = (self.hidden(self.seen(end, *command)) for end in self.ends)
            self.assertEqual(ours, theirs, f"wg {' '.join(part or 'IFNAME' for part in command)}")

    def hidden(self, text):
        """Keys do not belong into a log; the tests' own have names."""
        for number, key in enumerate(self.keys):
            text = text.replace(key, f"(private key {number})")
        return text

    def change(self, *arguments, stdin=None):
        self.both("set", None, *arguments, stdin=stdin)
        self.same()

    def test_show_and_showconf(self):
        self.same(*FIELDS)
        # What is asked without naming an interface has all of them.
        self.assertIn(self.ends[0].link, self.ends[0].wg("show", "interfaces").stdout.split())

    def test_set_the_interface(self):
        self.change("listen-port", "40000")
        self.change("fwmark", "0x1234")
        self.change("fwmark", "off")
        self.change("fwmark", "77", "listen-port", "40001")
        self.change("private-key", STDIN, stdin=new_key_for(self, 0))
        self.change("private-key", "/dev/null")
        self.change("private-key", STDIN, stdin=self.keys[0])

    def test_set_a_peer(self):
        one, two = self.peers[1:]
        self.change("peer", one, "preshared-key", STDIN, stdin=new_key_for(self, None))
        self.change("peer", one, "preshared-key", "/dev/null")
        for endpoint in ("11.0.0.8:1", "[fd00::8]:65535", "[::ffff:11.0.0.7]:9", "localhost:99"):
            self.change("peer", one, "endpoint", endpoint)
        for interval in ("1", "65535", "off", "0", "25"):
            self.change("peer", one, "persistent-keepalive", interval)
        self.change("peer", public_key(new_key()))  # without anything else it is added
        self.change("peer", public_key(new_key()), "remove")  # unknown: nothing happens
        self.change("peer", two, "remove")
        self.change("peer", two, "remove", "peer", one, "remove")
        self.change("peer", self.peers[0], "allowed-ips", "10.7.0.0/16")  # its own key

    def test_allowed_ips(self):
        one, two = self.peers[1:]
        self.change("peer", one, "allowed-ips", "10.3.0.0/16,10.4.5.6/32,fd03::1/128")
        self.change("peer", two, "allowed-ips", "10.4.5.6,fd03::1,10.5.0.0/24")  # two of them move
        self.change("peer", one, "allowed-ips", "0.0.0.0/0,::/0")
        self.change("peer", two, "allowed-ips", "0.0.0.0/0")
        self.change("peer", two, "allowed-ips", "10.9.8.7/8,fd00:1:2:3::4/10")  # bits behind the prefix
        self.change("peer", two, "allowed-ips", "")
        self.change("peer", one, "allowed-ips", "10.0.0.0/31,10.0.0.2/31,128.0.0.0/1,0.0.0.0/1")

    def test_many_peers(self):
        added = []
        for number in range(200):
            added += ["peer", fake_key(number), "allowed-ips", f"10.20.{number}.0/24,fd20::{number:x}/128"]
        self.change(*added)

    def test_setconf_addconf_syncconf(self):
        one, two = self.peers[1:]
        def peer(key, *lines):
            return "\n".join(["[Peer]", f"PublicKey = {key}", *lines]) + "\n"
        interface = f"[Interface]\nPrivateKey = {self.keys[0]}\nListenPort = 40002\nFwMark = 0x10\n"
        first = peer(one, "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16", "Endpoint = 11.0.0.9:5",
                     f"PresharedKey = {new_key_for(self, None)}")
        second = peer(two, "AllowedIPs = 10.3.0.0/16", "PersistentKeepalive = 20")
        for command, text in (("setconf", interface + first), ("addconf", second),
                              ("addconf", peer(two, "AllowedIPs = 10.2.0.0/16")),  # moves, and 10.3 goes
                              ("syncconf", interface + second), ("syncconf", interface + first + second),
                              ("syncconf", interface + peer(one, "AllowedIPs = 10.8.0.0/16") + second),
                              ("setconf", interface), ("syncconf", interface + second)):
            self.both(command, None, STDIN, stdin=text)
            self.same()

    def test_what_is_shown_can_be_read_again(self):
        for end in self.ends:
            end.wg("setconf", None, STDIN, stdin=end.wg("showconf", None).stdout)
        self.same()

    def test_wrong_commands(self):
        for arguments in (("listen-port", "x"), ("peer", "short"), ("fwmark", "x"), ("peer", self.peers[1], "endpoint",
                          "11.0.0.1"), ("peer", self.peers[1], "allowed-ips", "10.0.0.0/33")):
            self.change(*arguments)

    def test_requests_that_wg_would_never_send(self):
        key = base64.b64decode(self.peers[1]).hex()
        for lines in ("listen_port=65536", "listen_port=x", "fwmark=4294967296", "private_key=00", "no_such_key=1",
                      "public_key=00", f"public_key={key}\nendpoint=11.0.0.1", f"public_key={key}\nallowed_ip=10.0.0.0/33",
                      f"public_key={key}\npersistent_keepalive_interval=65536", f"public_key={key}\npreshared_key=x"):
            answers = []
            for end in self.ends:
                with socket.socket(socket.AF_UNIX) as uapi:
                    uapi.settimeout(PATIENCE)
                    uapi.connect(f"/run/wireguard/{end.link}.sock")
                    uapi.sendall(f"set=1\n{lines}\n\n".encode())
                    answers.append(uapi.recv(100))
            self.assertEqual(*answers, lines)
            self.assertNotEqual(answers[0], b"errno=0\n\n", lines)
        self.same()

    def test_a_port_that_is_taken(self):
        sockets = [end.machines.socket(end.role, 4, socket.SOCK_DGRAM) for end in self.ends]
        for each in sockets:
            self.addCleanup(each.close)
            each.bind(("0.0.0.0", 40003))
        self.assertNotEqual(self.both("set", None, "listen-port", "40003").returncode, 0)


def new_key_for(test, place):
    """A fresh key that `hidden` knows; in the place of another, or beside them."""
    key = new_key()
    if place is None:
        test.keys.append(key)
    else:
        test.keys[place] = key
    return key


def fake_key(number):
    """A public key whose private one nobody has."""
    return base64.b64encode(bytes([9, *number.to_bytes(4, "little"), *([7] * 27)])).decode()


class TwinsOfWireguardGo2022(Twins, unittest.TestCase):
    rival = "wireguard_go_2022"


class TwinsOfWireguardGo2023(Twins, unittest.TestCase):
    rival = "wireguard_go_2023"
