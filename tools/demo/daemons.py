"""The nodes of the demonstration: one configuration, daemon and console for each, in its own namespace."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from demo.chain import CHAIN_ID, RPC_URL, TOKEN
from demo.process import DemoError, Process, run, tail, wait_until
from demo.topology import LAN, SITE_ADDRESS

RELAY_PORT = 7777
WIREGUARD_PORT = 51820
API_PORT = 4449
CREDIT_BYTES = 1 << 20
CHUNK = 1 << 20
PRICE_GIB = TOKEN // 20
PRICE_GIB_DEAR = TOKEN // 10
PRICE_HOUR = TOKEN // 5000
RISK_LIMIT = TOKEN
COUNTRY = "NL"


@dataclass(frozen=True)
class Binaries:
    """Where the two programs are."""

    daemon: Path
    console: Path


def relay_url(role):
    return f"ws://{LAN[role]}:{RELAY_PORT}"


def tokens(units):
    """An amount for configuration, console and people: in whole tokens, exact."""
    whole, rest = divmod(units, TOKEN)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") if rest else str(whole)


def to_toml(settings):
    """A configuration text from nested dictionaries; top-level values come before the tables."""
    def value(item):
        if isinstance(item, bool):
            return "true" if item else "false"
        if isinstance(item, (list, tuple)):
            return "[" + ", ".join(value(part) for part in item) + "]"
        return str(item) if isinstance(item, int) else json.dumps(str(item))

    lines = [f"{key} = {value(item)}" for key, item in settings.items() if not isinstance(item, dict)]
    for table, members in settings.items():
        if isinstance(members, dict):
            lines += ["", f"[{table}]"] + [f"{key} = {value(item)}" for key, item in members.items()]
    return "\n".join(lines) + "\n"


def _common(folder, chain, mode):
    return {
        "data_dir": folder,
        "log": {"level": "debug"},
        "api": {"address": "127.0.0.1", "port": API_PORT},
        "chain": {"endpoints": [RPC_URL], "chain_id": CHAIN_ID, "lanes": chain.lanes.address,
                  "token": chain.token.address, "poll_ms": 250, "mode": mode},
        "keys": {"strength": "light"},
    }


def full_node(folder, chain, peers):
    """A node that keeps the database and the chain's tables."""
    settings = _common(folder, chain, "index")
    settings["db"] = {"listen": f"0.0.0.0:{RELAY_PORT}", "relays": [relay_url(peer) for peer in peers]}
    return settings


def seller(settings, role, *, name, price_gib, uplink, stake=0):
    """Adds an offer to a full node."""
    settings["provider"] = {
        "enabled": True, "autostart": False, "country": COUNTRY, "name": name,
        "terms": "Demonstration only.", "price_gib": tokens(price_gib), "price_hour": tokens(PRICE_HOUR),
        "risk_limit": tokens(RISK_LIMIT), "credit_bytes": CREDIT_BYTES, "endpoint": LAN[role],
        "wireguard_port": WIREGUARD_PORT, "dns": [SITE_ADDRESS], "uplink": uplink,
        "settle_overhead_percent": 0,  # the story asks for the settlement
        "stake": tokens(stake),
    }
    return settings


def consumer(folder, chain, relay, reserve_ahead=0):
    """A client that keeps nothing, asks one full node, and pays for each mebibyte."""
    settings = _common(folder, chain, "light")
    settings["db"] = {"relays": [relay_url(relay)]}
    settings["consumer"] = {"enabled": True, "chunk_bytes": CHUNK, "reserve_ahead": tokens(reserve_ahead)}
    return settings


class Node:
    """One daemon and its console."""

    def __init__(self, topology, role, binaries, logs, settings):
        self.role = role
        self.log = logs / f"{role}.log"
        self._topology = topology
        self._binaries = binaries
        self._folder = Path(settings["data_dir"])
        self._config = topology.dir / f"{role}.toml"
        self._process = None
        self.configure(settings)

    @property
    def process(self):
        return self._process

    @property
    def folder(self):
        """The daemon's data directory."""
        return self._folder

    def configure(self, settings):
        """Writes the configuration that the next start reads."""
        self._config.write_text(to_toml(settings))

    def start(self):
        """Starts the daemon without waiting for it."""
        argv = [self._binaries.daemon, "--config", self._config]
        self._process = Process(f"mystd of {self.role}", self._topology.exec(self.role, argv), self.log)

    def wait_ready(self, seconds=15):
        """Until the daemon answers its console."""
        return wait_until(f"the daemon of {self.role} to answer", lambda: self.ask("status"), seconds, log=self.log,
                          process=self._process)

    def console(self, *arguments):
        """The argument list of a console command in this node's namespace."""
        return self._topology.exec(self.role, [str(self._binaries.console), "--data-dir", str(self._folder),
                                               *[str(part) for part in arguments]])

    def ask(self, *arguments, timeout=30.0):
        """Runs a console command and returns its JSON answer; a refusal is a DemoError with the daemon's words."""
        done = run(self.console("--json", *arguments), check=False, timeout=timeout)
        what = f"myst {' '.join(str(part) for part in arguments)} on {self.role}"
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = None
        if done.returncode != 0:
            said = answer.get("error", answer) if isinstance(answer, dict) else (done.stderr or done.stdout).strip()
            raise DemoError(f"{what}: exit status {done.returncode}: {said}")
        if not isinstance(answer, dict):
            raise DemoError(f"{what}: no JSON in the answer: {done.stdout[:200]!r}")
        return answer

    def wait_for(self, what, probe, seconds):
        """Like wait_until, with this daemon's log, and giving up when the daemon ends."""
        return wait_until(what, probe, seconds, log=self.log, process=self._process)

    def kill(self):
        """SIGKILL: the daemon gets no chance to save anything."""
        self._process.kill()

    def freeze(self):
        self._process.send(signal.SIGSTOP)

    def thaw(self):
        self._process.send(signal.SIGCONT)

    def stop(self, seconds=10):
        """Asks the daemon to end and returns its exit status."""
        self._process.send(signal.SIGCONT)
        self._process.send(signal.SIGTERM)
        status = self._process.wait(seconds)
        if status is None:
            self._process.kill()
            raise DemoError(f"the daemon of {self.role} did not end within {seconds} s of SIGTERM\n{tail(self.log)}")
        return status
