"""`fab doctor` in set-ups that are broken on purpose: it names the cause, and not what follows from it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest
from invoke.exceptions import Exit

from lab import booted
from lab.topology import host, router
from lab.waiting import until
from operations.tasks.doctor import doctor
from tests.fabric import Done, fab
from tests.lab import scenes
from tests.lab.scenes import PATIENCE, on, settings, since_start, stopped

pytestmark = pytest.mark.usefixtures("deployed")

STATUS = "/opt/kaspa-node/bin/kaspa-node status --json"
RELAY = host("relay").address


def asked() -> tuple[Done, dict[str, Any]]:
    """The doctor's answer and, of it, what it says of the one pair. In this process: Ansible is slow to import."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(Exit) as end:
        doctor.body(None, "", "", inventory=["inventory/lab"], json=True, timeout=None)
    done = Done(end.value.code, out.getvalue(), err.getvalue())
    [pair] = done.document["pairs"]
    print(json.dumps(pair, indent=1))
    return done, pair


def kinds(pair: dict[str, Any], part: str) -> list[str]:
    return [each["kind"] for each in pair["findings"] if each["part"] == part]


def cause(code: int, path: str | None = None) -> tuple[list[str], dict[str, Any]]:
    """The kinds of the causes that are found, and the whole answer."""
    done, pair = asked()
    assert (done.code, pair["path"]) == (code, path or pair["path"]), done.err
    return kinds(pair, "cause"), pair


def path_of_client() -> str | None:
    sessions = json.loads(on("client", STATUS))["sessions"]
    return next((each["path"] for each in sessions if each["state"] == "ready"), None)


def until_direct() -> None:
    """Until a broken lab is whole again."""
    assert until(lambda: path_of_client() == "direct", timeout=PATIENCE, pause=0.2)


def said(name: str, milestone: str) -> None:
    assert until(lambda: milestone in since_start(name), timeout=PATIENCE, pause=0.3), since_start(name)


def traces() -> dict[str, str]:
    """All on the hosts that the doctor might have changed."""
    look = "ls -lR --time-style=full-iso /etc/kaspa-node /var/lib/kaspa-node /etc/ansible; ufw show added; "
    return {name: on(name, f"{look} systemctl show -p InvocationID {unit}") for name, unit in scenes.UNITS.items()}


def test_a_healthy_pair_is_direct_and_nothing_is_changed() -> None:
    until_direct()
    before = traces()
    done = fab("doctor", "server", "client", "--inventory", "inventory/lab")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "client → server: direct"
    assert "203.0.113.20:4012 (kept)" in done.out
    assert traces() == before


def test_relay_down_is_told_though_the_session_still_stands() -> None:
    until_direct()
    with stopped("relay"):
        found, pair = cause(1, "direct")
    assert found == ["service-down"]
    assert pair["why"] == "kaspa-relay on relay is not running"
    assert pair["next"] == "Start it: fab start -i inventory/lab --host relay"
    assert "relay-unreachable" in kinds(pair, "consequence")
    assert "was refused" in pair["findings"][1]["evidence"]


@contextmanager
def firewall_shut() -> Iterator[None]:
    on("relay", "ufw delete allow 4011/tcp")
    try:
        yield
    finally:
        on("relay", "ufw allow 4011/tcp comment kaspa-node")
        scenes.restart("client")


def test_relay_port_blocked_by_its_firewall() -> None:
    with firewall_shut():
        scenes.restart("client", until_reserved=False)
        found, pair = cause(1, "nothing")
    assert found == ["relay-firewall"]
    assert pair["why"] == "the firewall of relay blocks the relay's port 4011/tcp"
    assert kinds(pair, "consequence")[:2] == ["relay-unreachable", "relay-unreachable"]
    assert pair["findings"][1]["evidence"] == "TCP from server: gave no answer"


def test_relay_address_wrong() -> None:
    wrong = f"/ip4/203.0.113.99/tcp/4011/p2p/{scenes.peer_id('relay')}"
    with settings({"client": {"KASPA_NODE_RELAYS": wrong}}, until_reserved=False):
        found, pair = cause(1, "nothing")
    assert found == ["relay-address"]
    assert pair["why"] == f"client looks for relay at 203.0.113.99:4011, and the inventory has it at {RELAY}:4011"
    assert pair["findings"][0]["evidence"].endswith(f"{RELAY}:4011 is open")


def test_no_reservation_since_the_relay_does_not_list_the_peer() -> None:
    only_client = {"KASPA_NODE_ALLOW": scenes.peer_id("client")}
    try:
        with settings({"relay": only_client}):
            scenes.restart("server", until_reserved=False)
            said("server", "reservation.failed")
            found, pair = cause(1, "nothing")
    finally:
        scenes.restart("server")
    assert found == ["not-allowed"]
    assert pair["why"] == "server is not on the allow list of relay, so it may neither reserve nor open circuits there"
    assert kinds(pair, "consequence") == ["reservation-missing"]
    assert "PERMISSION_DENIED" in pair["findings"][1]["evidence"]


