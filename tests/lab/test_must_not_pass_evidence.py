"""Direct sessions of which a piece of the evidence is lost, late or wrong: no verdict fills it in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.lab import scenes
from tests.lab.scenes import (
    BEFORE_JUDGEMENT,
    DIRECT,
    PEERS,
    UNPROVEN,
    clock_ahead,
    command,
    no_ssh,
    on,
    restart,
    verify,
)

pytestmark = pytest.mark.usefixtures("deployed")

AWAY = "/run/kaspa-node/control.sock.away"


def test_a_relay_that_does_not_give_its_counters() -> None:
    hide = command("relay", f"mv /run/kaspa-node/control.sock {AWAY}")
    try:
        found = verify(meddling={BEFORE_JUDGEMENT: hide})
    finally:
        on("relay", f"mv {AWAY} /run/kaspa-node/control.sock")
    assert found.told == UNPROVEN
    assert found.reason == (
        "The proof of the direct path is incomplete, hosts: the snapshot after the exercise from relay is incomplete: "
        "status: no control socket at /run/kaspa-node/control.sock: start the node, or name its socket with --control"
    )


def test_a_relay_whose_counters_were_reset() -> None:
    socket = "/run/kaspa-node/control.sock"
    again = command("relay", f"systemctl restart kaspa-relay; timeout 20 sh -c 'until test -S {socket}; do :; done'")
    try:
        found = verify(meddling={BEFORE_JUDGEMENT: again})
    finally:
        restart(*PEERS)
    assert found.told == UNPROVEN
    assert found.reason == (
        "The proof of the direct path is incomplete, services: "
        "kaspa-relay on relay was restarted between the snapshots, its counts began anew"
    )


JOURNALCTL = r"""#!/bin/sh
# Forgets what was written since this file is there, and takes no note of where a reader has been.
case "$*" in *"--output json"*) exec /usr/bin/journalctl "$@" ;; esac
exec /usr/bin/journalctl --quiet --output cat --unit %s --until "$(date --reference "$0" '+%%F %%T')"
"""


@contextmanager
def journals_that_end_here() -> Iterator[None]:
    """Hosts whose journals hold what was written until now, and nothing later."""
    for name, unit in scenes.UNITS.items():
        text = JOURNALCTL % unit
        on(name, f"cat > /usr/local/bin/journalctl <<'END'\n{text}END\nchmod +x /usr/local/bin/journalctl")
    try:
        yield
    finally:
        for name in scenes.UNITS:
            on(name, "rm /usr/local/bin/journalctl")


def test_journals_of_an_earlier_run_only() -> None:
    assert verify().told == DIRECT
    with journals_that_end_here():
        found = verify()
    assert found.told == UNPROVEN
    assert found.reason == (
        "The proof of the direct path is incomplete, circuit: "
        "the journal of client has no circuit.outbound of this run to the server"
    )


@pytest.mark.parametrize("name", ["server", "relay"])
def test_a_host_that_verify_can_not_reach(name: str) -> None:
    with no_ssh(name):
        found = verify()
    assert found.told == UNPROVEN
    assert found.reason == (
        f"The proof of the direct path is incomplete, hosts: {name} could not be reached: "
        "ssh: connect to host <OTHER_IP_1> port 22: Connection refused"
    )


def test_clocks_that_are_ten_minutes_apart() -> None:
    with clock_ahead("client", 600):
        found = verify()
    assert found.told == DIRECT
    skew = found.report["clock_skew"]
    assert {name: round(seconds / 10) for name, seconds in skew.items()} == {"relay": 0, "server": 0, "client": 60}
    assert re.search(r"Clocks ahead of the controller's: .*\bclient \+(59|60)\d\.", found.text)
    connected = {
        each["host"]: datetime.fromisoformat(each["time"])
        for each in found.report["milestones"]
        if each["name"] == "peer.connected"
    }
    apart = connected["client"] - connected["server"]
    assert round(apart.total_seconds() / 10) == 60
