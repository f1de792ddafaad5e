"""Finds the rootless lab's processes without any state: by a mark in their environment, or their user namespace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab.errors import LabError
from lab.waiting import until

MARK = "KASPA_LAB_LOCAL"
"""Environment variable of all processes of the lab; its value is the checkout."""

PROC = Path("/proc")


def marked(checkout: Path) -> set[int]:
    """Processes with the checkout's mark."""
    wanted = f"{MARK}={checkout}".encode()
    return {pid for pid in _pids() if wanted in _environment(pid).split(b"\0")}


def in_user_namespaces(of: set[int]) -> set[int]:
    """Processes that share a user namespace with one of `of`, if that is not this process's own."""
    namespaces = {_user_namespace(pid) for pid in of} - {"", _user_namespace(os.getpid())}
    return {pid for pid in _pids() if _user_namespace(pid) in namespaces}


def members(checkout: Path) -> set[int]:
    """All processes of the checkout's rootless lab and its hosts, except this process."""
    own = marked(checkout)
    return (own | in_user_namespaces(own)) - {os.getpid()}


def end(checkout: Path, *, timeout: float = 8.0) -> None:
    """End them: SIGTERM, then SIGKILL after half of `timeout` seconds. Raises LabError for processes that survive."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in members(checkout):
            _send(pid, number)
        if until(lambda: not members(checkout), timeout=timeout / 2):
            return
    raise LabError(f"processes {sorted(members(checkout))} of the local lab survive SIGKILL")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise LabError(f"process {pid} of the local lab belongs to another user; end it as that user") from error


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""  # ended meanwhile, or another user's


def _user_namespace(pid: int) -> str:
    try:
        return os.readlink(PROC / str(pid) / "ns/user")
    except OSError:
        return ""
