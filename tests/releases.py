"""Copies of this checkout that make another release, as a newer version of the project would."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.playbooks import ROOT

VERSION = "kaspa_node/__init__.py"
MODEL = "kaspa_node/settings/model.py"
SETTINGS = "roles/kaspa_node/tasks/service.yml"
PEER = "kaspa_node/node/peer.py"
PROGRAM = "kaspa_node/node/__init__.py"
NEW_SETTING = "next_setting"


def next_release(place: Path, version: str, *, broken_peer: bool = False, broken_program: bool = False) -> Path:
    """A checkout of another version that has a setting of its own.

    broken_peer: its peers end when they start; broken_program: neither relay nor peer can be loaded.

    It shares the environment, the lab and Ansible's collections with this one, and starts with its wheels.
    """
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        source, copy = ROOT / name, place / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.exists() or source.is_symlink():
            shutil.copy2(source, copy, follow_symlinks=False)
    (place / ".cache").mkdir()
    for name in (".venv", ".lab", ".cache/collections", ".cache/lab-base"):
        (place / name).symlink_to(ROOT / name)
    if (ROOT / ".cache/wheels").is_dir():
        shutil.copytree(ROOT / ".cache/wheels", place / ".cache/wheels")
    _change(place / VERSION, r'(__version__ = )".*"', rf'\1"{version}"')
    setting = f'    {NEW_SETTING}: bool = _setting(_BOTH, kinds.boolean(), False, "Of {version}.")\n'
    _change(place / MODEL, r"(    network: str = _setting\()", rf"{setting}\1")
    _change(place / SETTINGS, r"(      log_level:)", rf"      {NEW_SETTING}: true\n\1")
    if broken_peer:
        end = "    raise SystemExit('broken on purpose')\\n"
        _change(place / PEER, r"(async def run_peer\(.*?\) -> None:\n)", rf"\1{end}")
    if broken_program:
        (place / PROGRAM).write_text("raise SystemExit('broken on purpose')\n", encoding="utf-8")
    return place


def _change(file: Path, old: str, new: str) -> None:
    text, found = re.subn(old, new, file.read_text(encoding="utf-8"), count=1, flags=re.DOTALL)
    assert found, f"{file}: {old}"
    file.write_text(text, encoding="utf-8")
