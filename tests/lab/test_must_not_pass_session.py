"""Runs without a session: they fail, and one sentence says why. And one that only has to wait for its server."""

from __future__ import annotations

import threading

import pytest

from kaspa_node.networks import PROTOCOL_VERSION
from lab.waiting import until
from tests.lab import scenes
from tests.lab.scenes import BEFORE_SESSION, DIRECT, NO_SESSION, PATIENCE, on, settings, since_start, stopped, verify

pytestmark = pytest.mark.usefixtures("deployed")

SOON = "kaspa_verify_timeout=5"


def test_a_relay_that_is_stopped() -> None:
    with stopped("relay"):
        found = verify(SOON)
    assert found.told == NO_SESSION
    assert found.reason == ("No Kaspa handshake: kaspa-relay on relay is not running (missing: dial.started on client)")


def test_a_server_without_a_reservation() -> None:
    with settings({"server": {"KASPA_NODE_RESERVE": "false"}}, until_reserved=False):
        found = verify(SOON)
    assert found.told == NO_SESSION
    assert found.reason == (
        "No Kaspa handshake: the relay relay has no reservation for server (missing: circuit.outbound on client)"
    )


def test_a_client_that_starts_first_passes_once_the_server_is_there() -> None:
    def missed() -> bool:
        return any("dial.waiting" in line and "run=" in line for line in since_start("client").splitlines())

    def server_starts_when_it_is_missed() -> None:
        if until(missed, timeout=PATIENCE, pause=0.1):
            on("server", "systemctl start kaspa-peer")

    with stopped("server"):
        scenes.restart("client")
        starter = threading.Thread(target=server_starts_when_it_is_missed)
        starter.start()
        found = verify()
        starter.join()
    assert found.told == DIRECT
    assert "dial.waiting" in {each["name"] for each in found.report["milestones"] if each["host"] == "client"}


def test_a_server_that_is_frozen() -> None:
    freeze = scenes.command("server", "systemctl kill --signal STOP kaspa-peer")
    try:
        found = verify(SOON, meddling={BEFORE_SESSION: freeze})
    finally:
        on("server", "systemctl kill --signal CONT kaspa-peer")
        scenes.restart("server")
    assert found.told == NO_SESSION
    assert found.reason == (
        "No Kaspa handshake: kaspa-peer on server is running, but does not answer (missing: circuit.outbound on client)"
    )


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        pytest.param(
            {"client": {"KASPA_NODE_NETWORK": "testnet-10"}},
            "server rejected the Kaspa handshake: Network mismatch - local: kaspa-mainnet, remote: kaspa-testnet-10",
            id="networks differ",
        ),
        pytest.param(
            {
                "server": {"KASPA_NODE_MINIMUM_PROTOCOL_VERSION": "10"},
                "client": {"KASPA_NODE_PROTOCOL_VERSION": "6"},
            },
            "server rejected the Kaspa handshake: "
            f"P2P protocol version mismatch - local: {PROTOCOL_VERSION}, remote: 6",
            id="protocol version 6",
        ),
    ],
)
def test_a_handshake_that_is_rejected(environment: dict[str, dict[str, str]], reason: str) -> None:
    with settings(environment):
        found = verify()
    assert found.told == NO_SESSION
    assert found.reason == f"No Kaspa handshake: {reason} (missing: kaspa.ready.received on server)"
