"""Reads the ledger of a daemon that is dead, from a copy, so that what is found is what the crash left on the disk."""

import shutil
import sqlite3
import struct
from pathlib import Path

from demo.process import DemoError

# First byte of a row (src/myst/ledger/row.cpp): a provider's newest voucher of a lane, or a payment in the journal.
_HELD, _PAYMENT, _WITH_TICKS = 0, 3, 0x80
# How both go on: signer, provider, epoch, total, cap, signature, session; with ticks: anchor, value, number, newest.
_VOUCHER = struct.Struct(">x20s20s4s12s12s64s16s")
_TICKS = struct.Struct(">32sQHH")


def held_total(data_dir, scratch, signer):
    """Sum of the totals of a payer's newest vouchers that a provider's ledger holds."""
    source = Path(data_dir) / "ledger.db"
    scratch = Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    for name in (source.name, source.name + "-wal"):
        if (source.parent / name).exists():
            shutil.copyfile(source.parent / name, scratch / name)
    try:
        database = sqlite3.connect(scratch / source.name)
        rows = database.execute("SELECT row FROM lane_vouchers UNION ALL SELECT row FROM journal").fetchall()
        database.close()
    except sqlite3.Error as error:
        raise DemoError(f"cannot read {source}: {error}") from error
    return highest_total([row for (row,) in rows], bytes.fromhex(signer.removeprefix("0x")))


def highest_total(rows, signer):
    """Sum over a payer's lanes of the highest total in the rows."""
    highest = {}
    for row in rows:
        if row[0] & ~_WITH_TICKS not in (_HELD, _PAYMENT):
            continue
        payer, provider, epoch, total, *_ = _VOUCHER.unpack_from(row)
        total = int.from_bytes(total, "big")
        if row[0] & _WITH_TICKS:
            _, value, _, newest = _TICKS.unpack_from(row, _VOUCHER.size)
            total += value * newest
        if payer == signer:
            highest[provider, epoch] = max(highest.get((provider, epoch), 0), total)
    return sum(highest.values())
