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
    assert unit == kaspa_unit.Unit(
        loaded=True, stale=False, enabled=True, file=file, state="active", pid=812, mark="0123"
    )


@pytest.mark.parametrize(
    ("state", "started_with", "steps"),
    [
        ("active", "0123", []),
        ("active", "4567", ["restart"]),
        # Started by a release that had no digest in its unit.
        ("active", "", ["restart"]),
        ("reloading", "4567", ["restart"]),
        # It ended a moment ago, and systemd starts it again.
        ("active", None, []),
        ("inactive", None, ["start"]),
        ("failed", None, ["start"]),
        ("activating", "", []),
        ("activating", None, []),
    ],
)
def test_what_a_unit_needs(state: str, started_with: str | None, steps: list[str]) -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace("=active", f"={state}"))
    assert kaspa_unit.needed(unit, started_with, STARTED, new=False) == steps


def test_a_unit_that_does_not_start_at_boot_yet() -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace("=enabled", "=disabled"))
    assert kaspa_unit.needed(unit, "0123", STARTED, new=False) == ["enable"]


@pytest.mark.parametrize("started_with", ["", None])
def test_a_crash_loop_is_left_with_the_new_unit(started_with: str | None) -> None:
    unit = kaspa_unit.Unit.parse(SHOWN.replace("=active", "=activating"))
    assert kaspa_unit.needed(unit, started_with, STARTED, new=True) == ["restart"]


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
    assert kaspa_unit.mark_of_process(process.pid) is None
