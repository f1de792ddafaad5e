"""The precheck's verdict and its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import precheck
from lab.errors import LabError, MissingPackages
from lab.paths import Paths
from lab.precheck import Probe

GOOD = Probe("root", True, "run as root")
BAD = Probe("veth", False, "kernel CONFIG_VETH")


def test_a_probe_in_one_line() -> None:
    assert GOOD.line == "ok    root"
    assert BAD.line == "FAIL  veth: kernel CONFIG_VETH"


def test_the_first_problem_is_the_verdict() -> None:
    assert precheck.first_problem([GOOD]) is None
    assert precheck.first_problem([GOOD, BAD, Probe("disk", False, "…")]) is BAD


def test_a_machine_that_can_is_let_through() -> None:
    precheck.require([GOOD])


def test_a_machine_that_cannot_is_told_why() -> None:
    with pytest.raises(LabError, match="^booted hosts can't run here: veth: kernel CONFIG_VETH$"):
        precheck.require([GOOD, BAD])


def test_missing_programs_are_told_as_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        precheck.shutil, "which", lambda tool, path: None if tool in ("nft", "ssh", "ssh-keygen") else tool
    )
    assert precheck.missing_packages() == ["nftables", "openssh-client"]
    with pytest.raises(MissingPackages, match="apt-get install nftables openssh-client$"):
        precheck.require([Probe("programs", False, "")])


def test_without_root_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(precheck.os, "geteuid", lambda: 1000)
    probes = precheck.booted(Paths(tmp_path))
    assert [probe.name for probe in probes] == ["root", "programs"]
    assert "inventory/local" in probes[0].remedy


def test_a_used_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        precheck, "run", lambda argv, check: "default via 10.1.0.1 dev eth0\nlocal 192.168.1.5 dev eth0\n"
    )
    probe = precheck._networks()
    assert not probe.ok
    assert probe.remedy == "this machine itself uses 10.1.0.0/24"
