#!/usr/bin/python
"""Switches to a release, and keeps what a rollback needs."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_release_fact import sources_of

DOCUMENTATION = r"""
module: kaspa_release
short_description: Switch to an installed release
description:
  - The link that names the release in use is changed at once, never missing in between.
  - The files that the release before ran with are copied into its own directory C(kept), so that they go and stay with
    it. C(kaspa_release.fact) says which release is in use, and which was before it.
  - Releases beyond C(keep) are removed, the oldest first; never the one in use nor the one before it. Directories
    without the file C(complete) are removed too.
options:
  link: {type: path, required: true, description: The link that names the release in use.}
  release: {type: path, required: true, description: "The release's directory, beside the link."}
  sources: {type: str, required: true, description: "What the release was made from; the same on every kind of host."}
  files: {type: list, elements: path, default: [], description: The files that the release in use runs with.}
  keep: {type: int, default: 2, description: How many releases stay.}
  facts: {type: path, required: true, description: The directory of local facts.}
"""

EXAMPLES = r"""
- name: Put it in use
  kaspa_release:
    link: /opt/kaspa-node
    release: /opt/kaspa-node-0123456789ab
    sources: 1d3c5b7a9f00
    files: [/etc/kaspa-node/peer.toml, /etc/systemd/system/kaspa-peer.service]
    facts: /etc/ansible/facts.d
"""

RETURN = r"""
before: {type: str, returned: always, description: "The release that was in use, empty where there was none."}
removed: {type: list, elements: str, returned: always, description: Releases that were removed.}
"""

KEPT = "kept"
COMPLETE = "complete"
FACT = "kaspa_release.fact"


def in_use(link: Path) -> Path | None:
    """The release that the link points to; None if there is none."""
    return link.parent / os.readlink(link) if link.is_symlink() else None


def keep_files(release: Path, files: list[str]) -> None:
    """Copy the existing files into the release's directory, with mode and owner; older copies are replaced."""
    kept, partial = release / KEPT, release / f".{KEPT}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o750)
    for file in files:
        if os.path.isfile(file):
            copy = partial / Path(file).name
            shutil.copy2(file, copy)
            status = os.stat(file)
            os.chown(copy, status.st_uid, status.st_gid)
    shutil.rmtree(kept, ignore_errors=True)
    partial.rename(kept)


def change_link(link: Path, release: Path) -> None:
    """Point the link to another release, in one step."""
    partial = link.with_name(f".{link.name}.new")
    partial.unlink(missing_ok=True)
    partial.symlink_to(release)
    partial.replace(link)


def superfluous(link: Path, needed: list[Path], keep: int) -> list[Path]:
    """The releases that may be removed, the oldest first; what an interrupted installation left is no release."""
    found = [path for path in link.parent.glob(f"{link.name}-*") if path.is_dir() and not path.is_symlink()]
    others = sorted((path for path in found if path not in needed), key=lambda path: path.stat().st_ctime)
    partial = [path for path in others if not (path / COMPLETE).exists()]
    whole = [path for path in others if path not in partial]
    room = max(0, keep - len(needed))
    return partial + whole[: max(0, len(whole) - room)]


def read_fact(directory: Path) -> dict[str, Any]:
    """The fact; empty if there is none that can be read."""
    try:
        found = json.loads((directory / FACT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_fact(directory: Path, fact: dict[str, Any]) -> None:
    """Write the fact completely or not at all."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = directory / f".{FACT}.new"
    partial.write_text(json.dumps(fact) + "\n", encoding="utf-8")
    partial.chmod(0o644)
    partial.replace(directory / FACT)


def use(wanted: dict[str, Any], now: float) -> tuple[str, list[str]]:
    """Switch to the release; returns the previous one ("" if there was none) and the removed ones. Raises OSError."""
    link, release = Path(wanted["link"]), Path(wanted["release"])
    before = in_use(link)
    needed = [release]
    if before is not None and before.is_dir():
        keep_files(before, wanted["files"])
        needed.append(before)
    change_link(link, release)
    named = str(before) if before in needed else ""
    facts = Path(wanted["facts"])
    fact = {"release": str(release), "sources": wanted["sources"], "installed": now}
    write_fact(facts, fact | {"before": named, "before_sources": sources_of(named, read_fact(facts))})
    removed = superfluous(link, needed, wanted["keep"])
    for path in removed:
        shutil.rmtree(path)
    return named, [str(path) for path in removed]


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "link": {"type": "path", "required": True},
            "release": {"type": "path", "required": True},
            "sources": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "keep": {"type": "int", "default": 2},
            "facts": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    # Others read the link and the facts, whatever umask root's login has.
    os.umask(0o022)
    wanted = module.params
    before = in_use(Path(wanted["link"]))
    if before == Path(wanted["release"]):
        module.exit_json(changed=False, before=str(before), removed=[])
    if module.check_mode:
        module.exit_json(changed=True, before=str(before or ""), removed=[])
    try:
        named, removed = use(wanted, time.time())
    except OSError as error:
        module.fail_json(msg=f"{wanted['release']} can't be put in use: {error}")
    module.exit_json(changed=True, before=named, removed=removed)


if __name__ == "__main__":
    main()
