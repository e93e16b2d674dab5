"""Two network namespaces with a link between them, and through it a tunnel that some program carries."""

import contextlib
import json
import os
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

CLIENT, SERVER = 0, 1
SIDES = (CLIENT, SERVER)
MTU = "1420"
SOCKET_BUFFER = "4194304"  # for programs that can be told


def run(*command, timeout=60, **options):
    """The output of a command that must succeed."""
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, timeout=timeout,
                          **options).stdout


def wait_for(condition, what, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def resident(process, field):
    """Bytes of memory of a process: `VmRSS` is what it has now, `VmHWM` what it had at most."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


class Tunnel:
    """The link without a tunnel; what derives from it starts programs that make one. Used in a `with`."""

    target = "10.0.0.2"  # where the client finds the server
    port = 5201  # and its iperf3
    echoes = True  # pings get through

    def __init__(self, pinned=False):
        self.pinned = pinned
        self.names = [f"mystbt{os.getpid()}{side}" for side in "cs"]
        self.interfaces = [f"bt{os.getpid() % 10 ** 8}{side}" for side in "cs"]
        self.processes = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:  # undoes what was done if something fails
            self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
            self._join()
            try:
                self.start()
                if self.echoes:
                    wait_for(self._answers, "a ping is answered")
            except RuntimeError as error:
                raise RuntimeError(f"{error}\n{self._logs()}") from error
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        """Starts the programs and configures their interfaces."""

    def enter(self, side, *command):
        """The command, to be run in the namespace of a side."""
        pin = ["taskset", "-c", str(side % os.cpu_count())] if self.pinned else []
        return ["ip", "netns", "exec", self.names[side], *pin, *map(str, command)]

    def inside(self, side, *command, **options):
        return run(*self.enter(side, *command), **options)

    def spawn(self, side, *command):
        """Starts a program that runs as long as the tunnel is there."""
        log = self.stack.enter_context((self.folder / f"log{side}").open("w"))
        process = subprocess.Popen(self.enter(side, *command), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env=os.environ | {"WG_PROCESS_FOREGROUND": "1"})
        self.processes.append(process)
        self.stack.callback(self._end, process)

    def memory(self):
        """Bytes of the end that has most, now and at most."""
        return {key: max((resident(process, field) for process in self.processes), default=0)
                for key, field in (("rss_bytes", "VmRSS"), ("peak_rss_bytes", "VmHWM"))}

    def _join(self):
        for name in self.names:
            run("ip", "netns", "add", name)
            self.stack.callback(subprocess.run, ["ip", "netns", "del", name], capture_output=True, check=False)
            # A socket that begins with bbr goes on pacing by timers whatever it is told later.
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno")
        run("ip", "link", "add", "out", "netns", self.names[0], "type", "veth", "peer", "name", "out", "netns",
            self.names[1])
        for number, name in enumerate(self.names, 1):
            run("ip", "-n", name, "address", "add", f"10.0.0.{number}/24", "dev", "out")
            for link in ("lo", "out"):
                run("ip", "-n", name, "link", "set", link, "up")

    def _answers(self):
        ping = self.enter(CLIENT, "ping", "-c", "1", "-W", "1", self.target)
        return subprocess.run(ping, capture_output=True, check=False).returncode == 0

    def _logs(self):
        return "".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("log*")))

    @staticmethod
    def _end(process):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


class WireGuard(Tunnel):
    target = "10.9.0.2"

    def __init__(self, *program, **options):
        super().__init__(**options)
        self.program = program  # and its arguments, without the interface

    def start(self):
        keys = [run("wg", "genkey") for _ in SIDES]
        public = [run("wg", "pubkey", input=key).strip() for key in keys]
        for side, interface in enumerate(self.interfaces):
            self.spawn(side, *self.program, interface)
        for side, interface in enumerate(self.interfaces):
            wait_for(Path(f"/var/run/wireguard/{interface}.sock").exists, f"{self.program[0]} makes {interface}")
            settings = self.folder / f"{interface}.conf"
            settings.touch(0o600)
            settings.write_text(f"[Interface]\nPrivateKey = {keys[side]}ListenPort = 51820\n[Peer]\nPublicKey = "
                                f"{public[1 - side]}\nAllowedIPs = 10.9.0.{2 - side}/32\n"
                                f"Endpoint = 10.0.0.{2 - side}:51820\n")
            self.inside(side, "wg", "setconf", interface, settings)
            run("ip", "-n", self.names[side], "address", "add", f"10.9.0.{side + 1}/24", "dev", interface)
            run("ip", "-n", self.names[side], "link", "set", interface, "mtu", MTU, "up")


class OpenVpn(Tunnel):
    """In userspace, with the cipher that WireGuard has, too."""

    target = "10.9.0.2"
    cipher = "CHACHA20-POLY1305"

    def start(self):
        prints = [self._certify(side) for side in SIDES]
        for side, role in ((SERVER, "--tls-server"), (CLIENT, "--tls-client")):
            self.spawn(side, "openvpn", "--dev", self.interfaces[side], "--dev-type", "tun", "--proto", "udp", "--port",
                       "1194", "--remote", f"10.0.0.{2 - side}", "--ifconfig", f"10.9.0.{side + 1}",
                       f"10.9.0.{2 - side}", role, *(["--dh", "none"] if side == SERVER else []), "--cert",
                       self.folder / f"{side}.crt", "--key", self.folder / f"{side}.key", "--peer-fingerprint",
                       prints[1 - side], "--data-ciphers", self.cipher, "--disable-dco", "--sndbuf", SOCKET_BUFFER,
                       "--rcvbuf", SOCKET_BUFFER, "--tun-mtu", MTU, "--mssfix", "0", "--fast-io", "--verb", "4")
        wait_for(lambda: f"cipher '{self.cipher}'" in self._logs(), f"OpenVPN agrees on {self.cipher}")

    def _certify(self, side):
        """Makes a key and a certificate for it, and returns the certificate's fingerprint."""
        files = {kind: self.folder / f"{side}.{kind}" for kind in ("key", "crt")}
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
            "-subj", f"/CN=side{side}", "-keyout", files["key"], "-out", files["crt"])
        return run("openssl", "x509", "-in", files["crt"], "-noout", "-fingerprint", "-sha256").strip().split("=")[1]


class Shadowsocks(Tunnel):
    """No tunnel of packets, but a proxy: it takes connections and datagrams to one address at a port of the client's."""

    target = "127.0.0.1"
    port = 5301
    echoes = False

    def start(self):
        shared = {"server": "10.0.0.2", "server_port": 8388, "password": secrets.token_hex(16),
                  "method": "chacha20-ietf-poly1305", "mode": "tcp_and_udp", "timeout": 60}
        entrance = {"local_address": self.target, "local_port": self.port, "tunnel_address": "10.0.0.2:5201"}
        for side, program, settings in ((SERVER, "ss-server", shared), (CLIENT, "ss-tunnel", shared | entrance)):
            file = self.folder / f"{side}.json"
            file.touch(0o600)
            file.write_text(json.dumps(settings))
            self.spawn(side, program, "-c", file)
        for side, port in ((SERVER, 8388), (CLIENT, self.port)):
            wait_for(lambda: self.inside(side, "ss", "-Hltn", f"sport = :{port}"), f"Shadowsocks listens at {port}")