def test_the_peers_service_is_down() -> None:
    with stopped("server"):
        found, pair = cause(1, "nothing")
    assert (found, pair["why"]) == (["service-down"], "kaspa-peer on server is not running")


def test_the_peer_is_frozen() -> None:
    on("server", "systemctl kill --signal STOP kaspa-peer")
    try:
        found, pair = cause(1)
    finally:
        on("server", "systemctl kill --signal CONT kaspa-peer")
    assert (found, pair["why"]) == (["service-silent"], "kaspa-peer on server is stopped by a signal (SIGSTOP)")


def test_a_configuration_that_can_not_be_used() -> None:
    file = "/etc/kaspa-node/peer.toml"
    on("server", f"cp -p {file} /run/peer.toml; sed -i s/mainnet/testnet/ {file}; systemctl restart kaspa-peer || true")
    try:
        assert until(lambda: on("server", "systemctl is-failed kaspa-peer || true") == "failed", timeout=PATIENCE)
        found, pair = cause(1, "nothing")
    finally:
        on("server", f"mv /run/peer.toml {file}")
        scenes.restart("server")
    assert (found, pair["why"]) == (["configuration-wrong"], "the settings of server can't be used")
    assert pair["findings"][0]["evidence"] == (
        f'network: "testnet" (from {file}) is not known; expected one of mainnet, testnet-10, simnet, devnet'
    )
    assert kinds(pair, "consequence")[0] == "service-down"


def test_networks_differ() -> None:
    with settings({"client": {"KASPA_NODE_NETWORK": "testnet-10"}}):
        said("client", "kaspa.handshake.failed")
        found, pair = cause(1, "nothing")
    assert found == ["network-differs"]
    assert pair["findings"][0]["evidence"] == "client is on testnet-10, server on mainnet"
    assert kinds(pair, "consequence") == ["kaspa-rejected"]
    assert "Network mismatch" in pair["findings"][1]["evidence"]


def test_a_key_that_changed() -> None:
    key = "/var/lib/kaspa-node/identity.key"
    on("server", f"mv {key} /run/identity.key; systemctl restart kaspa-peer")
    try:
        said("server", "reservation.failed")
        found, pair = cause(1, "nothing")
    finally:
        on("server", f"systemctl stop kaspa-peer; mv /run/identity.key {key}")
        scenes.restart("server")
    assert found == ["key-changed"]
    assert pair["why"] == (
        "server has another key than when it was deployed, and relay and client still know the old one"
    )
    assert {"id-wrong", "not-allowed", "reservation-missing"} == set(kinds(pair, "consequence"))


def test_both_nats_symmetric_then_one() -> None:
    with scenes.nats(client="symmetric", server="symmetric"):
        said("client", "path.fallback")
        both, pair = cause(1, "relayed")
        booted.set_nat(scenes.PATHS, router("client"), "plain")
        scenes.restart("client")
        one, of_one = cause(1)
    assert both == ["nat-symmetric"]
    assert pair["why"] == "the NATs of server and client are both symmetric: no punch can succeed"
    assert kinds(pair, "consequence") == ["punch-failed"]
    assert one == ["nat-symmetric"]
    assert of_one["why"].startswith("the NAT of server is symmetric: ")


def test_a_clock_that_is_off() -> None:
    with scenes.clock_ahead("client", 600):
        until_direct()
        # libfaketime now and then hands the kernel a time that is none: Python's sleep then fails with EINVAL.
        answers = (asked() for _ in range(10))
        done, pair = next(each for each in answers if "Invalid argument" not in str(each[1]["findings"]))
    assert (done.code, pair["path"]) == (1, "direct")
    [only] = pair["findings"]
    assert (only["kind"], only["text"]) == ("clock-off", "the clock of client is off")
    # A busy machine is late with the host's answer.
    ahead = re.fullmatch(r"(\d+) s ahead of the controller's", only["evidence"])
    assert ahead, only["evidence"]
    assert 300 < int(ahead[1]) <= 600


def test_a_host_that_can_not_be_reached_is_a_finding_and_the_rest_is_diagnosed() -> None:
    until_direct()
    with stopped("relay"), scenes.no_ssh("server"):
        done, pair = asked()
    assert done.code == 2
    assert [each["host"] for each in done.document["problems"]] == ["server"]
    assert (kinds(pair, "cause"), kinds(pair, "warning")) == (["service-down"], ["login-fails"])
    [login] = (each for each in pair["findings"] if each["kind"] == "login-fails")
    assert login["text"] == "server can't be logged into, but its node is alive"
    assert login["evidence"].startswith("client has a direct session with it since 20")
    assert pair["path"] == "direct"
    assert pair["unconfirmed"] == "server"
