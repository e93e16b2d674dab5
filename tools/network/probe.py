"""The program that publishes and watches (bench/network): one process, one command at a time."""

import json
import subprocess

from demo.daemons import RELAY_PORT
from demo.process import DemoError, Process, tail
from network.lan import address_of


class Probe:
    def __init__(self, lan, program, log):
        urls = [f"ws://{address_of(node)}:{RELAY_PORT}" for node in lan.nodes]
        self._process = Process("probe", lan.exec("probe", [str(program), *urls]), log, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        self._log = log

    def ask(self, what, nodes, *, seconds=60, patience=None, **more):
        """Carries out a command; its answer, or DemoError."""
        command = {"do": what, "nodes": list(nodes), "seconds": seconds, **more}
        answer = self._process.exchange(json.dumps(command), patience or seconds + 60)
        if answer is None:
            raise DemoError(f"the probe does not answer to {what}\n{tail(self._log)}")
        result = json.loads(answer)
        if "error" in result:
            raise DemoError(f"the probe: {what}: {result['error']}")
        return result
