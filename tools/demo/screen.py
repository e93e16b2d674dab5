"""What the person at the terminal sees while the demonstration runs."""

import sys
import time

_CLEAR = "\r\x1b[K"


class Screen:
    """Headings with the time each step took, facts below them, and one line that is overwritten while data moves."""

    def __init__(self):
        self._began = time.monotonic()
        self._step_began = None
        self._live_shown = ""
        self._live_at = 0.0
        self._terminal = sys.stdout.isatty()
        self.steps = []

    def heading(self, text):
        self.end_step()
        self._step_began = time.monotonic()
        self.steps.append([text, None])
        print(f"\n{text}", flush=True)

    def end_step(self):
        if self._step_began is not None and self.steps[-1][1] is None:
            self.steps[-1][1] = time.monotonic() - self._step_began
            self._drop_live()
            print(f"    done in {self.steps[-1][1]:.1f} s", flush=True)

    def fact(self, text):
        self._drop_live()
        print(f"    {text}", flush=True)

    def check(self, name, holds, detail):
        self.fact(f"{'ok  ' if holds else 'FAIL'} {name}: {detail}")

    def live(self, text):
        """Overwrites the line on a terminal; elsewhere writes one line in two seconds at most."""
        now = time.monotonic()
        if self._terminal:
            print(f"{_CLEAR}    {text}", end="", flush=True)
            self._live_shown = text
        elif now - self._live_at >= 2:
            print(f"    {text}", flush=True)
            self._live_at = now

    def _drop_live(self):
        if self._live_shown:
            print(_CLEAR, end="")
            self._live_shown = ""

    def failure(self, error):
        self._drop_live()
        kind = "" if isinstance(error, str) or type(error).__name__ == "DemoError" else f"{type(error).__name__}: "
        print(f"\nFAILED: {kind}{error}", flush=True)

    def elapsed(self):
        return time.monotonic() - self._began
