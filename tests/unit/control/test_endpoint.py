"""The socket on disk."""

from __future__ import annotations

import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from kaspa_node.control.endpoint import listening
from kaspa_node.errors import AlreadyRunning, ConfigError, ListenError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_connect_whatever_the_umask(path: Path) -> None:
    previous = os.umask(0)
    try:
        with listening(path):
            assert mode(path) == 0o600
    finally:
        os.umask(previous)
    assert not path.exists()


def test_a_group_may_be_let_in(path: Path) -> None:
    own = grp.getgrgid(os.getgid())
    with listening(path, own.gr_name):
        assert mode(path) == 0o660
        assert path.stat().st_gid == own.gr_gid


def test_an_unknown_group_is_refused_by_name(path: Path) -> None:
    with pytest.raises(ConfigError, match="control_group"), listening(path, "no-such-group-here"):
        pass


def test_the_directory_is_made(path: Path) -> None:
    below = path.parent / "run" / "c.sock"
    with listening(below):
        assert mode(below.parent) & 0o007 == 0


def test_a_second_node_is_told_that_one_is_running(path: Path) -> None:
    with listening(path):
        with pytest.raises(AlreadyRunning, match="already running") as caught, listening(path):
            pass
        assert caught.value.exit_code == 2
        assert path.exists()
    with listening(path):
        pass


def test_what_a_dead_node_left_behind_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(path) as server, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        server.accept()[0].close()


def test_another_programs_live_socket_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(AlreadyRunning), listening(path):
            pass
        assert path.exists()


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ListenError, match="not a socket"), listening(path):
        pass
    assert path.read_text() == "precious"


def test_a_path_that_cannot_be_made(path: Path) -> None:
    path.write_text("")
    with pytest.raises(ListenError, match="set `control`") as caught, listening(path / "below.sock"):
        pass
    assert "its directory is none" in str(caught.value)
