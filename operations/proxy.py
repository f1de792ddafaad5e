"""A command whose input and output are a connection (ssh_config(5), ProxyCommand), as a socket."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess


class Proxy:
    """This is not paramiko's ProxyCommand: that one polls a pipe, and Ctrl-C at the terminal ends it before the command
    behind it can be ended.
    """

    def __init__(self, command: str, host: str, port: int, user: str) -> None:
        values = {"h": host, "p": str(port), "r": user, "%": "%"}
        line = re.sub("%([hpr%])", lambda match: values[match[1]], command)
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {line}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )

    def complaint(self) -> str:
        """Ends it; the last line that it wrote to standard error."""
        self.socket.close()
        try:
            _, text = self._process.communicate(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, text = self._process.communicate()
        lines = text.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End it."""
        self.socket.close()
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        if self._process.stderr is not None:
            self._process.stderr.close()
