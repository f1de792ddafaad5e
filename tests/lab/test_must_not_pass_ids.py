"""Node ids that kaspad lets nobody have: its own, and one that is here already. It rejects both in its words."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.waiting import until
from tests.lab import scenes
from tests.lab.scenes import NO_SESSION, PATIENCE, on, settings, stopped, verify

pytestmark = pytest.mark.usefixtures("deployed")

PLACE = "/opt/look-alike"
# Python reads sitecustomize at its start: every node id that the program draws from then on is this one.
LOOK_ALIKE = "import uuid\nuuid.uuid4 = lambda: uuid.UUID('0e6f8a4c2b7d4f13a1c59d3e7b806f24')\n"
SAME = {"PYTHONPATH": PLACE}

MAKE_TWIN = """
mkdir -m 700 /run/twin
sed 's/4012/4013/g; s#/var/lib/kaspa-node#/run/twin#; s#/run/kaspa-node#/run/twin#' \
    /etc/kaspa-node/peer.toml > /run/twin/peer.toml
/opt/kaspa-node/bin/kaspa-node identity --config /run/twin/peer.toml
"""
START_TWIN = f"""
systemd-run --quiet --unit=twin --setenv=PYTHONPATH={PLACE} --setenv=KASPA_NODE_RESERVE=false \
    /opt/kaspa-node/bin/kaspa-node peer --config /run/twin/peer.toml
"""
END_TWIN = "systemctl stop twin || true; rm -r /run/twin"


@contextmanager
def look_alikes(*names: str) -> Iterator[None]:
    """Hosts on which a program with the variables SAME draws no node id at random."""
    for name in names:
        on(name, f"mkdir -p {PLACE}; printf %s {shlex.quote(LOOK_ALIKE)} > {PLACE}/sitecustomize.py")
    try:
        yield
    finally:
        for name in names:
            on(name, f"rm -r {PLACE}")


def direct_peers() -> set[str]:
    """Who has a ready session with the server over a direct connection."""
    status = json.loads(on("server", "/opt/kaspa-node/bin/kaspa-node status --json"))
    return {each["peer_id"] for each in status["sessions"] if (each["state"], each["path"]) == ("ready", "direct")}


def test_a_peer_that_has_our_own_node_id() -> None:
    with look_alikes("server", "client"), settings({"server": SAME, "client": SAME}):
        found = verify()
    assert found.told == NO_SESSION
    assert found.reason == (
        "No Kaspa handshake: server rejected the Kaspa handshake: LOOPBACK_CONNECTION "
        "(missing: kaspa.ready.received on server)"
    )


def test_a_second_peer_with_the_node_id_of_one_that_is_connected() -> None:
    """The other is a program on the client's host with a key of its own, and so at the same public address."""
    twin = on("client", MAKE_TWIN)
    client, server = scenes.peer_id("client"), scenes.peer_id("server")
    let_in = {
        "relay": {"KASPA_NODE_ALLOW": f"{twin},{client},{server}"},
        "server": {"KASPA_NODE_ALLOW": f"{twin},{client}"},
    }
    with look_alikes("client"), stopped("client"), settings(let_in):
        try:
            on("client", START_TWIN)
            assert until(lambda: direct_peers() == {twin}, timeout=PATIENCE), on("client", "journalctl -u twin -o cat")
            with settings({"client": SAME}):
                found = verify()
        finally:
            on("client", END_TWIN)
    assert found.told == NO_SESSION
    assert found.reason == (
        "No Kaspa handshake: server rejected the Kaspa handshake: DUPLICATE_CONNECTION "
        "(missing: kaspa.ready.received on server)"
    )
