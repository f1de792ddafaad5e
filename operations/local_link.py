"""A link to this machine, for `ansible_connection: local`; in inventory/local the interpreter enters the host."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Sequence

from operations.connection_settings import ConnectionSettings
from operations.problems import HostProblem
from operations.supervised import SupervisedLink


class LocalLink(SupervisedLink):
    """Commands as subprocesses."""

    def __init__(self, host: str, settings: ConnectionSettings, interrupted: threading.Event) -> None:
        super().__init__(host, settings, interrupted)

    def _start(self, argv: Sequence[str]) -> LocalRunning:
        try:
            # In a session of its own, because we handle Ctrl-C of the terminal.
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            hint = "; is the local lab up? python3 -m lab.local up" if "/.lab/local/" in argv[0] else ""
            raise HostProblem(f"{argv[0]} can't be started: {error.strerror}{hint}", self._host) from error
        return LocalRunning(process)

    def close(self) -> None:
        """Nothing is open between commands."""


class LocalRunning:
    """A subprocess."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr

    def send(self, data: bytes) -> None:
        """See Running."""
        with contextlib.suppress(BrokenPipeError):  # its output shows its end
            view = memoryview(data)
            while view:
                view = view[self._in.write(view) or 0 :]

    def hang_up(self) -> None:
        """See Running."""
        self._in.close()

    def receive(self) -> bytes:
        """See Running."""
        return os.read(self._out.fileno(), 65536)

    def receive_error(self) -> bytes:
        """See Running."""
        return os.read(self._err.fileno(), 65536)

    def exit_code(self) -> int:
        """See Running."""
        return self._process.wait()

    def close(self) -> None:
        """See Running."""
        self._in.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._err.close()
