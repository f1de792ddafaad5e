"""Copies of this checkout that make another release, as a newer version of the project would."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.playbooks import ROOT

VERSION = "kaspa_node/__init__.py"
MODEL = "kaspa_node/settings/model.py"
SETTINGS = "roles/kaspa_node/tasks/service.yml"
PEER = "kaspa_node/node/peer.py"
NEW_SETTING = "next_setting"


def next_release(place: Path, version: str, *, broken_peer: bool = False) -> Path:
    """A checkout of another version that has a setting of its own; broken_peer: its peers end when they start.

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
    shutil.copytree(ROOT / ".cache/wheels", place / ".cache/wheels")
    _change(place / VERSION, '__version__ = "', f'__version__ = "{version}"  # was "')
    setting = f'    {NEW_SETTING}: bool = _setting(_BOTH, kinds.boolean(), False, "Of {version}.")\n'
    _change(place / MODEL, "    network: str = _setting(", setting + "    network: str = _setting(")
    _change(place / SETTINGS, "      log_level:", f"      {NEW_SETTING}: true\n      log_level:")
    if broken_peer:
        begin = "journal: Journal) -> None:\n"
        _change(place / PEER, begin, f"{begin}    raise SystemExit('broken on purpose')\n")
    return place


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file}: {old!r}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
