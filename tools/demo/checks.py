"""What the demonstration asserts, as pure functions, and the last line it prints."""

import json
from collections import Counter
from dataclasses import dataclass, field

from demo.daemons import CHUNK

GIB = 1 << 30
OVERRUN_LIMIT = 64 << 10
_TOLERANCE_BYTES = 1 << 20


@dataclass
class Figures:
    """The numbers of the last line. Amounts in the smallest unit of the token, sizes in bytes."""

    bytes_down: int = 0
    billed_consumer: int = 0
    billed_provider: int = 0
    paid: int = 0
    settled: int = 0
    fee: int = 0
    refunded: int = 0
    vouchers: int = 0
    connect_ms: int = 0
    settle_gas: int = 0
    overrun_bytes: int = 0
    lost_vouchers: int = 0


_AMOUNTS = ("paid", "settled", "fee", "refunded")


def result_line(ok, figures):
    """One JSON object on one line; amounts are decimal strings because they exceed what a JSON number can hold."""
    values = {"ok": bool(ok)}
    for name, value in vars(figures).items():
        values[name] = str(value) if name in _AMOUNTS else value
    return json.dumps(values, separators=(",", ":"))


@dataclass
class Checks:
    """Named assertions. The demonstration goes on after one failed, and is not ok in the end."""

    required: tuple = ()
    results: dict = field(default_factory=dict)

    def expect(self, name, holds, detail):
        """Notes a result; returns it. A name may be checked repeatedly: one failure is a failure."""
        holds = bool(holds)
        before = self.results.get(name)
        if before is None or before[0]:
            self.results[name] = (holds, detail)
        return holds

    def failed(self):
        """Names of all that failed, and of all required ones that were never reached."""
        broken = [name for name, (holds, _) in self.results.items() if not holds]
        return broken + [name for name in self.required if name not in self.results]

    @property
    def ok(self):
        return not self.failed()


def tolerance(a, b):
    """By how many bytes two meters of the same traffic may differ: packets in flight, and what a kill forgets."""
    return max(_TOLERANCE_BYTES, max(a, b) * 2 // 100)


def meters_agree(a, b):
    return abs(a - b) <= tolerance(a, b)


def bytes_paid_for(paid, price_gib):
    """Most bytes that `paid` can have bought at a price per GiB (time costs something too, so this is a bound)."""
    return paid * GIB // price_gib


def overrun(forwarded, paid, price_gib, credit):
    """Bytes that were forwarded beyond what was paid for and the credit; 0 if none."""
    return max(0, forwarded - bytes_paid_for(paid, price_gib) - credit)


def lost_vouchers(acknowledged, held, price_gib):
    """How many vouchers' worth the client saw acknowledged and the provider no longer holds."""
    missing = acknowledged - held
    if missing <= 0:
        return 0
    per_chunk = max(1, price_gib * CHUNK // GIB)
    return -(-missing // per_chunk)


def difference(before, after):
    """Lines that say what was added (+) and removed (-) between two lists of things."""
    old, new = (Counter(json.dumps(item, sort_keys=True) for item in items) for items in (before, after))
    return ([f"- {item}" for item in sorted((old - new).elements())]
            + [f"+ {item}" for item in sorted((new - old).elements())])
