"""A command whose input and output are a connection (ssh_config(5), ProxyCommand), as a socket."""

from __future__ import annotations

import socket
import subprocess
import tempfile


class Proxy:
    """This is not paramiko's ProxyCommand: that one polls a pipe, and Ctrl-C at the terminal ends it before the command
    behind it can be ended.
    """

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        # A file, because a shared connection that ssh leaves behind keeps its standard error open.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,
            )

    def complaint(self) -> str:
        """Waits for its end; the last line that it wrote to standard error."""
        self.socket.close()
        self._wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self._process.terminate()
        self._wait()
        self._said.close()

    def _wait(self) -> None:
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
