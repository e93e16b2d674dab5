"""Runs a command with its output in a log file, a deadline, and a sign of life on the terminal."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from test_outcome import Finished

HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 10  # between asking a command to end and killing it


def run_command(command: Sequence[str], log: Path, *, timeout: float, cwd: Path,
                env: Mapping[str, str] | None = None, quiet: bool = False) -> Finished:
    """Runs to the end or to the deadline, then kills the whole process group. Nothing is read from stdin.

    Unless `quiet`, prints the log's last line twice a minute.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    timed_out = False
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                                 env=os.environ | dict(env or {}), start_new_session=True)
        try:
            while True:
                left = start + timeout - time.monotonic()
                try:
                    child.wait(timeout=max(0.0, min(HEARTBEAT_SECONDS, left)))
                    break
                except subprocess.TimeoutExpired:
                    if left <= HEARTBEAT_SECONDS:
                        timed_out = True
                        break
                    if not quiet:
                        print(f"    {duration(time.monotonic() - start)}  {last_line(log)}", flush=True)
        finally:
            end_group(child)
    return Finished(child.returncode, log.read_text(errors="replace"), log, timed_out)


def end_group(child: "subprocess.Popen[bytes]") -> None:
    """Ends what the command left running, and the command itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and group_alive(child):
            time.sleep(0.05)
    child.wait()


def group_alive(child: "subprocess.Popen[bytes]") -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True


def last_line(log: Path) -> str:
    """The last line of a growing log, shortened for a terminal."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1].strip()[:100] if lines else "…"


def duration(seconds: float) -> str:
    """Minutes and seconds, for people."""
    return f"{int(seconds) // 60}m{int(seconds) % 60:02d}s" if seconds >= 60 else f"{seconds:.1f}s"
