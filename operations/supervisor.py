"""Runs on a host, sent there as text: starts one command and makes sure that it ends, even if the controller is gone.

    python3 -I -S -c SOURCE SECONDS BYTES COMMAND

COMMAND is a list in JSON, because login shells differ in how they quote line feeds. Once BEGUN is written, BYTES of
standard input are the command's input. When standard input ends after that, or SECONDS are over, the command's whole
session is ended: SIGTERM, then SIGKILL. So nothing is left behind if SSH breaks, even with sudo between us and the
command. Needs only the standard library of Python 3.11.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

PYTHON = "@python"
"""As a command: the Python that runs this program."""

BEGUN = b"\x01kaspa-operations\n"
PATIENCE = 3.0


def watch(child: subprocess.Popen[bytes], deadline: float) -> None:
    """End the child's process group when standard input has ended or the deadline is over."""
    while True:
        left = deadline - time.monotonic()
        readable = left > 0 and select.select([0], [], [], left)[0]
        if not readable or not os.read(0, 4096):
            break
    end(child, signal.SIGTERM)
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        end(child, signal.SIGKILL)


def end(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def main(seconds: float, count: int, argv: list[str]) -> int:
    os.write(1, BEGUN)
    with tempfile.TemporaryFile() as given:
        while count > 0:
            piece = os.read(0, min(count, 65536))
            if not piece:
                return 125
            given.write(piece)
            count -= len(piece)
        given.seek(0)
        program = sys.executable if argv[0] == PYTHON else argv[0]
        try:
            child = subprocess.Popen([program, *argv[1:]], stdin=given, start_new_session=True)
        except OSError as error:
            os.write(2, f"{program}: {error.strerror}\n".encode())
            return 127
    deadline = time.monotonic() + seconds
    threading.Thread(target=watch, args=(child, deadline), daemon=True).start()
    code = child.wait()
    end(child, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main(float(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
