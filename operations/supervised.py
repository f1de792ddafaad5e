"""The common part of links: commands under a supervisor on the host (supervisor.py), their output, their end."""

from __future__ import annotations

import binascii
import json
import queue
import shlex
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from operations.connection_settings import ConnectionSettings
from operations.exchange import Exchange
from operations.link import OnLine, Ran
from operations.problems import HostProblem, Interrupted, MissingFile
from operations.supervisor import PYTHON

_SOURCE = binascii.b2a_base64((Path(__file__).parent / "supervisor.py").read_bytes(), newline=False).decode()
_PROGRAM = f'import binascii;exec(binascii.a2b_base64("{_SOURCE}"))#kaspa-supervisor'
"""One line, because csh takes no line feed in quotes."""
_GRACE = 5.0
"""Seconds that a supervisor gets to end its command, before the link abandons both."""
_TICK = 0.1

_WRITE = """
import os, shutil, sys, tempfile
path, mode, owner = sys.argv[1], int(sys.argv[2], 8), sys.argv[3]
handle, partial = tempfile.mkstemp(prefix='.', dir=os.path.dirname(path) or '.')
try:
    with os.fdopen(handle, 'wb') as file:
        file.write(sys.stdin.buffer.read())
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    if owner:
        shutil.chown(partial, owner, owner)
    os.replace(partial, path)
except (OSError, LookupError) as error:
    os.unlink(partial)
    sys.exit(str(error))
"""
_READ = """
import sys
try:
    with open(sys.argv[1], 'rb') as file:
        sys.stdout.buffer.write(file.read())
except FileNotFoundError:
    sys.exit(3)
except OSError as error:
    sys.exit(error.strerror)
"""
_MISSING = 3


class Running(Protocol):
    """A command line that was started."""

    def send(self, data: bytes) -> None:
        """Give it input."""

    def hang_up(self) -> None:
        """End its input."""

    def receive(self) -> bytes:
        """Its output, as soon as there is some; empty at the end."""

    def receive_error(self) -> bytes:
        """The same for standard error."""

    def exit_code(self) -> int:
        """After both have ended. -1 if the link was lost."""

    def close(self) -> None:
        """Abandon it."""


