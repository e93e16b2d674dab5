"""What passes through a tunnel, and is compared byte for byte where it arrives."""

import os
import random
import socket
import struct
import threading
import time

from pair import PATIENCE, inner

BLOCK = 32 * 1024
_HEADER = 8
_CONTENT = random.Random(1).randbytes(BLOCK - _HEADER)


class Damaged(AssertionError):
    """Something arrived that was not sent, or did not arrive."""


def _bound(machines, role, number, family, kind):
    made = machines.socket(role, family, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((inner(number, family), 0))
    made.settimeout(PATIENCE)
    return made


def datagrams(pair, family, sizes, first):
    """Sends a datagram of each size to the other end and back. Of the first one the handshake may come."""
    ends = (pair.left, pair.right) if first is pair.left else (pair.right, pair.left)
    with _bound(pair.machines, ends[0].role, ends[0].number, family, socket.SOCK_DGRAM) as one, \
            _bound(pair.machines, ends[1].role, ends[1].number, family, socket.SOCK_DGRAM) as other:
        for size in sizes:
            for source, target in ((one, other), (other, one)):
                _datagram(source, target, os.urandom(size))


def _datagram(source, target, content):
    source.sendto(content, target.getsockname())
    try:
        arrived, _ = target.recvfrom(1 << 17)
    except TimeoutError:
        raise Damaged(f"a datagram of {len(content)} bytes from {source.getsockname()[0]} did not arrive") from None
    if arrived != content:
        raise Damaged(f"of {len(content)} bytes {len(arrived)} arrived, or others")


def pings(pair, family, sizes, source):
    """ICMP echoes whose answers must hold what was sent."""
    echo, answer, protocol = (8, 0, socket.IPPROTO_ICMP) if family == 4 else (128, 129, socket.IPPROTO_ICMPV6)
    target = pair.other(source)
    with pair.machines.socket(source.role, family, socket.SOCK_RAW, protocol) as raw:
        raw.settimeout(PATIENCE)
        for number, size in enumerate(sizes):
            content = os.urandom(size)
            header = struct.pack("!BBHHH", echo, 0, 0, 77, number & 0xffff)
            packet = header + content
            if family == 4:  # for IPv6 the kernel does it
                packet = packet[:2] + struct.pack("!H", _checksum(packet)) + packet[4:]
            raw.sendto(packet, (inner(target.number, family), 0))
            _await_answer(raw, family, (answer, number & 0xffff), content)


def _await_answer(raw, family, wanted, content):
    while True:
        try:
            packet = raw.recv(1 << 17)
        except TimeoutError:
            raise Damaged(f"no answer to an echo of {len(content)} bytes") from None
        if family == 4:
            packet = packet[20:]
        kind, _, _, identity, number = struct.unpack("!BBHHH", packet[:8])
        if (kind, number) == wanted and identity == 77:
            if packet[8:] != content:
                raise Damaged(f"an echo of {len(content)} bytes came back changed")
            return


def _checksum(packet):
    if len(packet) % 2:
        packet += b"\0"
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class _BothWays:
    """Two sockets, at the left and at the right, each with a thread that sends and one that receives. Used in a `with`."""

    def _begin(self):
        self._sending = True
        self._errors = []
        self._threads = [threading.Thread(target=self._guarded, args=(work, side), daemon=True)
                         for work in (self._send, self._receive) for side in (0, 1)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def _guarded(self, work, side):
        try:
            work(self._sockets[side], side)
        except (OSError, Damaged) as error:
            self._errors.append(error)


class Stream(_BothWays):
    """A TCP connection inside, on which both ends send numbered blocks until told to stop.

    With `pace`, each sends at most so many bytes per second.
    """

    def __init__(self, pair, family=4, pace=None):
        self.pace = pace
        self._progress = threading.Condition()
        self.received = [0, 0]  # bytes at the left, at the right
        self.longest_gap = 0.0  # seconds in which nothing arrived at one of them
        self._sent = [0, 0]
        with _bound(pair.machines, "right", 2, family, socket.SOCK_STREAM) as listener:
            listener.listen(1)
            self._sockets = [_bound(pair.machines, "left", 1, family, socket.SOCK_STREAM)]
            self._sockets[0].connect(listener.getsockname())
            self._sockets.append(listener.accept()[0])
        for end in self._sockets:
            end.settimeout(None)
        self._begin()

    def __exit__(self, *_):
        self._sending = False
        for end in self._sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._sockets:
            end.close()

    def wait(self, count=1 << 20, seconds=PATIENCE):
        """Until so many bytes more have arrived at both ends."""
        wanted = [got + count for got in self.received]
        self._wait(lambda: all(got >= want for got, want in zip(self.received, wanted)), seconds,
                   lambda: f"{count} bytes more at both ends; at {self.received}")

    def finish(self, seconds=PATIENCE):
        """Both stop sending; all that was sent arrives. Bytes that arrived at each."""
        self._sending = False
        self._wait(lambda: not any(thread.is_alive() for thread in self._threads), seconds,
                   lambda: f"the end of the stream; {self._sent} sent, {self.received} arrived")
        if self.received != self._sent[::-1]:
            raise Damaged(f"{self._sent} bytes were sent, {self.received} arrived")
        return tuple(self.received)

    def _wait(self, holds, seconds, what):
        deadline = time.monotonic() + seconds
        with self._progress:
            while not holds():
                if self._errors:
                    raise self._errors[0]
                if time.monotonic() > deadline:
                    raise Damaged(f"waited {seconds} s for {what()}")
                self._progress.wait(0.05)
        if self._errors:
            raise self._errors[0]

    def _send(self, end, side):
        begin = time.monotonic()
        number = 0
        while self._sending:
            end.sendall(struct.pack("!Q", number) + _CONTENT)
            number += 1
            self._sent[side] += BLOCK
            if self.pace:
                ahead = begin + self._sent[side] / self.pace - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
                else:
                    begin -= ahead  # what was missed while the line was down is not made up for
        end.shutdown(socket.SHUT_WR)

    def _receive(self, end, side):
        number = 0
        block = memoryview(bytearray(BLOCK))
        last = time.monotonic()
        while True:
            got = 0
            while got < BLOCK and (count := end.recv_into(block[got:])):
                got += count
                now = time.monotonic()
                self.longest_gap = max(self.longest_gap, now - last)
                last = now
            if got == 0:
                return
            if got < BLOCK or block[:_HEADER] != struct.pack("!Q", number) or block[_HEADER:] != _CONTENT:
                raise Damaged(f"block {number} at {'right' if side else 'left'} is not what was sent")
            number += 1
            with self._progress:
                self.received[side] += BLOCK
                self._progress.notify_all()


class Datagrams(_BothWays):
    """Numbered datagrams of all sizes, both ways, some hundred per second; content is compared, loss is counted."""

    SIZES = (1, 100, 1000, 1372, 1373, 4000, 9000)
    _NUMBER = 4

    def __init__(self, pair, family):
        ends = [_bound(pair.machines, role, number, family, socket.SOCK_DGRAM)
                for number, role in ((1, "left"), (2, "right"))]
        self._sockets = ends
        self._sent = [0, 0]
        self._arrived = [set(), set()]  # numbers
        self._begin()

    def __exit__(self, *_):
        self._sending = False
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._sockets:
            end.close()

    def finish(self):
        """How many were sent, and how many did not arrive."""
        self._sending = False
        for thread in self._threads:
            thread.join(PATIENCE)
        if self._errors:
            raise self._errors[0]
        return sum(self._sent), sum(self._sent) - sum(map(len, self._arrived))

    def _content(self, number):
        size = self.SIZES[number % len(self.SIZES)]
        return struct.pack("!I", number) + _CONTENT[number % 1000:number % 1000 + size]

    def _send(self, end, side):
        target = self._sockets[1 - side].getsockname()
        while self._sending:
            end.sendto(self._content(self._sent[side]), target)
            self._sent[side] += 1
            time.sleep(0.005)

    def _receive(self, end, side):
        end.settimeout(1)
        while True:
            try:
                arrived = end.recv(1 << 16)
            except TimeoutError:
                if not self._sending:
                    return
                continue
            number = int.from_bytes(arrived[:self._NUMBER], "big")
            if arrived != self._content(number):
                self._errors.append(Damaged(f"a datagram of {len(arrived)} bytes is not one that was sent"))
            if number in self._arrived[side]:
                self._errors.append(Damaged(f"datagram {number} arrived twice"))
            self._arrived[side].add(number)
