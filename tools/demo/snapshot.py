"""What a namespace's network looks like, without what changes by itself, so that before and after can be compared."""

import json
import os
import re
import socket
from pathlib import Path

from demo.process import run
from demo.topology import ETC_NETNS, UAPI_SOCKETS, pids_in

_LINK = ("ifname", "link_type", "mtu", "master")
_ADDRESS = ("family", "local", "prefixlen", "scope")
_ROUTE = ("type", "dst", "gateway", "dev", "table", "protocol", "scope", "prefsrc", "metric")
_VOLATILE = ("handle", "packets", "bytes")


def _only(entry, keys):
    return {key: entry[key] for key in keys if key in entry}


def _steady(value):
    """A table without handles, counters and version."""
    if isinstance(value, dict):
        return {key: _steady(part) for key, part in value.items() if key not in _VOLATILE and key != "metainfo"}
    if isinstance(value, list):
        return [_steady(part) for part in value]
    return value


def tables(topology, role):
    """Everything nftables has in a namespace."""
    text = run(topology.exec(role, ["nft", "-j", "list", "ruleset"])).stdout
    return [entry for entry in _steady(json.loads(text)["nftables"]) if entry != {}]


def network(topology, role):
    """Interfaces, addresses, routes of all tables, rules, nftables, and the name server of a namespace."""
    found = []
    for link in topology.ip_json(role, "addr"):
        found.append({"link": _only(link, _LINK)})
        found += [{"address": _only(entry, _ADDRESS), "on": link["ifname"]} for entry in link["addr_info"]]
    for family in ("-4", "-6"):
        routes = topology.ip_json(role, family, "route", "show", "table", "all")
        found += [{"route": _only(route, _ROUTE), "family": family} for route in routes]
        found += [{"rule": rule, "family": family} for rule in topology.ip_json(role, family, "rule")]
    found += [{"nft": entry} for entry in tables(topology, role)]
    resolver = ETC_NETNS / topology.ns(role) / "resolv.conf"
    if resolver.exists():
        found.append({"resolv.conf": resolver.read_text()})
    return found


def interfaces(topology, role):
    return {link["ifname"] for link in topology.ip_json(role, "link")}


def exit_tables(pid):
    """The packet filter in the nameless namespace where a provider's daemon forwards its customers' packets; as text.

    The daemon holds that namespace by a descriptor, which is the only door to it.
    """
    own = os.stat(f"/proc/{pid}/ns/net").st_ino
    texts = []
    for entry in sorted(Path(f"/proc/{pid}/fd").iterdir()):
        try:
            if os.readlink(entry).startswith("net:[") and os.stat(entry).st_ino != own:
                texts.append(run(["nsenter", f"--net={entry}", "nft", "list", "ruleset"]).stdout)
        except FileNotFoundError:
            continue
    return "\n".join(texts)


def exit_peers(tables):
    """The addresses inside the tunnel that the exit's filter lets in, of what `exit_tables` gave."""
    peers = re.search(r"set peers \{[^}]*elements = \{([^}]*)\}", tables)
    return {address.strip() for address in peers[1].split(",")} if peers else set()


def userspace_peers(namespace):
    """Peers of the wireguard-go programs of a namespace; None if there is no such program."""
    names = []
    for pid in pids_in(namespace):
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if argv[0].endswith(b"wireguard-go"):
            names.append(argv[-2].decode())
    if not names:
        return None
    answers = [_ask_program(name) for name in names]
    return sum(line.startswith("public_key=") for answer in answers for line in answer.splitlines())


def _ask_program(name):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(5)
        control.connect(str(UAPI_SOCKETS / f"{name}.sock"))
        control.sendall(b"get=1\n\n")
        answer = b""
        while not answer.endswith(b"\n\n"):
            part = control.recv(65536)
            if not part:
                break
            answer += part
    return answer.decode()
