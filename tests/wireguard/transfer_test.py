"""Data through a pair of interfaces, ours at the left, and what may happen to it on the way."""

import unittest

from demo.process import wait_until
from pair import MTU, PATIENCE, PORT, Pair, endpoint_text, new_key, outer, public_key
from settings import PROGRAMS, LOGS, missing
from traffic import Stream, datagrams, pings

MIB = 1 << 20
PACE = 8 * MIB  # bytes per second of a transfer to which something happens: it shall not fill the machine
IP_UDP = {4: 28, 6: 48}  # bytes of headers
LARGEST = {4: 65507, 6: 65527}


def sizes(family, mtu):
    """Of datagrams: blocks of the cipher, limits of what passes in one packet, powers of two, the largest."""
    whole = mtu - IP_UDP[family]
    around = (16, 64, 256, 512, whole, 2 * whole, 4096, 8192, 16384, 32768, 49152)
    return sorted({1, 2, *(size + step for size in around for step in (-1, 0, 1)), LARGEST[family]})


class Transfers:
    """Cases of every rival. Most share a pair of interfaces for each version of IP outside, and begin with `connect`.

    wireguard-go of 2023 loses messages over IPv6 once it has sent over IPv4, also with its own kind: so no shared pair
    uses both.
    """

    rival = None

    @classmethod
    def setUpClass(cls):
        reason = missing(cls.rival)
        if reason:
            raise unittest.SkipTest(reason)
        cls.pairs = {}

    def pair_over(self, family):
        """The shared pair; `self.pair`, `self.ours` and `self.theirs` from now on."""
        if family not in self.pairs:
            pair = Pair(PROGRAMS["ours"], PROGRAMS[self.rival], LOGS)
            self.addClassCleanup(pair.remove)
            pair.start()
            self.pairs[family] = pair
        self.take(self.pairs[family])

    def take(self, pair):
        self.pair = pair
        self.ours, self.theirs = pair.ends

    def connect(self, family=4, begins=None, preshared=None):
        """Both ends are fresh; only `begins`, "ours" or "theirs", knows where the other is, or both."""
        self.pair_over(family)
        self.pair.connect(family=family, begins=begins and getattr(self, begins), preshared=preshared)

    def everything_passes(self, first, mtu=MTU, volume=4 * MIB):
        """Datagrams and streams both ways, over both versions of IP inside."""
        for family in (4, 6):
            datagrams(self.pair, family, sizes(family, mtu), first)
            with Stream(self.pair, family) as stream:
                stream.wait(volume)
                stream.finish()

    def assert_uses(self, end, family, number):
        """The end sends to this address of the other machine."""
        self.assertEqual(end.shown("endpoints"), endpoint_text(outer(number, family)))

    # --- sizes

    def own_pair(self, **options):
        """A pair for this test alone."""
        pair = Pair(PROGRAMS["ours"], PROGRAMS[self.rival], LOGS, **options)
        self.addCleanup(pair.remove)
        pair.start()
        self.take(pair)
        return pair

    def with_mtu(self, mtu):
        pair = self.own_pair(link_mtu=mtu + 80)
        for end in pair.ends:
            end.set_mtu(mtu)
        pair.connect()
        self.everything_passes(pair.left, mtu)

    def test_mtu_1280(self):
        self.with_mtu(1280)

    def test_mtu_8920(self):
        self.with_mtu(8920)

    def test_pings_of_every_size(self):
        self.connect()
        pings(self.pair, 4, range(MTU - 28 + 1), self.theirs)
        pings(self.pair, 6, range(MTU - 48 + 1), self.ours)

    # --- keys

    def rekeyed(self, who):
        """One end forgets the other and takes it back in the middle of a transfer, several times: for the other end
        this is a new session beside the old one, as after two minutes."""
        preshared = new_key()
        self.connect(preshared=preshared)
        begins = getattr(self, who)
        other = self.pair.other(begins)
        with Stream(self.pair, 4, PACE) as stream:
            for _ in range(5):
                stream.wait()
                begins.forget(other)
                begins.add_peer(other, endpoint=outer(other.number, 4), preshared=preshared)
            stream.wait()
            stream.finish()

    def test_rekey_in_mid_transfer_begun_by_ours(self):
        self.rekeyed("ours")

    def test_rekey_in_mid_transfer_begun_by_theirs(self):
        self.rekeyed("theirs")

    def test_both_know_where_the_other_is_and_may_begin(self):
        self.connect()
        with Stream(self.pair, 4, PACE) as stream:
            for _ in range(3):
                stream.wait()
                self.connect()
            stream.wait()
            stream.finish()

    def test_private_key_changes(self):
        self.connect()
        with Stream(self.pair, 6, PACE) as stream:
            for end in self.pair.ends:
                stream.wait()
                other = self.pair.other(end)
                before = end.public
                end.private = new_key()
                end.public = public_key(end.private)
                end.wg("set", None, "private-key", "/dev/stdin", stdin=end.private)
                other.wg("set", None, "peer", before, "remove")
                other.add_peer(end, endpoint=outer(end.number, 4))
            stream.wait()
            stream.finish()

    def test_preshared_key_changes(self):
        """The present session goes on; the next handshake needs the same key on both sides."""
        old, new = new_key(), new_key()
        self.connect(preshared=old)
        with Stream(self.pair, 4, PACE) as stream:
            stream.wait()
            since = self.ours.handshake()
            self.ours.wg("set", None, "peer", self.theirs.public, "preshared-key", "/dev/stdin", stdin=new)
            stream.wait()
            self.assertEqual(self.ours.handshake(), since, "no new handshake was needed")
            self.theirs.forget(self.ours)  # it still has the old one
            self.theirs.add_peer(self.ours, endpoint=outer(1, 4), preshared=old)
            wait_until("an initiation", lambda: self.theirs.transferred()[1] > 0, PATIENCE)
            self.assertEqual(self.theirs.handshake(), 0)
            self.theirs.forget(self.ours)  # its next attempt would be in five seconds
            self.theirs.add_peer(self.ours, endpoint=outer(1, 4), preshared=new)
            stream.wait()
            self.assertGreater(self.theirs.handshake(), 0)
            stream.finish()

    # --- machines

    def restarted(self, who):
        """The program of one end dies in the middle of a transfer, and is started again."""
        self.connect()
        end = getattr(self, who)
        with Stream(self.pair, 4, PACE) as stream:
            stream.wait()
            self.pair.restart(end)
            stream.wait()
            stream.finish()

    def test_restart_of_ours_in_mid_transfer(self):
        self.restarted("ours")

    def test_restart_of_theirs_in_mid_transfer(self):
        self.restarted("theirs")

    def roamed(self, who, family):
        """The address of one machine changes in the middle of a transfer, and changes back."""
        self.connect(family)
        end = getattr(self, who)
        other = self.pair.other(end)
        at_home = end.number
        self.addCleanup(self.pair.machines.move, end.role, family, at_home)
        with Stream(self.pair, 4, PACE) as stream:
            stream.wait()
            self.assert_uses(other, family, at_home)
            for number in (7, at_home):
                self.pair.machines.move(end.role, family, number)
                if family == 4 and end.program[0] == str(PROGRAMS["wireguard_go_2022"][0]):
                    # It goes on sending from the address that is gone, for half a minute, until told anew where to.
                    end.wg("set", None, "peer", other.public, "endpoint", endpoint_text(outer(other.number, 4)))
                stream.wait()
                self.assert_uses(other, family, number)
            stream.finish()

    def test_ours_roams_in_mid_transfer(self):
        self.roamed("ours", 4)

    def test_ours_roams_in_mid_transfer_over_v6(self):
        self.roamed("ours", 6)

    def test_theirs_roams_in_mid_transfer(self):
        self.roamed("theirs", 4)

    def test_theirs_roams_in_mid_transfer_over_v6(self):
        self.roamed("theirs", 6)

    def test_roaming_to_another_port(self):
        self.connect()
        with Stream(self.pair, 4, PACE) as stream:
            for end in self.pair.ends:
                stream.wait()
                self.addCleanup(end.wg, "set", None, "listen-port", str(PORT))
                end.wg("set", None, "listen-port", str(PORT + 1))
                stream.wait()
                self.assertEqual(self.pair.other(end).shown("endpoints"), endpoint_text(outer(end.number, 4), PORT + 1))
            stream.finish()

    def test_from_v6_to_v4_in_mid_transfer(self):
        """One machine loses IPv6, and its end is told the other's IPv4 address; the other end follows."""
        self.own_pair().connect(family=6)
        with Stream(self.pair, 6, PACE) as stream:
            stream.wait()
            self.assert_uses(self.theirs, 6, 1)
            self.pair.machines.ip(self.ours.role, "-6", "address", "flush", "dev", "out")
            wait_until("all to stand still", lambda: self.still(stream), PATIENCE, every=1.0)
            self.ours.wg("set", None, "peer", self.theirs.public, "endpoint", endpoint_text(outer(2, 4)))
            stream.wait()
            self.assert_uses(self.theirs, 4, 1)
            stream.finish()

    def held(self, who):
        """One program stands still for some seconds while the other goes on sending."""
        self.connect()
        end = getattr(self, who)
        with Stream(self.pair, 4, PACE) as stream:
            stream.wait()
            self.pair.hold(end)
            self.addCleanup(self.pair.resume, end)
            sent = self.pair.other(end).transferred()[1]
            wait_until("the other to send on", lambda: self.pair.other(end).transferred()[1] > sent, PATIENCE)
            wait_until("all to stand still", lambda: self.still(stream), PATIENCE, every=0.5)
            self.pair.resume(end)
            stream.wait()
            stream.finish()

    def still(self, stream):
        """Whether nothing has arrived since the last look."""
        seen, self.seen = getattr(self, "seen", None), tuple(stream.received)
        return seen == self.seen

    def test_ours_stands_still_for_a_while(self):
        self.held("ours")

    def test_theirs_stands_still_for_a_while(self):
        self.held("theirs")

    def kept_alive(self, who):
        """A persistent keepalive makes the session, and goes on, without any data."""
        self.connect(begins=who)
        end = getattr(self, who)
        other = self.pair.other(end)
        end.wg("set", None, "peer", other.public, "persistent-keepalive", "1")
        wait_until("the session", lambda: other.handshake() > 0, PATIENCE)
        received = other.transferred()[0]
        wait_until("two keepalives", lambda: other.transferred()[0] >= received + 64, PATIENCE)
        end.wg("set", None, "peer", other.public, "persistent-keepalive", "off")

    def test_persistent_keepalive_of_ours(self):
        self.kept_alive("ours")

    def test_persistent_keepalive_of_theirs(self):
        self.kept_alive("theirs")


def combination(begins, family, preshared):
    """A test: fresh keys, one end begins, over one version of IP outside."""
    def test(self):
        self.connect(family, begins=begins, preshared=new_key() if preshared else None)
        first = getattr(self, begins)
        self.everything_passes(first)
        for end in self.pair.ends:
            self.assert_uses(end, family, self.pair.other(end).number)
        self.assertGreater(first.handshake(), 0)
    return test


for _begins in ("ours", "theirs"):
    for _family in (4, 6):
        for _preshared in (False, True):
            _name = f"test_{_begins}_begins_over_v{_family}_{'with' if _preshared else 'without'}_preshared_key"
            setattr(Transfers, _name, combination(_begins, _family, _preshared))


class WithOurs(Transfers, unittest.TestCase):
    rival = "ours"


class WithWireguardGo2022(Transfers, unittest.TestCase):
    rival = "wireguard_go_2022"


class WithWireguardGo2023(Transfers, unittest.TestCase):
    rival = "wireguard_go_2023"
