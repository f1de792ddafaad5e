"""What is done with a unit, whatever an earlier run has left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kaspa_unit
import pytest

SHOWN = """\
LoadState=loaded
ActiveState=active
MainPID=812
NeedDaemonReload=no
UnitFileState=enabled
FragmentPath=/etc/systemd/system/kaspa-peer.service
Environment=PYTHONUNBUFFERED=1 KASPA_UNIT=0123 HOME=/nonexistent
"""
STARTED = {"state": "started", "enabled": True}


def test_a_unit_as_systemd_shows_it() -> None:
    unit = kaspa_unit.Unit.parse(SHOWN)
    file = "/etc/systemd/system/kaspa-peer.service"
    assert unit == kaspa_unit.Unit(loaded=True, stale=False, enabled=True, file=file, up=True, pid=812, mark="0123")


@pytest.mark.parametrize(
    ("old", "new", "started_with", "steps"),
    [
        ("", "", "0123", []),
        ("", "", "4567", ["restart"]),
        ("KASPA_UNIT=0123 ", "", "4567", ["restart"]),
        ("", "", "", ["restart"]),
        ("=enabled", "=disabled", "0123", ["enable"]),
        ("=active", "=inactive", "", ["start"]),
        ("=active", "=failed", "", ["start"]),
        # Between two attempts of systemd to start it.
        ("=active\nMainPID=812", "=activating\nMainPID=0", "", []),
        ("=active", "=activating", "0123", []),
    ],
)
def test_what_a_unit_needs(old: str, new: str, started_with: str, steps: list[str]) -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace(old, new))
    assert kaspa_unit.needed(unit, started_with, STARTED, new=False) == steps


def test_a_crash_loop_is_left_with_the_new_unit() -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace("=active\nMainPID=812", "=activating\nMainPID=0"))
    assert kaspa_unit.needed(unit, "", STARTED, new=True) == ["start"]


def test_a_unit_that_others_start_is_only_loaded() -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace("=active", "=inactive").replace("=enabled", "=static"))
    assert kaspa_unit.needed(unit, "", {"state": "loaded", "enabled": False}, new=True) == []


@pytest.mark.parametrize(
    ("shown", "written", "must"),
    [
        (SHOWN, "0123", False),
        (SHOWN.replace("Reload=no", "Reload=yes"), "0123", True),
        ("LoadState=not-found\nActiveState=inactive\nMainPID=0\n", "0123", True),
        # A rollback brings back an older file, and systemd notices newer ones only.
        (SHOWN, "4567", True),
    ],
)
def test_a_file_that_systemd_has_not_read_yet(tmp_path: Path, shown: str, written: str, must: bool) -> None:
    file = tmp_path / "kaspa-peer.service"
    file.write_text(f"[Service]\nEnvironment=PYTHONUNBUFFERED=1\nEnvironment=KASPA_UNIT={written}\n")
    unit = kaspa_unit.Unit.parse(shown.replace("/etc/systemd/system/kaspa-peer.service", str(file)))
    assert kaspa_unit.must_be_read(unit) == must


def test_the_digest_that_a_process_was_started_with() -> None:
    waits = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        waits, env={**os.environ, "KASPA_UNIT": "89ab"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert kaspa_unit.mark_of_process(process.pid) == "89ab"
        process.communicate(b"\n")
    assert kaspa_unit.mark_of_process(process.pid) == ""
