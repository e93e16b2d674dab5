#!/usr/bin/env python3
"""A switch in user space that delays every frame and loses some: what the kernel's netem does where there is one.

Frames keep their order. Those from and to the ports of --not-for pass at once and unharmed.
"""

import argparse
import collections
import contextlib
import random
import select
import socket
import time

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
_PACKET_IGNORE_OUTGOING = 23
_SO_RCVBUFFORCE = 33
_HEADER = 10  # bytes of what the kernel says about checksum and segments; given back as it came
_LARGEST = 1 << 17


class Wire:
    def __init__(self, ports, spared, delay, loss):
        self._sockets = {name: self._open(name) for name in ports}
        self._spared = {self._sockets[name] for name in spared}
        self._delay = delay
        self._loss = loss
        self._home = {}  # address of a station → the socket behind which it is
        self._waiting = collections.deque()  # (when, frame, socket)

    @staticmethod
    def _open(name):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        made.setblocking(False)
        made.bind((name, _ETH_P_ALL))
        return made

    def run(self):
        poll = select.epoll()
        by_number = {made.fileno(): made for made in self._sockets.values()}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        print("ready", flush=True)
        while True:
            left = self._waiting[0][0] - time.monotonic() if self._waiting else 1.0
            for number, _ in poll.poll(max(0.0, left)):
                self._receive(by_number[number])
            now = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                _, frame, target = self._waiting.popleft()
                self._send(frame, target)

    def _receive(self, source):
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                frame = source.recv(_LARGEST)
                self._home[frame[_HEADER + 6:_HEADER + 12]] = source
                home = self._home.get(frame[_HEADER:_HEADER + 6])
                targets = [home] if home else [other for other in self._sockets.values() if other is not source]
                for target in targets:
                    if source in self._spared or target in self._spared:
                        self._send(frame, target)
                    elif random.random() >= self._loss:
                        self._waiting.append((time.monotonic() + self._delay, frame, target))

    @staticmethod
    def _send(frame, target):
        with contextlib.suppress(OSError):  # a full queue is one more loss
            target.send(frame)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, required=True)
    parser.add_argument("--loss-percent", type=float, required=True)
    parser.add_argument("--not-for", action="append", default=[])
    parser.add_argument("ports", nargs="+")
    options = parser.parse_args()
    Wire(options.ports, options.not_for, options.delay_ms / 1000, options.loss_percent / 100).run()


if __name__ == "__main__":
    main()
