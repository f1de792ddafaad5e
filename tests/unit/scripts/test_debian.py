from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

import debian
from commands import Problem
from lab import precheck
from progress import Progress


class Apt:
    """Stands in for apt-get; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: list[str] = []
        self._failures = failures

    def __call__(self, command: list[str], **_: object) -> str:
        verb = next(word for word in command if word in ("install", "update"))
        self.calls.append(verb)
        if verb == "install" and self._failures:
            self._failures -= 1
            raise Problem("no such package")
        return ""


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setattr(debian, "wanted", lambda: {"gcc": "build", "nftables": "lab"})
    monkeypatch.setattr(debian, "missing", list)
    return io.StringIO()


def test_the_list_has_every_package_that_the_lab_asks_for() -> None:
    assert set(precheck.TOOLS.values()) <= set(debian.wanted())


def test_a_line_for_an_unknown_purpose_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "debian.txt"
    file.write_text("# comment\n\nfun cowsay\n")
    with pytest.raises(ValueError, match="neither build nor lab"):
        debian.wanted(file)


@pytest.mark.parametrize(
    ("failures", "calls"), [(0, ["install"]), (1, ["install", "update", "install"])], ids=["fresh lists", "stale lists"]
)
def test_root_installs_and_refreshes_the_lists_only_when_needed(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, failures: int, calls: list[str]
) -> None:
    apt = Apt(failures)
    monkeypatch.setattr(debian, "run", apt)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian.ensure(Progress(out))
    assert apt.calls == calls
    assert "Debian packages: gcc nftables" in out.getvalue()


def test_others_are_told_what_to_install_and_what_they_lack_without(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    debian.ensure(Progress(out))
    build, lab = out.getvalue().splitlines()
    assert build.endswith("without them setup may fail: sudo apt-get install gcc")
    assert lab.endswith("without them booted hosts can't run here: sudo apt-get install nftables")


def test_nothing_is_said_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, out: io.StringIO) -> None:
    monkeypatch.setattr(debian, "missing", lambda names: [])
    debian.ensure(Progress(out))
    assert out.getvalue() == ""


def test_where_there_is_no_dpkg_setup_goes_on(monkeypatch: pytest.MonkeyPatch, out: io.StringIO) -> None:
    def no_dpkg(names: object) -> list[str]:
        raise FileNotFoundError("dpkg-query")

    monkeypatch.setattr(debian, "missing", no_dpkg)
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    debian.ensure(Progress(out))
    assert "no Debian" in out.getvalue()