class SupervisedLink(ABC):
    """A link over anything that can start a command line with input and output."""

    def __init__(self, host: str, settings: ConnectionSettings, interrupted: threading.Event) -> None:
        self._host = host
        self._interpreter = settings.interpreter
        self._become = settings.become
        self._interrupted = interrupted

    @abstractmethod
    def _start(self, argv: Sequence[str]) -> Running:
        """Start a command line. Raises HostProblem."""

    @abstractmethod
    def close(self) -> None:
        """See Link."""

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float = 30.0, become: bool = True
    ) -> Ran:
        """See Link."""
        out, err = bytearray(), bytearray()
        ended = self._conduct(argv, input or b"", out.extend, err.extend, timeout, self._interrupted, become)
        if ended.by_timeout:
            raise HostProblem(f"`{_short(argv)}` did not end within {timeout:g} s and was ended", self._host)
        return Ran(ended.code, bytes(out), bytes(err))

    def stream(
        self,
        argv: Sequence[str],
        on_line: OnLine,
        *,
        timeout: float,
        stop: threading.Event,
        on_error: OnLine | None = None,
        become: bool = True,
    ) -> int:
        """See Link."""
        out, err = _Lines(on_line), _Lines(on_error or (lambda line: None))
        ended = self._conduct(argv, b"", out.feed, err.feed, timeout, stop, become)
        out.end()
        err.end()
        return ended.code

    def read(self, path: str) -> bytes:
        """See Link."""
        ran = self.run([PYTHON, "-I", "-S", "-c", _READ, path])
        if ran.exit_code == _MISSING:
            raise MissingFile(f"there is no file {path}", self._host)
        if not ran.ok:
            raise HostProblem(f"{path} can't be read: {ran.complaint}", self._host)
        return ran.out

    def write(self, path: str, content: bytes, *, mode: int = 0o600, owner: str | None = None) -> None:
        """See Link."""
        ran = self.run([PYTHON, "-I", "-c", _WRITE, path, f"{mode:o}", owner or ""], input=content)
        if not ran.ok:
            raise HostProblem(f"{path} can't be written: {ran.complaint}", self._host)

    def _conduct(
        self,
        argv: Sequence[str],
        given: bytes,
        on_out: Callable[[bytes], object],
        on_err: Callable[[bytes], object],
        timeout: float,
        stop: threading.Event,
        become: bool,
    ) -> _Ended:
        if self._interrupted.is_set():
            raise Interrupted(self._host)
        # The supervisor's own limit is for the case that this program is gone; ours comes first.
        numbers = [f"{timeout + 2 * _GRACE:.3f}", str(len(given))]
        words = [self._interpreter, "-I", "-S", "-c", _PROGRAM, *numbers, in_one_line(argv)]
        prompt, password = "", None
        if become and self._become is not None:
            line, prompt = self._become.wrap(shlex.join(words))
            words, password = ["/bin/sh", "-c", line], self._become.password
        running = self._start(words)
        exchange = Exchange(running.send, given, on_out, on_err, prompt=prompt.encode(), password=password)
        try:
            return self._listen(argv, running, exchange, time.monotonic() + timeout, stop)
        finally:
            running.close()

    def _listen(
        self, argv: Sequence[str], running: Running, exchange: Exchange, deadline: float, stop: threading.Event
    ) -> _Ended:
        heard: queue.Queue[tuple[bool, bytes]] = queue.Queue()
        for receive, is_error in ((running.receive, False), (running.receive_error, True)):
            threading.Thread(target=_pump, args=(receive, is_error, heard), daemon=True).start()
        open_streams, hung_up, by_timeout = 2, False, False
        while open_streams:
            now = time.monotonic()
            if not hung_up and (stop.is_set() or self._interrupted.is_set() or now >= deadline):
                by_timeout = not stop.is_set() and not self._interrupted.is_set()
                hung_up, deadline = True, now + _GRACE
                running.hang_up()
            elif hung_up and now >= deadline:
                break
            try:
                is_error, data = heard.get(timeout=_TICK)
            except queue.Empty:
                continue
            if not data:
                open_streams -= 1
            elif is_error:
                exchange.error(data)
            else:
                exchange.output(data)
            if exchange.refused:
                raise HostProblem("no root: the become password is refused; see ansible_become_password", self._host)
        if self._interrupted.is_set():
            raise Interrupted(self._host)
        if not exchange.begun and not hung_up:
            raise self._not_begun(argv, exchange.complaint)
        code = running.exit_code() if not open_streams else 128 + 9
        if code < 0:
            raise HostProblem(f"the connection was lost while `{_short(argv)}` ran", self._host)
        return _Ended(code, by_timeout)

    def _not_begun(self, argv: Sequence[str], complaint: bytes) -> HostProblem:
        lines = complaint.decode(errors="replace").strip().splitlines()
        reason = lines[-1].strip() if lines else "the connection ended"
        if self._become is not None and ("sudo" in reason or "password" in reason):
            return HostProblem(
                f"no root: {reason}; give the password (ansible_become_password), or let the login user "
                "run sudo without one",
                self._host,
            )
        if self._interpreter in reason or "not found" in reason:
            return HostProblem(f"no Python there: {reason}; set ansible_python_interpreter", self._host)
        return HostProblem(f"`{_short(argv)}` was not started: {reason}", self._host)


class _Ended:
    """How a command ended. by_timeout: ended by us because it took too long."""

    def __init__(self, code: int, by_timeout: bool) -> None:
        self.code = code
        self.by_timeout = by_timeout


class _Lines:
    """Cuts bytes into lines."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Pass on the complete lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode(errors="replace"))

    def end(self) -> None:
        """Pass on a last line without a line feed."""
        if self._rest:
            self._on_line(self._rest.decode(errors="replace"))
            self._rest = b""


def in_one_line(argv: Sequence[str]) -> str:
    """JSON that every login shell leaves alone in quotes; csh and fish have a use for `!` and two backslashes."""
    return json.dumps([*argv]).replace("\\\\", "\\u005c").replace("!", "\\u0021")


def _pump(receive: Callable[[], bytes], is_error: bool, heard: queue.Queue[tuple[bool, bytes]]) -> None:
    data = b"-"
    while data:
        data = receive()
        heard.put((is_error, data))


def _short(argv: Sequence[str]) -> str:
    text = shlex.join(argv)
    return text if len(text) <= 60 else text[:60] + "…"
