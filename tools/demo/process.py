"""Commands, long-running processes, waiting with a deadline, and interrupts that arrive at a safe moment."""

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path


class DemoError(Exception):
    """Something the demonstration needs did not happen: what, where, and if known what to do."""


class Interrupted(BaseException):
    """Ctrl-C or a request to end; not an error of ours, so nothing that catches Exception swallows it."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into Interrupted, but never in the middle of a critical section.

    A critical section is a step that makes something and must also note it for removal. Only the first signal counts:
    after it the removal runs, and nothing interrupts that.
    """

    def __init__(self):
        self._depth = 0
        self._pending = None

    def install(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._arrived)

    def ignore(self):
        """From now on nothing interrupts."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._pending = None

    def _arrived(self, number, _frame):
        if self._depth > 0:
            self._pending = number
            return
        self.ignore()
        raise Interrupted(number)

    @contextlib.contextmanager
    def critical(self):
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._depth == 0 and self._pending is not None:
            number = self._pending
            self.ignore()
            raise Interrupted(number)


SIGNALS = Signals()


def run(argv, *, check=True, timeout=30.0, stdin=None):
    """Runs a command to its end and returns the CompletedProcess with text output. No shell.

    The command gets a session of its own, so that Ctrl-C in the terminal reaches only the demonstration.
    """
    argv = [str(part) for part in argv]
    try:
        done = subprocess.run(argv, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, start_new_session=True)
    except FileNotFoundError as error:
        raise DemoError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"no answer within {timeout:.0f} s from: {' '.join(argv)}") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no output")
        raise DemoError(f"exit status {done.returncode} from: {' '.join(argv)}\n{said}")
    return done


def tail(path, lines=15):
    """The last lines of a log, indented for a message; says so if there are none."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16384))
            text = file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError as error:
        return f"    (no log: {error})"
    return "\n".join("    " + line for line in text) or f"    ({path} is empty)"


def wait_until(what, probe, seconds, *, log=None, process=None, every=0.05):
    """Polls `probe` until it returns something true, which is returned.

    Fails after `seconds`, or when `process` (a Process) has ended, naming what was awaited, the last reason the probe
    gave by raising DemoError, and the end of `log`.
    """
    deadline = time.monotonic() + seconds
    reason = ""
    while True:
        try:
            value = probe()
            if value:
                return value
        except DemoError as error:
            reason = f"\nlast answer: {error}"
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() >= deadline:
            why = f"{process.name} ended with status {process.poll()}" if ended else f"not within {seconds:.0f} s"
            end_of_log = f"\nend of {log}:\n{tail(log)}" if log else ""
            raise DemoError(f"waited for {what}: {why}{reason}{end_of_log}")
        time.sleep(every)


class Process:
    """A long-running program that we started. Its pid is the program's own, also inside a namespace."""

    started = []

    def __init__(self, name, argv, log, *, stdin=None, stdout=None, cwd=None, env=None):
        self.name = name
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with SIGNALS.critical(), open(self.log, "ab") as sink:
            self._popen = subprocess.Popen([str(part) for part in argv],
                                           stdin=stdin if stdin is not None else subprocess.DEVNULL,
                                           stdout=stdout if stdout is not None else sink, stderr=sink,
                                           start_new_session=True, cwd=cwd, env=env)
            Process.started.append(self)
        self.pid = self._popen.pid

    def poll(self):
        return self._popen.poll()

    def exchange(self, line, seconds):
        """Writes a line to the program's input and returns the next line of its output, None if there is none in time.

        Both must be pipes.
        """
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(line.encode() + b"\n")
            self._popen.stdin.flush()
        ready, _, _ = select.select([self._popen.stdout], [], [], seconds)
        return self._popen.stdout.readline().decode() or None if ready else None

    def send(self, number):
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def wait(self, seconds):
        """The exit status, or None if it still runs after `seconds`."""
        try:
            return self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=5.0):
        """Asks the program to end, then makes it; returns True if asking was enough."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self.wait(seconds) is not None:
            return True
        self.kill()
        return False

    @classmethod
    def ask_all(cls):
        """Asks everything that was started, with its children, to end."""
        cls._signal_groups(signal.SIGCONT)
        cls._signal_groups(signal.SIGTERM)

    @classmethod
    def kill_all(cls):
        """Makes everything that was started, with its children, end."""
        cls._signal_groups(signal.SIGKILL)
        for process in cls.started:
            process.wait(10)

    @classmethod
    def _signal_groups(cls, number):
        for process in cls.started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)

    def kill(self):
        self.send(signal.SIGKILL)
        self._popen.wait(timeout=10)
