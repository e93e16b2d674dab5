#!/usr/bin/env python3
"""An independent relay (rust-nostr's): prints its URL, and serves until it is killed.

    foreign_relay.py [--address IP] [--port N] [--store FOLDER]     by default: loopback, any free port, in memory
"""

import argparse
import asyncio

import packages  # noqa: F401  finds nostr_sdk
import nostr_sdk

UNHURRIED = nostr_sdk.RateLimit(max_reqs=1_000_000, notes_per_minute=1_000_000_000)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--store")
    options = parser.parse_args()
    builder = nostr_sdk.LocalRelayBuilder().addr(options.address).rate_limit(UNHURRIED)
    if options.port:
        builder = builder.port(options.port)
    if options.store:
        builder = builder.database(await nostr_sdk.NostrLmdb.open(options.store))
    relay = builder.build()
    await relay.run()
    print(await relay.url(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
