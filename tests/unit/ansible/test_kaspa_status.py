from __future__ import annotations

from functools import partial
from typing import Any

import kaspa_status
import pytest

from kaspa_node.errors import ControlError

RELAY = {"peer_id": "12D3R", "addr": "/ip4/203.0.113.10/tcp/4011", "state": "reserved", "reason": None}


def waited(answers: list[Any], wanted: str, absent: tuple[str, ...] = ()) -> tuple[Any, str]:
    """What `wait` gives when the node answers so, one answer a second, for three seconds."""
    seconds = iter(range(10))

    def ask() -> dict[str, Any]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    lacks = partial(kaspa_status.LACKS[wanted], absent=absent)
    return kaspa_status.wait(ask, lacks, 3, lambda: next(seconds), lambda: None)


def test_it_waits_until_the_node_answers() -> None:
    assert waited([ControlError("no socket"), {"role": "relay"}], "answering") == ({"role": "relay"}, "")


def test_what_was_lacking_at_last_is_told() -> None:
    assert waited([ControlError("no socket"), ControlError("hung up")], "answering") == (None, "hung up")


def test_every_relay_has_to_accept() -> None:
    refused = {**RELAY, "peer_id": "12D3S", "state": "refused", "reason": "not on the allow list"}
    status, lack = waited([{"relays": [RELAY, refused]}], "reserved")
    assert status is None
    assert lack == "relay 12D3S at /ip4/203.0.113.10/tcp/4011: refused (not on the allow list)"


def test_reserved() -> None:
    assert waited([{"relays": [{**RELAY, "state": "connecting"}]}, {"relays": [RELAY]}], "reserved")[1] == ""


def test_nobody_waits_for_hosts_that_are_left_out() -> None:
    away = {**RELAY, "state": "backoff", "reason": "timeout"}
    assert waited([{"relays": [away]}], "reserved", absent=("12D3R",))[1] == ""
    remote = {"name": "server", "peer_id": "12D3B", "state": "backoff", "reason": None}
    other = {"name": "third", "peer_id": "12D3C", "state": "backoff", "reason": None}
    for wanted in ("connected", "direct"):
        status = {"remotes": [remote, other], "sessions": []}
        assert waited([status], wanted, absent=("12D3B",)) == (None, "remote third: backoff")


def test_no_relay_at_all_is_a_lack() -> None:
    assert waited([{"relays": []}], "reserved") == (None, "it knows no relay")


@pytest.mark.parametrize("state", ["handshake", "ready"])
def test_a_session_counts_once_it_is_ready(state: str) -> None:
    remote = {"name": "server", "peer_id": "12D3B", "state": "punching", "reason": None}
    status = {"remotes": [remote], "sessions": [{"peer_id": "12D3B", "state": state}]}
    lack = "" if state == "ready" else "remote server: punching"
    assert waited([status], "connected")[1] == lack


@pytest.mark.parametrize("state", ["relayed", "direct"])
def test_a_remote_over_the_relay_is_not_reached_directly(state: str) -> None:
    remote = {"name": "server", "peer_id": "12D3B", "state": state, "reason": "timeout after 4 s"}
    status = {"remotes": [remote], "sessions": [{"peer_id": "12D3B", "state": "ready"}]}
    lack = "" if state == "direct" else "remote server: relayed (timeout after 4 s)"
    assert waited([status], "direct")[1] == lack


@pytest.mark.parametrize(
    ("state", "reason", "lack"),
    [
        ("direct", None, ""),
        ("relayed", "3 hole punches failed", ""),
        ("backoff", "no answer", "remote server: backoff (no answer)"),
    ],
)
def test_with_an_external_backend_a_path_is_enough(state: str, reason: str | None, lack: str) -> None:
    """Its sessions are those of programs that come and go."""
    remote = {"name": "server", "peer_id": "12D3B", "state": state, "reason": reason}
    status = {"backend": {"state": "unknown"}, "remotes": [remote], "sessions": []}
    assert waited([status], "connected")[1] == lack


@pytest.mark.parametrize(
    ("status", "lack"),
    [
        ({"role": "relay", "reservations": [{"peer_id": "A"}]}, "no reservation of B yet"),
        ({"role": "peer", "sessions": [{"peer_id": "A", "state": "ready"}]}, "no session of B yet"),
        ({"role": "peer", "sessions": [{"peer_id": each, "state": "ready"} for each in "AB"]}, ""),
    ],
)
def test_those_that_a_node_served_before_have_to_be_there(status: dict[str, Any], lack: str) -> None:
    assert kaspa_status.not_serving(status, ["A", "B"]) == lack
