"""Two machines in network namespaces, joined by a cable, each with a WireGuard interface that some program carries.

    left   out 11.0.0.1, fd00::1 ===== out 11.0.0.2, fd00::2   right         outside
           wg  10.9.0.1, fd09::1 ..... wg  10.9.0.2, fd09::2                 inside

Keys travel through standard input only.
"""

import base64
import itertools
import os
import signal
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from demo.process import Process, run, wait_until  # noqa: E402
from demo.topology import Namespaces  # noqa: E402

SOCKETS = Path("/var/run/wireguard")
PORT = 51820
PATIENCE = 20  # seconds until what should happen soon counts as failed
MTU = 1420
_numbers = itertools.count(1)


def new_key():
    return base64.b64encode(os.urandom(32)).decode()


def public_key(private):
    return run(["wg", "pubkey"], stdin=private).stdout.strip()


def outer(number, family):
    """The address of machine 1 or 2 on the cable."""
    return f"11.0.0.{number}" if family == 4 else f"fd00::{number}"


def inner(number, family):
    """The address of machine 1 or 2 inside the tunnel."""
    return f"10.9.0.{number}" if family == 4 else f"fd09::{number}"


def endpoint_text(address, port=PORT):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Machines(Namespaces):
    """`left` and `right`, each with one end of the cable."""

    ROLES = ("left", "right")

    def __init__(self, link_mtu=1500):
        super().__init__(f"wgt{os.getpid()}-{next(_numbers)}-")
        self.link_mtu = link_mtu

    def create(self):
        for role in self.ROLES:
            self.add(role)
            self.set_kernel(role, "ipv4/conf/all/promote_secondaries", "1")  # one address may go, the other stay
        self.ip("left", "link", "add", "out", "type", "veth", "peer", "name", "out", "netns", self.ns("right"))
        for number, role in enumerate(self.ROLES, 1):
            self.add_addresses(role, "out", outer(number, 4), outer(number, 6))
            self.ip(role, "link", "set", "out", "mtu", str(self.link_mtu), "up")

    def add_addresses(self, role, link, v4, v6):
        self.ip(role, "address", "add", f"{v4}/24", "dev", link)
        self.ip(role, "address", "add", f"{v6}/64", "dev", link, "nodad")

    def move(self, role, family, number):
        """A machine gets another address on the cable, and then loses the one it had."""
        length = 24 if family == 4 else 64
        shown = self.ip_json(role, f"-{family}", "address", "show", "dev", "out", "scope", "global")
        old = [entry["local"] for entry in (shown[0]["addr_info"] if shown else []) if "local" in entry]
        new = outer(number, family)
        if new not in old:
            self.ip(role, "address", "add", f"{new}/{length}", "dev", "out", *(["nodad"] if family == 6 else []))
        for address in old:
            if address != new:
                self.ip(role, "address", "del", f"{address}/{length}", "dev", "out")

    def remove(self):
        for role in self.ROLES:
            run(["ip", "netns", "delete", self.ns(role)], check=False)

    def dropped(self, role):
        """Datagrams that a machine's kernel dropped because their program did not come to read them."""
        def lines(table):
            return [line.split() for line in run(self.exec(role, ["cat", f"/proc/net/{table}"])).stdout.splitlines()]

        names, values = (line for line in lines("snmp") if line[0] == "Udp:")
        return int(dict(zip(names, values))["RcvbufErrors"]) + int(dict(lines("snmp6"))["Udp6RcvbufErrors"])

    def socket(self, role, family, kind, protocol=0):
        """A socket of a machine. The caller closes it."""
        with self.inside(role):
            return socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind, protocol)


