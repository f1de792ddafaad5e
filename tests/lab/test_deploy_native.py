"""The seed's own programs beside our peers: deploy, verify and uninstall of inventory/lab-native on fresh hosts.

Each test goes on where the last one ended. The programs are those of `make oracle`; without them all of it is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import booted
from lab.lock import exclusive
from tests.lab.footprint import PATHS, on, states
from tests.playbooks import play, report, well

pytestmark = pytest.mark.native

NATIVE = {"server": "kaspa-native-server", "client": "kaspa-native-client"}
NOTHING = dict.fromkeys(("relay", *NATIVE), 0)
DROP_IN = "/run/systemd/system/kaspa-native-server.service.d"


def shell(name: str, script: str) -> str:
    return on(name, "bash", "-ec", f"'{script}'")


def shown(name: str, value: str) -> str:
    """One of the properties that systemd shows of the native program's unit."""
    return on(name, "systemctl", "show", "--value", "--property", value, NATIVE[name])


def backend() -> dict[str, Any]:
    """What the server's peer says of its backend."""
    found: dict[str, Any] = json.loads(on("server", "/opt/kaspa-node/bin/kaspa-node", "status", "--json"))["backend"]
    return found


@pytest.fixture(scope="module")
def before(native_programs: None) -> dict[str, set[str]]:
    """The state of each host, freshly booted."""
    with exclusive():
        booted.up(PATHS, fresh=True)
    return states()


@contextmanager
def between_two_lives() -> Iterator[None]:
    """The native server has ended, and systemd has not yet started it again."""
    shell("server", f'mkdir -p {DROP_IN}; printf "[Service]\\nRestartSec=1h\\n" > {DROP_IN}/wait.conf')
    shell("server", "systemctl daemon-reload; systemctl kill --signal KILL kaspa-native-server")
    shell("server", "until systemctl show -p SubState kaspa-native-server | grep -q auto-restart; do :; done")
    try:
        yield
    finally:
        shell("server", f"rm -r {DROP_IN}; systemctl daemon-reload; systemctl restart kaspa-native-server")


def test_check_mode_on_fresh_hosts_changes_nothing(before: dict[str, set[str]]) -> None:
    well(play("deploy.yml", "lab-native", "--check"))
    assert states() == before


@pytest.mark.usefixtures("before")
def test_precheck_names_a_program_that_has_the_only_port() -> None:
    squat = ("--bind", "::1", "50051")
    on("server", "systemd-run", "--quiet", "--unit=squatter", "python3", "-m", "http.server", *squat)
    shell("server", "until ss -Hltn | grep -q :50051; do :; done")
    played = play("playbooks/precheck.yml", "lab-native")
    on("server", "systemctl", "stop", "squatter")
    assert played.exit_code != 0
    assert "port 50051/tcp is taken by squatter.service; stop that" in played.output


@pytest.mark.usefixtures("before")
def test_deploy_ends_with_a_path_for_the_client() -> None:
    played = well(play("deploy.yml", "lab-native"))
    assert re.search(r"peer +client +12D3Koo\w+ path to server, direct, for programs at \[::1\]:50051", played.output)
    assert shown("server", "ActiveState") == "active"
    assert shown("client", "ActiveState") == "inactive"


@pytest.mark.usefixtures("before")
def test_a_second_deploy_changes_nothing_even_between_two_lives_of_the_server() -> None:
    with between_two_lives():
        played = well(play("deploy.yml", "lab-native"))
        assert played.changed == NOTHING
        assert shown("server", "SubState") == "auto-restart"


@pytest.mark.usefixtures("before")
def test_check_mode_on_deployed_hosts_finds_nothing_to_change() -> None:
    assert well(play("deploy.yml", "lab-native", "--check")).changed == NOTHING


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.usefixtures("before")
def test_the_programs_run_unprivileged_in_hardened_units(name: str) -> None:
    assert shown(name, "User") == "kaspa-native"
    exposure = on(name, "systemd-analyze", "security", "--no-pager", f"{NATIVE[name]}.service").splitlines()[-1]
    found = re.search(r"level for \S+: ([0-9.]+)", exposure)
    assert found, exposure
    assert float(found[1]) <= 1.5


@pytest.mark.parametrize(("name", "enabled"), [("server", "enabled"), ("client", "static")])
@pytest.mark.usefixtures("before")
def test_only_the_server_starts_with_the_host(name: str, enabled: str) -> None:
    assert shown(name, "UnitFileState") == enabled


@pytest.mark.usefixtures("before")
def test_the_server_lives_again_whenever_it_ends() -> None:
    lives = int(shown("server", "NRestarts"))
    on("server", "systemctl", "kill", "--signal", "KILL", NATIVE["server"])
    shell("server", f"until [ $(systemctl show --value -p NRestarts {NATIVE['server']}) -gt {lives} ]; do :; done")
    shell("server", "until ss -Hltn | grep -q :50051; do :; done")


@pytest.mark.usefixtures("before")
def test_verify_proves_the_direct_path_by_the_programs_own_lines() -> None:
    played = play("verify.yml", "lab-native")
    assert played.exit_code == 0, played.output[-4000:]
    found = report()
    assert (found["verdict"], found["path"]) == ("PASS", "direct")
    assert played.changed["client"] == played.changed["server"] == 0
    handshake = ["kaspa.version.sent", "kaspa.version.received", "kaspa.verack.received", "kaspa.ready.received"]
    for name in NATIVE:
        theirs = [each["name"] for each in found["milestones"] if each["log"] == f"logs/{name}.native.log"]
        assert theirs == [*handshake, "peer.connected"]


@pytest.mark.usefixtures("before")
def test_a_backend_that_is_down_is_told_by_status_and_verdict() -> None:
    on("server", "systemctl", "stop", NATIVE["server"])
    try:
        played = play("verify.yml", "lab-native", "-e", "kaspa_verify_timeout=20")
        state = backend()
    finally:
        on("server", "systemctl", "start", NATIVE["server"])
    assert played.exit_code != 0
    assert (state["state"], state["reason"]) == ("refusing", "Connection refused")
    found = report()
    assert found["verdict"] == "FAIL"
    assert found["reason"].startswith("No Kaspa handshake: kaspa-native-server on server is not running")


@pytest.mark.usefixtures("before")
def test_the_next_connection_finds_a_backend_that_is_back() -> None:
    played = play("verify.yml", "lab-native")
    assert played.exit_code == 0, played.output[-4000:]
    assert (report()["verdict"], backend()["state"]) == ("PASS", "up")


@pytest.mark.usefixtures("before")
def test_a_host_that_shall_not_have_a_program_any_more_loses_it() -> None:
    well(play("tests/lab/plays/kaspa_native.yml", "lab-native", "-e", '{"kaspa_native_programs": []}'))
    for name, unit in NATIVE.items():
        assert shell(name, f"ls -d /etc/systemd/system/{unit}.service /opt/kaspa-native 2>/dev/null || true") == ""
        assert shown(name, "LoadState") == "not-found"
    well(play("tests/lab/plays/kaspa_native.yml", "lab-native"))
    assert shown("server", "ActiveState") == "active"


def test_uninstall_leaves_nothing(before: dict[str, set[str]]) -> None:
    well(play("playbooks/uninstall.yml", "lab-native"))
    after = states()
    assert {name: after[name] ^ before[name] for name in before} == dict.fromkeys(before, set())


@pytest.mark.usefixtures("before")
def test_a_second_uninstall_changes_nothing() -> None:
    assert well(play("playbooks/uninstall.yml", "lab-native")).changed == NOTHING
