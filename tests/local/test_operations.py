"""Fabric's tasks on plain processes: inventory/local has no systemd, no SSH and no root."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.local import lab as local
from lab.paths import Paths
from lab.waiting import until
from tests.fabric import Fab, begin, here
from tests.playbooks import ROOT, play

PATHS = Paths()
NAMES = ["relay", "server", "client"]
LOCAL = ("--inventory", "inventory/local")
PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def deployed() -> Iterator[None]:
    """A local lab with nodes on it; it is gone afterwards."""
    local.up(PATHS)
    played = play("deploy.yml", "local")
    assert played.exit_code == 0, played.output[-4000:]
    yield
    play("playbooks/uninstall.yml", "local")
    local.down(PATHS)


@pytest.fixture
def fab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fab:
    """Runs `fab WORDS` in this process."""
    monkeypatch.chdir(ROOT)
    return partial(here, capsys)


def log(name: str, role: str) -> Path:
    return PATHS.local / name / f"kaspa-{role}.log"


def test_status(fab: Fab) -> None:
    done = fab("status", "--json", *LOCAL)
    hosts = done.document["hosts"]
    assert (done.code, list(hosts)) == (0, NAMES)
    for name in NAMES:
        record = json.loads((PATHS.local / name / f"kaspa-{hosts[name]['role']}.json").read_text())
        assert hosts[name]["service"]["pid"] == hosts[name]["status"]["pid"] == record["pid"]
        assert abs(hosts[name]["service"]["since"] - hosts[name]["status"]["since"]) < 30
    assert "  client  peer   kaspa-peer   active" in fab("status", *LOCAL).out


def test_stop_and_start(fab: Fab) -> None:
    assert fab("stop", "--dry-run", "--host", "client", *LOCAL).out == "client: dry run, not done: kaspa-peer stopped\n"
    assert fab("stop", "--host", "client", *LOCAL).out == "client: kaspa-peer stopped\n"
    shown = fab("status", "--host", "client", *LOCAL)
    assert (shown.code, shown.complaints) == (
        1,
        ["client: kaspa-peer is inactive: fab start -i inventory/local --host client"],
    )
    started = fab("start", "--json", *LOCAL)
    assert started.code == 0
    assert [each["host"] for each in started.document["changed"]] == ["client"]


def test_restart(fab: Fab) -> None:
    before = fab("status", "--json", *LOCAL).document["hosts"]
    assert fab("restart", "--host", "relay,server", *LOCAL).code == 0
    after = fab("status", "--json", *LOCAL).document["hosts"]
    moved = {name for name in NAMES if before[name]["service"]["pid"] != after[name]["service"]["pid"]}
    assert moved == {"relay", "server"}


def test_a_deploy_finds_them_as_it_left_them() -> None:
    played = play("deploy.yml", "local")
    assert (played.exit_code, played.changed) == (0, dict.fromkeys(NAMES, 0)), played.output[-4000:]


def test_logs(fab: Fab) -> None:
    done = fab("logs", "-n", "3", *LOCAL)
    assert (done.code, done.out.count("\n")) == (0, 9)
    newest = log("server", "peer").read_text().splitlines()[-1]
    assert f"server  {newest}" in done.out.splitlines()
    assert "node.started" in fab("logs", "--milestones", "--since", "1d", *LOCAL).out


def test_what_a_terminal_would_obey_is_shown_instead(fab: Fab) -> None:
    with log("client", "peer").open("ab") as file:
        file.write(b"\x1b]0;owned\x07\x1b[2J \xff\n")
    done = fab("logs", "-n", "1", "--host", "client", *LOCAL)
    assert done.out == "client  \\x1b]0;owned\\x07\\x1b[2J \ufffd\n"


def followers() -> list[str]:
    """What still reads a log of ours."""
    return [line for line in command_lines() if line.startswith("tail ") and str(PATHS.local) in line]


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_following_ends_without_a_trace(number: signal.Signals, code: int) -> None:
    process = begin("logs", "--follow", "-n", "1", *LOCAL)
    try:
        assert process.stdout
        assert process.stdout.readline()
        assert until(lambda: len(followers()) == len(NAMES), timeout=PATIENCE), followers()
        with log("client", "peer").open("a") as file:
            file.write("a new line\n")
        while process.stdout.readline() != "client  a new line\n":
            pass
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (code, "")
    assert until(lambda: not followers(), timeout=PATIENCE), followers()


def test_a_key_is_changed_for_a_new_one_and_comes_back(fab: Fab, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("four words of mine\n")
    backup = ("--passphrase-file", str(secret), *LOCAL, "--json")
    old = fab("backup-keys", "--to", str(tmp_path / "keys.json"), *backup).document["hosts"]["server"]["peer_id"]

    done = fab("rotate-key", "server", *LOCAL, "--json")
    assert (done.code, done.complaints) == (0, [])
    new = done.document["rotation"]["new"]
    assert {path.name for path in (PATHS.local / "server" / "state").iterdir()} == {"identity.key"}
    assert list(PATHS.local.glob("*.lock")) == []
    named = [path for path in PATHS.local.rglob("*") if path.suffix in (".toml", ".fact") and old in path.read_text()]
    assert named == []
    assert fab("status", "--json", *LOCAL).document["hosts"]["server"]["status"]["peer_id"] == new

    restored = fab("restore-keys", "--from", str(tmp_path / "keys.json"), "--replace", *backup).document
    assert [each["before"] for each in restored["hosts"].values()] == ["same", "other", "same"]
    assert fab("status", "--json", *LOCAL).document["hosts"]["server"]["status"]["peer_id"] == old


def test_a_lab_that_is_not_up(fab: Fab) -> None:
    local.down(PATHS)
    done = fab("status", *LOCAL)
    assert done.code == 2
    assert [line.endswith("is the local lab up? python3 -m lab.local up") for line in done.complaints] == [True] * 3