class End:
    """One machine's interface, its keys and the program that carries it."""

    def __init__(self, machines, role, program, logs):
        self.machines = machines
        self.role = role
        self.number = Machines.ROLES.index(role) + 1
        self.program = [str(part) for part in program]
        self.link = f"wg{next(_numbers)}{role[0]}"
        self.log = Path(logs) / f"{Path(program[0]).name}-{self.link}.log"
        self.private = new_key()
        self.public = public_key(self.private)
        self.mtu = MTU
        self.process = None

    @property
    def uapi(self):
        """Where `wg` finds the program."""
        return SOCKETS / f"{self.link}.sock"

    def start(self):
        """The program makes the interface; it gets its key and addresses, and goes up."""
        argv = self.machines.exec(self.role, [*self.program, self.link])
        self.process = Process(self.link, argv, self.log, env=os.environ | {"LOG_LEVEL": "error"})
        wait_until(f"{self.program[0]} to make {self.link}", self.answers, PATIENCE, log=self.log,
                   process=self.process)
        text = f"[Interface]\nPrivateKey = {self.private}\nListenPort = {PORT}\n"
        self.wg("setconf", None, "/dev/stdin", stdin=text)
        self.machines.add_addresses(self.role, self.link, inner(self.number, 4), inner(self.number, 6))
        self.machines.ip(self.role, "link", "set", self.link, "mtu", str(self.mtu), "up")

    def answers(self):
        """Whether a program listens for `wg`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self.uapi)) == 0

    def set_mtu(self, mtu):
        self.mtu = mtu
        self.machines.ip(self.role, "link", "set", self.link, "mtu", str(mtu))

    def kill(self):
        """The interface goes with its program, which has no time to say goodbye."""
        self.process.kill()
        self.uapi.unlink(missing_ok=True)

    def signal(self, number):
        self.process.send(number)

    def stop(self):
        if self.process:
            self.process.stop()

    def wg(self, *arguments, stdin=None, check=True):
        """Runs `wg`, which finds the program by its socket; where an argument is None, the interface."""
        return run(["wg", *(self.link if part is None else part for part in arguments)], stdin=stdin, check=check)

    def shown(self, what):
        """What `wg show` says of the one peer: its last column."""
        return self.wg("show", None, what).stdout.rstrip("\n").rpartition("\t")[2]

    def handshake(self):
        """When the last one was, in seconds since 1970; 0: never."""
        return int(self.shown("latest-handshakes") or 0)

    def transferred(self):
        """Bytes received and sent."""
        fields = self.wg("show", None, "transfer").stdout.split()
        return int(fields[1]), int(fields[2])

    def forget_all(self):
        for key in self.wg("show", None, "peers").stdout.split():
            self.wg("set", None, "peer", key, "remove")

    def forget(self, peer):
        self.wg("set", None, "peer", peer.public, "remove")

    def add_peer(self, peer, *, endpoint=None, preshared=None):
        self.wg("addconf", None, "/dev/stdin", stdin="\n".join(peer_lines(peer, endpoint, preshared)) + "\n")


def peer_lines(peer, endpoint, preshared):
    """The section of a configuration for the other end."""
    addresses = f"{inner(peer.number, 4)}/32, {inner(peer.number, 6)}/128"
    lines = ["[Peer]", f"PublicKey = {peer.public}", f"AllowedIPs = {addresses}"]
    if endpoint:
        lines.append(f"Endpoint = {endpoint_text(endpoint)}")
    if preshared:
        lines.append(f"PresharedKey = {preshared}")
    return lines


class Pair:
    """Both ends. Without `connect` they do not know each other."""

    def __init__(self, left, right, logs, link_mtu=1500):
        self.machines = Machines(link_mtu)
        self.left = End(self.machines, "left", left, logs)
        self.right = End(self.machines, "right", right, logs)

    def start(self):
        self.machines.create()
        for end in self.ends:
            end.start()

    def remove(self):
        for end in self.ends:
            end.stop()
        self.machines.remove()

    @property
    def ends(self):
        return self.left, self.right

    def other(self, end):
        return self.right if end is self.left else self.left

    def connect(self, *, family=4, begins=None, preshared=None):
        """Both forget all there was. Only the end that begins knows where the other is; None: both do."""
        for end in self.ends:
            end.forget_all()
        for end in self.ends:
            known = begins in (None, end)
            other = self.other(end)
            end.add_peer(other, endpoint=outer(other.number, family) if known else None, preshared=preshared)

    def restart(self, end):
        """The program dies and another takes its place, which knows the other end's address."""
        other = self.other(end)
        end.kill()
        end.start()
        end.add_peer(other, endpoint=outer(other.number, 4))

    def hold(self, end):
        end.signal(signal.SIGSTOP)

    def resume(self, end):
        end.signal(signal.SIGCONT)
