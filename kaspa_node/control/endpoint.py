"""The server's socket on disk: it has the right mode from the start, and never replaces that of a running node."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import select
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaspa_node.errors import AlreadyRunning, ConfigError, ListenError

_BACKLOG = 128


@contextmanager
def listening(path: Path, group: str = "") -> Iterator[socket.socket]:
    """A listening socket at that path, mode 0600, or 0660 for the group; removed at the end.

    The socket of a node that has ended is replaced. Raises AlreadyRunning, ListenError, ConfigError.
    """
    group_id = _group_id(group)
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _lock(lock, path)
        try:
            _remove_stale(path)
            server = _bound(path, group_id)
        except OSError as error:
            raise _unusable(path, error) from error
        with server:
            try:
                yield server
            finally:
                path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def hung_up(descriptor: int) -> bool:
    """Whether the other end of a connection is gone. One that has only ended its sending half is not.

    The end of a TCP connection looks like that of its sending half, until something is sent: only a reset shows here.
    """
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def _lock(descriptor: int, path: Path) -> None:
    """Hold the lock until this process ends: of two nodes that start at once only one may call the socket stale."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AlreadyRunning(str(path)) from error


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(str(path), "there is something that is not a socket", "move it away, or set `control`")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Non-blocking: a running server with a full backlog answers EAGAIN instead of blocking us.
        probe.setblocking(False)
        result = probe.connect_ex(str(path))
    if result not in (errno.ECONNREFUSED, errno.ENOENT):
        raise AlreadyRunning(str(path))
    path.unlink(missing_ok=True)


def _bound(path: Path, group_id: int | None) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # With chmod after bind there would be a moment in which everybody can connect.
        previous = os.umask(0o177)
        try:
            server.bind(str(path))
        finally:
            os.umask(previous)
        if group_id is not None:
            os.chown(path, -1, group_id)
            path.chmod(0o660)
        server.listen(_BACKLOG)
        server.setblocking(False)
    except OSError:
        server.close()
        raise
    return server


def _group_id(group: str) -> int | None:
    if not group:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigError(
            "control_group", group, "the settings", "is not a group here", "a group of this host"
        ) from error


def _unusable(path: Path, error: OSError) -> ListenError:
    # mkdir says that the directory "exists" if a file has its name.
    reason = "its directory is none" if error.errno == errno.EEXIST else (error.strerror or str(error)).lower()
    return ListenError(str(path), reason, "set `control` to a path in a directory that the node's user can write")
