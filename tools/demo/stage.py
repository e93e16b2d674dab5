"""What all steps of the story share: the network, the chain, the nodes, what is checked, and what is measured."""

import shutil

from demo import checks, snapshot
from demo.chain import Chain
from demo.daemons import Node
from demo.screen import Screen
from demo.site import Site
from demo.topology import Topology

MIB = 1 << 20


class Ledger:
    """What a client's status said last. Its figures add up over the sessions of one connection."""

    def __init__(self):
        self._last = None
        self.sessions = []

    def note(self, connection):
        self._last = connection
        session = connection["session"]
        if session and session not in self.sessions:
            self.sessions.append(session)

    def paid(self):
        return int(self._last["paid"])

    def acknowledged(self):
        return int(self._last["acknowledged"])

    def vouchers(self):
        return self._last["vouchers"]

    def billed(self):
        return self._last["traffic"]["up"] + self._last["traffic"]["down"]


class Stage:
    """One run. Nothing is made before `open`."""

    def __init__(self, root, binaries, anvil, mib, required):
        self.root = root
        self.binaries = binaries
        self.anvil = anvil
        self.mib = mib
        self.topology = Topology()
        self.logs = root / "build/demo-logs"
        self.chain = Chain(self.topology, root, self.logs)
        self.site = Site(self.topology, self.logs)
        self.screen = Screen()
        self.checks = checks.Checks(required=tuple(required))
        self.figures = checks.Figures()
        self.nodes = {}
        self.wallets = {}
        self.settings = {}
        self.ledgers = {"client": Ledger(), "client2": Ledger()}
        self.before = {}

    def open(self):
        """Makes the network and starts the site."""
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        self.topology.create()
        self.site.start({"first.bin": self.mib, "second.bin": max(1, self.mib // 2)})

    def folder(self, role):
        return self.topology.dir / f"{role}-data"

    def start_node(self, role, settings):
        """Starts a daemon without waiting."""
        self.before[role] = snapshot.network(self.topology, role)
        self.settings[role] = settings
        node = Node(self.topology, role, self.binaries, self.logs, settings)
        self.nodes[role] = node
        node.start()
        return node

    def check(self, name, holds, detail):
        self.screen.check(name, self.checks.expect(name, holds, detail), detail)

    def connection(self, role):
        """The state of a client's connection, noted in its ledger."""
        found = self.nodes[role].ask("status")["connection"]
        self.ledgers[role].note(found)
        return found

    def wait_connected(self, role, seconds, *, not_session=None):
        """Until the client is connected, in another session than `not_session` if that is given."""
        def connected():
            now = self.connection(role)
            return now if now["state"] == "connected" and now["session"] != not_session else None
        return self.nodes[role].wait_for(f"{role} to be connected", connected, seconds)

    def show(self, download, connection):
        """The live line of a download."""
        left = connection["bytes_left"]
        self.screen.live(f"{download.size / MIB:6.1f} MiB   {connection['bytes_per_second'] * 8 / 1e6:6.1f} Mbit/s   "
                         f"paid {tokens_short(int(connection['paid']))}   vouchers {connection['vouchers']}   "
                         f"{'no limit' if left is None else f'{left / 2**30:.2f} GiB'} left")

    def provided(self, signer):
        """Sessions the provider has sold to a payment signer, newest first."""
        listed = self.nodes["provider"].ask("provider", "sessions")["sessions"]
        return [session for session in listed if session["signer"].lower() == signer.lower()]


def tokens_short(units):
    """An amount with six decimals, for people who want to see it move."""
    return f"{units // 10**12 / 10**6:.6f}"
