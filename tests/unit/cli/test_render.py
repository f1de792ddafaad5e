"""Answers of the node as text for people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.cli import render

SERVER_ID = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"
RELAY_ID = "12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY"
NOW = 1_800_000_000.0

PEER: dict[str, Any] = {
    "role": "peer",
    "peer_id": SERVER_ID,
    "version": "0.1.0",
    "pid": 7,
    "since": NOW - 3720,
    "network": "mainnet",
    "listen": ["/ip4/0.0.0.0/tcp/4012"],
    "relays": [
        {
            "peer_id": RELAY_ID,
            "addr": f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY_ID}",
            "state": "reserved",
            "expires": NOW + 1800,
            "observed": "203.0.113.30:4012",
            "reason": None,
        }
    ],
    "remotes": [{"name": "server", "peer_id": SERVER_ID, "state": "direct", "reason": None}],
    "sessions": [
        {
            "session": "9f3a51c20b77d0e4.3",
            "conn": "9f3a51c20b77d0e4",
            "peer_id": SERVER_ID,
            "direction": "outgoing",
            "path": "direct",
            "local": "10.1.0.2:4012",
            "remote": "203.0.113.30:4012",
            "address": "[fd00::1]:1",
            "state": "ready",
            "since": NOW - 61,
            "applied_protocol": 10,
            "user_agent": "/kaspad:1/",
            "run": None,
            "bytes_sent": 2048,
            "bytes_received": 12,
        }
    ],
    "counters": {"refused": 3},
}

PEER_TEXT = """\
peer 12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW
mainnet, version 0.1.0, pid 7, up 1 h 2 min
listening on /ip4/0.0.0.0/tcp/4012

relays:
  peer id            state     expires in  observed
  12D3KooW…ya3zYYwY  reserved  30 min 0 s  203.0.113.30:4012

remotes:
  name    peer id            state
  server  12D3KooW…xD8ArxYW  direct

sessions:
  session             peer    direction  path    state  local          remote             sent     received  age
  9f3a51c20b77d0e4.3  server  outgoing   direct  ready  10.1.0.2:4012  203.0.113.30:4012  2.0 KiB  12 B      1 min 1 s

counters: refused 3"""


def squeezed(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def test_a_peers_status() -> None:
    assert render.status(PEER, NOW) == PEER_TEXT


def test_a_relays_status() -> None:
    status = {
        "role": "relay",
        "peer_id": RELAY_ID,
        "reservations": [{"peer_id": SERVER_ID, "observed": "203.0.113.30:4012", "expires": NOW + 59}],
        "circuits": [],
        "pairs": [{"src": SERVER_ID, "dst": RELAY_ID, "circuits": 2, "bytes_forward": 5_000_000, "bytes_backward": 0}],
        "counters": {"refused": 0, "denied": 1},
    }
    lines = squeezed(render.status(status, NOW))
    assert [render.short(SERVER_ID), "203.0.113.30:4012", "59", "s"] in lines
    assert ["circuits:", "none"] in lines
    assert [render.short(SERVER_ID), render.short(RELAY_ID), "2", "4.8", "MiB", "0", "B"] in lines
    assert ["counters:", "refused", "0,", "denied", "1"] in lines


def test_a_peer_with_an_external_backend() -> None:
    backend = {"address": "127.0.0.1:16111", "state": "refusing", "reason": "Connection refused", "checked": NOW - 61}
    remote = {**PEER["remotes"][0], "listen": "[::1]:50051"}
    lines = render.status({**PEER, "backend": backend, "remotes": [remote]}, NOW).splitlines()
    told = "external backend 127.0.0.1:16111 refusing (called 1 min 1 s ago): Connection refused"
    assert f"{told}; the next stream tries again" in lines
    assert ["server", render.short(SERVER_ID), "direct", "[::1]:50051"] in squeezed("\n".join(lines))
    limited = {**PEER["remotes"][0], "state": "relayed", "limit": {"seconds": 120, "bytes": 131072}}
    assert "relayed  120 s, 128.0 KiB" in render.status({**PEER, "remotes": [limited]}, NOW)
    reply = {"session": None, "conn": "9f3a51c20b77d0e4", "path": "direct", "peer_id": SERVER_ID}
    assert "conn     9f3a51c20b77d0e4, for the sessions of the external backend" in render.session(reply)


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ({"address": "[::1]:50051", "state": "unknown", "checked": None}, "[::1]:50051 not called yet"),
        ({"address": "[::1]:50051", "state": "up", "checked": NOW - 3}, "[::1]:50051 up (called 3 s ago)"),
        (
            {"address": None, "state": "unknown"},
            "for outgoing connections only: no address for streams that others open",
        ),
    ],
)
def test_how_a_backend_is(backend: dict[str, Any], told: str) -> None:
    assert f"external backend {told}" in render.status({**PEER, "backend": backend}, NOW).splitlines()


def test_a_session_and_an_exercise() -> None:
    text = render.session(
        {
            "session": "9f3a.3",
            "path": "direct",
            "peer_id": SERVER_ID,
            "timings": {"relayed_dial": 0.32, "punch": None, "dial_to_ready": 1},
            "punch": {"attempts": 2, "succeeded": False, "reason": "timed out"},
        }
    )
    assert f"Ready over the direct path with {SERVER_ID}" in text
    assert "failed, attempt 2: timed out" in text
    assert "relayed dial 0.320 s, dial to ready 1.000 s" in text
    exercised = {"session": "9f3a.3", "pings": 32, "seconds": 1.5, "bytes_sent": 4096, "bytes_received": 4096}
    assert "32 pings each way answered over session 9f3a.3 in 1.5 s; 4.0 KiB sent" in render.exercise(exercised)


def test_a_remote_cannot_write_to_the_terminal() -> None:
    wild = {**PEER, "sessions": [{**PEER["sessions"][0], "remote": "\x1b[2J\x07\u202e\n\r"}], "listen": ["\x9b31m"]}
    assert all(c.isprintable() or c == "\n" for c in render.status(wild, NOW))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(PEER)), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*PEER, "pairs", "circuits", "reservations", "punch", "timings", "backend"]), JSON)
)
def test_whatever_a_node_of_another_version_says_it_is_shown(reply: dict[str, Any]) -> None:
    for text in (render.status(reply, NOW), render.session(reply), render.exercise(reply)):
        assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (7322, "2 h 2 min"), (90000, "1 d 1 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**60, "1048576.0 TiB"),
        (10**400, "-"),
        (float("inf"), "-"),
        (None, "-"),
        (True, "-"),
    ],
)
def test_sizes(count: object, text: str) -> None:
    assert render.size(count) == text


def test_columns_without_content_are_left_out() -> None:
    assert render.table("t", ("a", "b"), [("1", "-"), ("2", "-")]) == "t:\n  a\n  1\n  2"
    assert render.table("t", ("a",), []) == "t: none"
