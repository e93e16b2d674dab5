"""Data for ten minutes, over five sessions that the real timers begin and end, to each rival at the same time; and one
side that stands still for longer than a session lives.
"""

import threading
import time
import unittest

from pair import Pair
from settings import LOGS, PROGRAMS, missing
from traffic import Datagrams, Stream

SOAK_SECONDS = 620
REKEYS = 5
PACE = 4 << 20  # bytes per second, each way
STANDSTILL_SECONDS = 200
RIVALS = ("ours", "wireguard_go_2022", "wireguard_go_2023")


class Pulse:
    """How long this process did not run at most, though it wanted to: gaps of that length are not the tunnel's."""

    _BEAT = 0.02

    def __init__(self):
        self.longest = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _beat(self):
        last = time.monotonic()
        while not self._ended.wait(self._BEAT):
            now = time.monotonic()
            self.longest = max(self.longest, now - last - self._BEAT)
            last = now


class Soak:
    """One pair under way, and what was seen of it."""

    def __init__(self, test, rival):
        self.rival = rival
        self.pair = Pair(PROGRAMS["ours"], PROGRAMS[rival], LOGS)
        test.addCleanup(self.pair.remove)
        self.pair.start()
        self.pair.connect()
        self.stream = test.enterContext(Stream(self.pair, 4, PACE))
        self.datagrams = test.enterContext(Datagrams(self.pair, 6))
        self.handshakes = set()

    def look(self):
        self.handshakes.add(self.pair.left.handshake())

    def end(self):
        left, right = self.stream.finish()
        sent, lost = self.datagrams.finish()
        dropped = sum(self.pair.machines.dropped(end.role) for end in self.pair.ends)
        print(f"ours with {self.rival}: {SOAK_SECONDS} s, {left / 1e9:.2f} and {right / 1e9:.2f} GB of TCP, "
              f"{len(self.handshakes) - 1} rekeys, longest gap {self.stream.longest_gap:.2f} s; "
              f"{sent} datagrams, {lost} lost; a kernel dropped {dropped} messages that no program came to read",
              flush=True)
        return sent, lost, dropped


class Long(unittest.TestCase):
    def test_ten_minutes_over_five_rekeys(self):
        pulse = self.enterContext(Pulse())
        soaks = [Soak(self, rival) for rival in RIVALS if not missing(rival)]
        end = time.monotonic() + SOAK_SECONDS
        while time.monotonic() < end:
            for soak in soaks:
                soak.look()
                soak.stream.wait(PACE // 10)
            time.sleep(1)
        print(f"\nthe machine stood still for {pulse.longest:.2f} s at most", flush=True)
        for soak in soaks:
            with self.subTest(soak.rival):
                sent, lost, dropped = soak.end()
                self.assertGreaterEqual(len(soak.handshakes), 1 + REKEYS)
                self.assertGreater(sent, 100 * SOAK_SECONDS)
                self.assertLessEqual(lost, sent // 1000 + dropped)

    def test_one_side_stands_still_for_longer_than_a_session_lives(self):
        pairs = []
        for rival in RIVALS:
            if not missing(rival):
                for side in ("left", "right"):
                    pair = Pair(PROGRAMS["ours"], PROGRAMS[rival], LOGS)
                    self.addCleanup(pair.remove)
                    pair.start()
                    pair.connect()
                    stream = self.enterContext(Stream(pair, 4, 1 << 20))
                    stream.wait()
                    pair.hold(getattr(pair, side))
                    self.addCleanup(pair.resume, getattr(pair, side))
                    pairs.append((rival, side, pair, stream))
        time.sleep(STANDSTILL_SECONDS)
        resumed = int(time.time())
        for _, side, pair, _ in pairs:
            pair.resume(getattr(pair, side))
        for rival, side, pair, stream in pairs:
            with self.subTest(f"{rival}, {side}"):
                stream.wait(seconds=150)  # TCP may wait for two minutes until it tries again
                self.assertGreaterEqual(pair.left.handshake(), resumed)
                stream.finish(seconds=150)
