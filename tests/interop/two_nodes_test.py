"""A provider and a consumer that have no relay but a foreign one: the network and the chain of the demonstration."""

import os
import sys
import unittest
from pathlib import Path

from packages import ROOT

sys.path.insert(0, str(ROOT / "tools"))

import run_tests  # noqa: E402
from demo import topology  # noqa: E402
from demo.chain import TOKEN, Chain, find_anvil  # noqa: E402
from demo.daemons import COUNTRY, PRICE_GIB, RELAY_PORT, Binaries, Node, consumer, full_node, relay_url, seller, tokens  # noqa: E402
from demo.downloads import Download  # noqa: E402
from demo.process import Process, wait_until  # noqa: E402
from demo.site import Site  # noqa: E402
from demo.topology import LAN, Topology  # noqa: E402

LOGS = ROOT / "build/interop/logs"
MIB = 4
RELAY = "node-a"  # where the foreign relay runs


@unittest.skipIf(run_tests.no_namespaces(), run_tests.no_namespaces())
class TwoNodes(unittest.TestCase):
    """`db.relays` names the foreign relay, `db.listen` is empty, on both sides."""

    def setUp(self):
        programs = Path(os.environ["MYST_PROGRAMS"])
        self.binaries = Binaries(programs / "mystd/mystd", programs / "myst/myst")
        self.net = Topology()
        self.addCleanup(self.remove)
        self.net.create()
        self.site = Site(self.net, LOGS)
        self.site.start({"file.bin": MIB})
        self.chain = Chain(self.net, ROOT, LOGS)
        self.chain.start(find_anvil(ROOT))
        self.chain.deploy()
        self.start_relay()

    def remove(self):
        Process.ask_all()
        topology.remove(self.net.prefix)
        Process.kill_all()

    def start_relay(self):
        program = [sys.executable, Path(__file__).with_name("foreign_relay.py"), "--address", LAN[RELAY],
                   "--port", RELAY_PORT]
        self.relay = Process("foreign relay", self.net.exec(RELAY, program), LOGS / "foreign-relay.log")
        wait_until("the foreign relay", lambda: self.net.reaches(RELAY, LAN[RELAY], RELAY_PORT), 15,
                   log=self.relay.log, process=self.relay)

    def start_node(self, role, settings):
        settings["db"] = {"relays": [relay_url(RELAY)]}
        node = Node(self.net, role, self.binaries, LOGS, settings)
        node.start()
        node.wait_ready()
        wallet = node.ask("wallet", "create")
        self.chain.fund(wallet["address"], 5 * TOKEN)
        return node

    def offers(self, client):
        """Node keys of the sellers that the client finds."""
        return [each["provider"] for each in client.ask("proposals", "--country", COUNTRY)["proposals"]]

    def test_offer_session_and_payment_through_a_foreign_relay(self):
        settings = full_node(self.net.dir / "provider-data", self.chain, ())
        seller(settings, "provider", name="far", price_gib=PRICE_GIB, uplink="wan0")
        provider = self.start_node("provider", settings)
        client = self.start_node("client", consumer(self.net.dir / "client-data", self.chain, RELAY))
        provider.ask("provider", "start", timeout=60)
        key = provider.ask("status")["node_key"]
        client.wait_for("the offer", lambda: self.offers(client) == [key], 20)
        for node in (provider, client):
            self.assertEqual([each["url"] for each in node.ask("status")["relays"]], [relay_url(RELAY)])
            self.assertFalse(self.net.reaches(RELAY, LAN[node.role], RELAY_PORT), "a relay of its own")
        client.ask("wallet", "deposit", tokens(TOKEN), timeout=60)
        client.ask("connect", "--country", COUNTRY, timeout=60)
        self.download(client)
        client.ask("disconnect", timeout=60)
        sessions = provider.ask("provider", "sessions")["sessions"]
        self.assertEqual(len(sessions), 1)
        self.assertGreater(int(sessions[0]["paid"]), 0)
        # Another relay process knows nothing, until the provider sends its offer again.
        self.relay.kill()
        self.start_relay()
        client.wait_for("the offer at the new relay", lambda: self.offers(client) == [key], 30)

    def download(self, client):
        def connected():
            return client.ask("status")["connection"]["state"] == "connected"
        client.wait_for("the connection", connected, 30)
        loading = Download(self.net, "client", self.site.files["file.bin"], LOGS)
        loading.start()
        wait_until("the download", loading.step, 60)
        self.assertTrue(loading.correct())


if __name__ == "__main__":
    unittest.main(verbosity=2)
