"""`fab capture` on the deployed lab: what the packets prove, what bounds it, and that nothing is left of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.topology import HOSTS, host
from lab.waiting import until
from operations.capture import pcap
from tests.fabric import Done, begin, fab
from tests.lab.scenes import PATIENCE, in_place, on
from tests.playbooks import ROOT

pytestmark = pytest.mark.usefixtures("deployed", "tidy")

CAPTURES = ROOT / "captures"
PLACES = ["client", "server", "relay", "nat-client", "nat-server"]
CLIENT, SERVER = "203.0.113.20", "203.0.113.30"


@pytest.fixture
def tidy() -> Iterator[None]:
    """What a test has captured goes with it."""
    before = captured()
    yield
    for directory in captured() - before:
        shutil.rmtree(directory)


def captured() -> set[Path]:
    return set(CAPTURES.iterdir()) if CAPTURES.is_dir() else set()


def only(before: set[Path]) -> Path:
    """The capture that has come."""
    (directory,) = captured() - before
    return directory


def ips(entry: dict[str, Any]) -> set[tuple[str, str]]:
    """From where to where packets went, by the index."""
    return {(flow["from"].rpartition(":")[0], flow["to"].rpartition(":")[0]) for flow in entry["flows"]}


def capture(*words: str) -> tuple[Done, dict[str, dict[str, Any]]]:
    """Run it; what the index says of each place."""
    before = captured()
    done = fab("capture", *words)
    index = json.loads((only(before) / "index.json").read_text())
    return done, {entry["host"]: entry for entry in index["places"]}


def tcpdumps() -> dict[str, int]:
    """How many processes of tcpdump there are at each place."""
    return {place: len(in_place(place, " tcpdump --immediate-mode ")) for place in PLACES}


def left() -> dict[str, list[str]]:
    """What a capture could leave: its processes at each place, and files (those that are open have no name)."""
    found = {place: in_place(place, "tcpdump", "`fab capture`") for place in PLACES}
    for each in HOSTS:
        found[each.name] += on(each.name, "find /tmp /var/tmp -name 'tmp*' -type f").splitlines()
    return found


NONE = dict.fromkeys(PLACES, 0)
NOTHING: dict[str, list[str]] = {place: [] for place in PLACES}


def test_the_packets_of_a_punched_session_go_between_the_nats_and_not_over_the_relay() -> None:
    before = captured()
    done = fab("capture", "client", "server", "--seconds", "2", "--pings", "20")
    assert (done.code, done.err) == (0, "")
    directory = only(before)
    index = json.loads((directory / "index.json").read_text())
    places = {entry["host"]: entry for entry in index["places"]}
    assert (index["path"], index["hosts"], list(places)) == ("direct", ["client", "server"], PLACES)

    between = {(CLIENT, SERVER), (SERVER, CLIENT)}
    assert ips(places["nat-client"]) == ips(places["nat-server"]) == between
    assert ips(places["client"]) == {(host("client").address, SERVER), (SERVER, host("client").address)}
    assert ips(places["server"]) == {(host("server").address, CLIENT), (CLIENT, host("server").address)}
    assert places["relay"]["packets"] == 0
    # What one router sends the other receives.
    assert places["nat-client"]["flows"] == places["nat-server"]["flows"]
    assert {entry["dropped"] for entry in places.values()} == {0}

    for entry in places.values():
        content = (directory / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert pcap.read(content).packets == entry["packets"]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert re.search(rf"^  nat-server +wan +{places['nat-server']['packets']} +0 ", done.out, re.MULTILINE)
    assert "relay saw nothing of the session, as it should be with a direct one\n" in done.out
    assert f"{directory.relative_to(ROOT)} is new" in done.out
    assert left() == NOTHING


def test_the_packets_of_a_relayed_session_go_over_the_relay() -> None:
    dialed = fab("dial", "client", "server", "--policy", "relay-only", "--json").document
    name = dialed["hosts"]["client"]["session"]
    try:
        done, places = capture(name[:6], "--seconds", "2", "--pings", "20", "--json")
    finally:
        assert fab("dial", "client", "server").code == 0
    relay = host("relay").address
    assert done.code == 0
    assert done.document["hosts"] == places
    assert ips(places["nat-client"]) == {(CLIENT, relay), (relay, CLIENT)}
    assert ips(places["relay"]) == {(CLIENT, relay), (relay, CLIENT), (SERVER, relay), (relay, SERVER)}


def test_its_size_is_bounded() -> None:
    done, places = capture("client", "server", "--seconds", "2", "--pings", "300", "--megabytes", "0.01")
    assert done.code == 0
    assert places["client"]["full"]
    assert 9_000 < places["client"]["bytes"] <= 10_000
    assert "client: the limit of 0.01 MB ended it early\n" in done.out
    assert not places["relay"]["full"]


def test_a_dry_run_takes_nothing() -> None:
    before = captured()
    done = fab("capture", "client", "server", "--dry-run")
    assert done.code == 0
    public = f"tcp and host {CLIENT} and port 4012 and host {SERVER}"
    assert re.search(rf"^  nat-client +wan +{public}$", done.out, re.MULTILINE)
    assert re.search(rf"^  server +any +tcp and host 10.2.0.2 and port 4012 and host {CLIENT}$", done.out, re.MULTILINE)
    assert captured() == before


def test_a_host_without_tcpdump_is_named_before_anything_is_taken() -> None:
    before = captured()
    on("server", "mv /usr/bin/tcpdump /usr/bin/tcpdump.away")
    try:
        done = fab("capture", "client", "server")
    finally:
        on("server", "mv /usr/bin/tcpdump.away /usr/bin/tcpdump")
    assert (done.code, done.complaints) == (2, ["server: tcpdump is not installed there: apt-get install tcpdump"])
    assert captured() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_ended_from_outside_it_leaves_nothing(number: signal.Signals, code: int) -> None:
    before = captured()
    process = begin("capture", "client", "server", "--seconds", "300")
    try:
        assert until(lambda: all(tcpdumps().values()), timeout=PATIENCE, pause=0.1), tcpdumps()
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == code
    assert "Traceback" not in err
    if number is signal.SIGINT:
        assert (err, tcpdumps()) == ("interrupted; what ran on the hosts was ended\n", NONE)
    assert until(lambda: left() == NOTHING, timeout=PATIENCE, pause=0.1), left()
    assert captured() == before
