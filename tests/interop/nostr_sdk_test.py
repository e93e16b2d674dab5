"""rust-nostr's client and our relay: unittest, given the relay's program by MYST_INTEROP_RELAY."""

import asyncio
import logging
import os
import subprocess
import time
import unittest
from datetime import timedelta

import packages  # noqa: F401  finds nostr_sdk
import nostr_sdk as sdk

PROPOSAL = sdk.Kind(30510)
SECONDS = 20
logging.getLogger("asyncio").setLevel(logging.ERROR)  # unittest has it report every callback of 0.1 s


def proposal(keys=None, *, created_at=None, country="DE"):
    """A proposal as docs/records.md has it, signed by rust-nostr."""
    created_at = created_at or int(time.time())
    tags = [["d", "wireguard"], ["expiration", str(created_at + 3600)], ["s", "wireguard"], ["c", country]]
    builder = sdk.EventBuilder(PROPOSAL, '{"v":1,"terms":"","name":"ä"}').tags([sdk.Tag.parse(tag) for tag in tags])
    return builder.custom_created_at(sdk.Timestamp.from_secs(created_at)).finalize(keys or sdk.Keys.generate())


class OurRelay(unittest.IsolatedAsyncioTestCase):
    """Each test with a relay of its own."""

    def setUp(self):
        relay = subprocess.Popen([os.environ["MYST_INTEROP_RELAY"]], stdout=subprocess.PIPE, text=True)
        self.addCleanup(relay.wait)
        self.addCleanup(relay.kill)
        self.addCleanup(relay.stdout.close)
        self.url = sdk.RelayUrl.parse(relay.stdout.readline().strip())

    async def client(self):
        client = sdk.ClientBuilder().build()
        await client.add_relay(self.url)
        await client.connect(timedelta(seconds=SECONDS))
        self.addAsyncCleanup(client.shutdown)
        return client

    async def stored(self, client, wanted=None):
        """Ids of what the relay has."""
        target = sdk.ReqTarget.auto([wanted or sdk.Filter().kind(PROPOSAL)])
        events = await client.fetch_events(target, timedelta(seconds=SECONDS))
        return {event.id().to_hex() for event in events}

    async def test_publishes_and_queries(self):
        client = await self.client()
        german, dutch = proposal(), proposal(country="NL")
        for event in (german, dutch):
            sent = await client.send_event(event)
            self.assertEqual(sent.failed, {})
        self.assertEqual(await self.stored(client), {german.id().to_hex(), dutch.id().to_hex()})
        country = sdk.SingleLetterTag.from_byte(ord("c"))
        self.assertEqual(await self.stored(client, sdk.Filter().kind(PROPOSAL).custom_tag(country, "NL")),
                         {dutch.id().to_hex()})

    async def test_hears_why_it_is_refused(self):
        client = await self.client()
        note = sdk.EventBuilder(sdk.Kind(1), "a note").finalize(sdk.Keys.generate())
        sent = await client.send_event(note)
        self.assertEqual(sent.success, [])
        self.assertIn("blocked", str(sent.failed))

    async def test_follows(self):
        client, author = await self.client(), await self.client()
        stream = await client.stream_events(sdk.ReqTarget.auto([sdk.Filter().kind(PROPOSAL)]), policy=sdk.ReqExitPolicy.WAIT_FOR_EVENTS(1))
        event = proposal()
        await author.send_event(event)
        heard = await asyncio.wait_for(stream.next(), SECONDS)
        self.assertEqual(heard.event.id().to_hex(), event.id().to_hex())

    async def test_reconciles(self):
        now = int(time.time())
        events = [proposal(created_at=now - i) for i in range(180)]
        client = await self.client()
        for event in events[:150]:
            await client.send_event(event)
        relay = await client.relay(self.url)
        items = [sdk.NegentropyItem(id=event.id(), timestamp=event.created_at()) for event in events[50:]]
        found = await relay.sync(sdk.Filter().kind(PROPOSAL), items, sdk.SyncOptions().dry_run())
        self.assertEqual({each.to_hex() for each in found.local}, {event.id().to_hex() for event in events[150:]})
        self.assertEqual({each.to_hex() for each in found.remote}, {event.id().to_hex() for event in events[:50]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
