"""The network of the demonstration: namespaces, a bridge, cables between them, and their removal.

    chain   node-a   node-b   provider   client   client2
    .10     .2       .3       .4 |       .5       .6          11.0.0.0/24, interface lan0
     |       |        |        | |        |        |
    =+=======+========+========+=|========+========+==  bridge br0 in `switch`, 11.0.0.1, forwards nothing
                                 |
                                wan0 11.9.0.1
                                 |
                               site 11.9.0.2             web server and name server

Everything lives inside the namespaces: nothing is ever added to the network of the machine itself, so deleting the
namespaces takes cables, addresses, routes, rules and tables with them.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

from demo.process import SIGNALS, DemoError, run, wait_until

SWITCH_ADDRESS = "11.0.0.1"
PROVIDER_WAN = "11.9.0.1"
SITE_ADDRESS = "11.9.0.2"
SITE_NAME = "files.myst.test"
LAN = {
    "chain": "11.0.0.10",
    "node-a": "11.0.0.2",
    "node-b": "11.0.0.3",
    "provider": "11.0.0.4",
    "client": "11.0.0.5",
    "client2": "11.0.0.6",
}
CLIENTS = ("client", "client2")
ROLES = ("switch", "site", *LAN)

ETC_NETNS = Path("/etc/netns")
TEMP = Path("/tmp")
UAPI_SOCKETS = Path("/var/run/wireguard")
_NAMESPACE = re.compile(r"^(myst-(\d+)-)(" + "|".join(ROLES) + r"|probe|n\d+)$")  # the last two: tools/network
_CLONE_NEWNET = 0x40000000


def temp_dir(prefix):
    """Where a run keeps its files; removed with its network."""
    return TEMP / f"{prefix}demo"


class Namespaces:
    """Namespaces of one run, and cables between them. `prefix` makes their names unique on this machine."""

    def __init__(self, prefix=None):
        self.prefix = prefix or f"myst-{os.getpid()}-"
        self.dir = temp_dir(self.prefix)
        self._owner = None

    def ns(self, role):
        """Name of a role's namespace as `ip netns` knows it."""
        return self.prefix + role

    def exec(self, role, argv):
        """The argument list that runs `argv` inside a role's namespace; the pid stays the caller's child."""
        return ["ip", "netns", "exec", self.ns(role), *argv]

    def ip(self, role, *arguments):
        return run(["ip", "-n", self.ns(role), *arguments]).stdout

    def ip_json(self, role, *arguments):
        return json.loads(run(["ip", "-n", self.ns(role), "-j", *arguments]).stdout or "[]")

    @contextlib.contextmanager
    def inside(self, role):
        """The calling thread is in a role's network until the block ends. Sockets opened in it stay there."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(descriptor):
            if libc.setns(descriptor, _CLONE_NEWNET) != 0:
                raise DemoError(f"cannot enter the namespace of {role}: {os.strerror(ctypes.get_errno())}")

        with SIGNALS.critical(), open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{self.ns(role)}", "rb") as there:
            enter(there.fileno())
            try:
                yield
            finally:
                enter(home.fileno())

    def connect(self, role, address, port, seconds=5.0):
        """A TCP connection from a role's network."""
        with self.inside(role):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(seconds)
        try:
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    def reaches(self, role, address, port, seconds=1.0):
        """Whether a TCP connection from a role's network succeeds."""
        try:
            self.connect(role, address, port, seconds).close()
        except OSError:
            return False
        return True

    def set_kernel(self, role, name, value):
        """Writes a /proc/sys/net setting of a namespace; one that this kernel lacks is skipped."""
        with self.inside(role), contextlib.suppress(FileNotFoundError):
            Path("/proc/sys/net", name).write_text(value)

    def claim(self):
        """Makes the folder of the run, and notes that its owner lives."""
        with SIGNALS.critical():
            self.dir.mkdir(mode=0o700)
            self._owner = open(self.dir / "owner", "w")
            fcntl.flock(self._owner, fcntl.LOCK_EX)

    def add(self, role):
        """Makes the namespace of a role."""
        with SIGNALS.critical():
            run(["ip", "netns", "add", self.ns(role)])
        self.set_kernel(role, "ipv4/ip_forward", "0")
        for scope in ("all", "default"):
            self.set_kernel(role, f"ipv6/conf/{scope}/accept_dad", "0")
        self.ip(role, "link", "set", "lo", "up")

    def bridge(self):
        """Makes the bridge in the namespace `switch`."""
        self.ip("switch", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        self.ip("switch", "addr", "add", f"{SWITCH_ADDRESS}/24", "dev", "br0")
        self.ip("switch", "link", "set", "br0", "up")

    def plug(self, role, address):
        """A cable from a role to the bridge."""
        port = f"p-{role}"
        self.ip("switch", "link", "add", port, "type", "veth", "peer", "name", "lan0", "netns", self.ns(role))
        self.ip("switch", "link", "set", port, "master", "br0")
        self.ip("switch", "link", "set", port, "up")
        self.ip(role, "addr", "add", f"{address}/24", "dev", "lan0")
        self.ip(role, "link", "set", "lan0", "up")

    def link_up(self, role, device):
        return self.ip_json(role, "link", "show", device)[0]["operstate"] == "UP"


class Topology(Namespaces):
    """The network of the demonstration."""

    def create(self):
        """Makes the whole network. On failure the caller removes what is there."""
        self.claim()
        for role in ROLES:
            self.add(role)
        self.bridge()
        for role, address in LAN.items():
            self.plug(role, address)
        self._cable_site()
        self.set_kernel("site", "ipv4/tcp_congestion_control", "reno")  # always there; the machine's choice may differ
        for role in CLIENTS:
            self.ip(role, "route", "add", "default", "via", SWITCH_ADDRESS)
            self._write_resolver(role)
        for role in LAN:
            wait_until(f"the link of {role}", lambda: self.link_up(role, "lan0"), 5)
        wait_until("the link between provider and site", lambda: self.link_up("site", "eth0"), 5)

    def _cable_site(self):
        self.ip("provider", "link", "add", "wan0", "type", "veth", "peer", "name", "eth0", "netns", self.ns("site"))
        for role, device, address in (("provider", "wan0", PROVIDER_WAN), ("site", "eth0", SITE_ADDRESS)):
            self.ip(role, "addr", "add", f"{address}/24", "dev", device)
            self.ip(role, "link", "set", device, "up")

    def _write_resolver(self, role):
        """A name server of the client's own, which does not exist: names resolve only through the tunnel.

        `ip netns exec` shows this file as /etc/resolv.conf inside, so what the daemon writes there stays here.
        """
        with SIGNALS.critical():
            folder = ETC_NETNS / self.ns(role)
            folder.mkdir(parents=True)
            (folder / "resolv.conf").write_text(f"nameserver {SWITCH_ADDRESS}\n")


def namespaces():
    """Names of all network namespaces of the machine."""
    listed = json.loads(run(["ip", "-j", "netns", "list"]).stdout.strip() or "[]")
    return [entry["name"] for entry in listed]


def pids_in(namespace):
    """Processes whose network is this namespace. All of them descend from the demonstration that made it."""
    done = run(["ip", "netns", "pids", namespace], check=False)
    return [int(word) for word in done.stdout.split()]


def _signal_all(names, number):
    found = 0
    for name in names:
        for pid in pids_in(name):
            found += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    return found


def _end_processes(names, grace):
    """Asks every process in these namespaces to end, then makes it."""
    _signal_all(names, signal.SIGCONT)
    deadline = time.monotonic() + grace
    found = _signal_all(names, signal.SIGTERM)
    while found and time.monotonic() < deadline:
        time.sleep(0.05)
        found = sum(len(pids_in(name)) for name in names)
    deadline = time.monotonic() + 10
    while _signal_all(names, signal.SIGKILL):
        if time.monotonic() >= deadline:
            raise DemoError("processes do not end even after SIGKILL: "
                            + ", ".join(f"{name} {pids_in(name)}" for name in names if pids_in(name)))
        time.sleep(0.02)


def _interfaces(names):
    found = set()
    for name in names:
        done = run(["ip", "-n", name, "-j", "link"], check=False)
        if done.returncode == 0:
            found.update(link["ifname"] for link in json.loads(done.stdout or "[]"))
    return found


def _remove_dead_sockets(interfaces):
    """Control sockets of WireGuard programs that could not remove them any more; a living one is left alone."""
    for name in interfaces:
        path = UAPI_SOCKETS / f"{name}.sock"
        if not path.is_socket():
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                pass


def remove(prefix, grace=3.0):
    """Removes all that a run with this prefix made. Can be repeated, and starts from any half-made state."""
    names = [name for name in namespaces() if (match := _NAMESPACE.match(name)) and match[1] == prefix]
    interfaces = _interfaces(names)
    _end_processes(names, grace)
    for name in names:
        run(["ip", "netns", "delete", name], check=False)
    _remove_dead_sockets(interfaces)
    for folder in ETC_NETNS.glob(prefix + "*"):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        ETC_NETNS.rmdir()
    shutil.rmtree(temp_dir(prefix), ignore_errors=True)


def prefixes():
    """Prefixes of all runs that left anything on this machine."""
    found = {match[1] for name in namespaces() if (match := _NAMESPACE.match(name))}
    for folder in ETC_NETNS.glob("myst-*"):
        if match := _NAMESPACE.match(folder.name):
            found.add(match[1])
    for folder in TEMP.glob("myst-*-demo"):
        if re.fullmatch(r"myst-\d+-demo", folder.name):
            found.add(folder.name.removesuffix("demo"))
    return sorted(found)


def owner_alive(prefix):
    """Whether the demonstration that made this network still runs: it holds a lock for as long as it lives."""
    try:
        with open(temp_dir(prefix) / "owner") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def is_kept(prefix):
    """Whether the network was left running on purpose."""
    return (temp_dir(prefix) / "kept").exists()


def remove_abandoned(*, kept):
    """Removes networks without a living owner; those kept on purpose only if `kept`."""
    for prefix in prefixes():
        if owner_alive(prefix):
            print(f"{prefix}*: its demonstration still runs; left alone", file=sys.stderr)
        elif kept or not is_kept(prefix):
            remove(prefix)
            print(f"{prefix}*: removed", file=sys.stderr)


def leftovers(prefix):
    """What is still there of a run, for people; empty if all is gone."""
    found = [f"namespace {name}" for name in namespaces() if name.startswith(prefix)]
    found += [f"folder {path}" for path in ETC_NETNS.glob(prefix + "*")]
    found += [f"folder {temp_dir(prefix)}"] if temp_dir(prefix).exists() else []
    return found
