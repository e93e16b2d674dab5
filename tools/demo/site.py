"""The web site of the demonstration: an ordinary nginx with files of random data, and a dnsmasq that knows its name."""

import hashlib
import os
from dataclasses import dataclass

from demo.process import Process, wait_until
from demo.topology import SITE_ADDRESS, SITE_NAME

MIB = 1 << 20

_NGINX = """\
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    sendfile on;
    server {{
        listen {address}:80;
        root {folder}/files;
    }}
}}
"""


@dataclass(frozen=True)
class SiteFile:
    """A file the site offers."""

    url: str
    size: int
    sha256: str


def make_file(path, mib):
    """Writes `mib` MiB of random data and returns size and hash."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(mib):
            block = os.urandom(MIB)
            digest.update(block)
            file.write(block)
    return mib * MIB, digest.hexdigest()


def hash_of(path):
    """SHA-256 of a file in hex; of nothing if it does not exist."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(MIB):
                digest.update(block)
    except FileNotFoundError:
        pass
    return digest.hexdigest()


class Site:
    """Runs in the namespace `site`; needs a created topology."""

    def __init__(self, topology, logs):
        self._topology = topology
        self._logs = logs
        self._folder = topology.dir / "site"
        self.files = {}

    def start(self, sizes):
        """`sizes`: name → MiB. Returns when both servers answer."""
        (self._folder / "files").mkdir(parents=True)
        for name, mib in sizes.items():
            size, digest = make_file(self._folder / "files" / name, mib)
            self.files[name] = SiteFile(f"http://{SITE_NAME}/{name}", size, digest)
        config = self._folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self._folder, address=SITE_ADDRESS))
        web = self._start("nginx", ["nginx", "-e", str(self._folder / "error.log"), "-p", str(self._folder),
                                    "-c", str(config)])
        names = self._start("dnsmasq", ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                                        "--no-hosts", "--user=root", "--pid-file=", "--log-facility=-",
                                        f"--listen-address={SITE_ADDRESS}", "--bind-interfaces",
                                        f"--address=/{SITE_NAME}/{SITE_ADDRESS}"])
        wait_until("the web server", lambda: self._topology.reaches("site", SITE_ADDRESS, 80), 10,
                   log=web.log, process=web)
        wait_until("the name server", lambda: self._topology.reaches("site", SITE_ADDRESS, 53), 10,
                   log=names.log, process=names)

    def _start(self, name, argv):
        return Process(name, self._topology.exec("site", argv), self._logs / f"{name}.log")
