"""A download with curl in a client's namespace, resumed where it stopped if the tunnel was gone for a while."""

import os
import time

from demo.process import DemoError, Process, tail
from demo.site import hash_of


class Download:
    """Fetches one file of the site by name. Poll `step` until it returns True."""

    def __init__(self, topology, role, file, logs):
        self._file = file
        self._path = topology.dir / f"{role}-{file.url.rsplit('/', 1)[1]}"
        self._log = logs / f"curl-{role}.log"
        self._argv = topology.exec(role, ["curl", "--silent", "--show-error", "--fail", "--connect-timeout", "3",
                                          "--speed-limit", "1", "--speed-time", "5", "--continue-at", "-",
                                          "--output", str(self._path), file.url])
        self._curl = None
        self.resumed = 0

    def start(self):
        self._curl = Process("curl", self._argv, self._log)

    @property
    def size(self):
        """Bytes that have arrived."""
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0

    def step(self, *, resume=False):
        """True when complete. A failed curl is an error, or with `resume` is started again where it stopped."""
        status = self._curl.poll()
        if status is None:
            return False
        if status == 0 and self.size == self._file.size:
            return True
        if not resume:
            raise DemoError(f"curl ended with status {status} after {self.size} of {self._file.size} bytes\n"
                            f"{tail(self._log)}")
        self.resumed += 1
        self.start()
        return False

    def correct(self):
        """Whether what arrived is the file, by its SHA-256."""
        return hash_of(self._path) == self._file.sha256

    def stalled(self, seconds=2.0, within=30.0):
        """Waits until nothing has arrived for `seconds`; False if it still flows after `within` or is complete."""
        deadline = time.monotonic() + within
        size, since = self.size, time.monotonic()
        while time.monotonic() < deadline and size < self._file.size:
            time.sleep(0.05)
            if self.size != size:
                size, since = self.size, time.monotonic()
            elif time.monotonic() - since >= seconds:
                return True
        return False

    def abandon(self):
        self._curl.kill()
