"""Whose lab is up, and how well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import booted, hosts, precheck
from lab.__main__ import main
from lab.errors import LabError
from lab.paths import Paths
from lab.state import State
from lab.topology import HOSTS


def owned_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path) -> None:
    owner = tmp_path / "owner.json"
    owner.write_text(json.dumps({"checkout": str(checkout)}))
    monkeypatch.setattr(booted, "OWNER", owner)


def test_the_lab_of_another_checkout_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    owned_by(monkeypatch, tmp_path, Path("/elsewhere"))
    with pytest.raises(LabError, match="^the lab of /elsewhere is up on this machine; take it down first"):
        booted.up(Paths(tmp_path))


def test_a_lab_that_is_well_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths(tmp_path)
    owned_by(monkeypatch, tmp_path, tmp_path)
    State("/base").write(paths)
    monkeypatch.setattr(booted, "problems", lambda paths, state, patience: [])
    booted.up(paths)
    assert capsys.readouterr().out == "the lab is up: relay 203.0.113.10, server 10.2.0.2, client 10.1.0.2\n"


def test_a_lab_of_another_suite_is_rebuilt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owned_by(monkeypatch, tmp_path, tmp_path)
    State("/base", suite="bookworm").write(Paths(tmp_path))
    monkeypatch.setattr(booted, "problems", lambda paths, state, patience: [])
    monkeypatch.setattr(
        booted.precheck, "booted", lambda paths, before_up: [precheck.Probe("root", False, "run as root")]
    )
    booted.up(Paths(tmp_path), suite="bookworm")
    with pytest.raises(LabError, match="run as root"):
        booted.up(Paths(tmp_path), suite="trixie")
    assert capsys.readouterr().out.splitlines()[-1] == "the lab is up, but not with trixie: rebuilding it"


def test_nobody_owns_a_lab_that_is_not_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(booted, "OWNER", tmp_path / "none.json")
    assert booted.owner_of_running_lab() is None
    with pytest.raises(LabError, match="the lab is not up; bring it up first"):
        booted.set_nat(Paths(tmp_path), booted.ROUTERS[0], "plain")


def test_a_host_that_is_not_running_is_ill() -> None:
    states = dict.fromkeys((each.name for each in HOSTS), "running") | {"client": "unreachable", "server": "degraded"}
    assert booted.ill_hosts(states) == ["host client is unreachable"]


def test_the_console_tells_why_a_host_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    log = hosts.console(paths, HOSTS[0])
    log.parent.mkdir(parents=True)
    log.write_text("booting\ncannot mount an overlay\n")
    monkeypatch.setattr(hosts, "system_states", lambda paths, waiting: {each.name: "unreachable" for each in waiting})
    monkeypatch.setattr(hosts.cgroups, "populated", lambda name: False)
    with pytest.raises(LabError, match="^host relay ended while it booted: cannot mount an overlay"):
        hosts.wait_until_up(paths)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shell", "moon"], "no host 'moon' in the lab; there are relay, server, client"),
        (["move", "relay", "203.0.113.12"], "the lab is not up; bring it up first: python3 -m lab up"),
        (["spare", "up"], "the lab is not up; bring it up first: python3 -m lab up"),
        (["nat", "relay", "plain"], "no NAT router 'relay' in the lab; there are nat-client, nat-server"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(precheck.os, "geteuid", lambda: 0)
    monkeypatch.setattr(booted, "OWNER", tmp_path / "none.json")
    monkeypatch.setattr("lab.__main__.Paths", lambda: Paths(tmp_path))
    assert main(words) == 2
    assert capsys.readouterr().err == f"lab: {message}\n"


def test_without_root_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(precheck.os, "geteuid", lambda: 1000)
    for words in (["up"], ["down"], ["status"]):
        assert main(words) == 2
        assert "python3 -m lab.local" in capsys.readouterr().err
