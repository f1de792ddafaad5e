"""`make collection`: the collection kaspa.private_peers as a file for `ansible-galaxy collection install`.

    python3 scripts/collection.py [--out dist]

In the checkout the collection's roles and playbooks are links. The file has them as real directories, and beside them
what deploy builds the node from: its sources and its locks. The last line printed is the file's path.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from commands import ROOT, Problem, run

PARTS = ("roles", "playbooks", "kaspa_node", "scripts", "requirements", "pyproject.toml", "LICENSE", "CHANGELOG.md")
OF_ANSIBLE = ("galaxy.yml", "meta", "plugins", "README.md")
_GALAXY = ROOT / ".venv" / "bin" / "ansible-galaxy"


def stage(directory: Path) -> None:
    """Copy everything that belongs into the collection to an empty directory."""
    for base, names in ((ROOT, PARTS), (ROOT / "ansible", OF_ANSIBLE)):
        for name in names:
            source = base / name
            if source.is_dir():
                shutil.copytree(source, directory / name, ignore=_ignored)
            else:
                shutil.copy2(source, directory / name)


def _ignored(directory: str, names: list[str]) -> set[str]:
    """Caches, and the links by which the checkout's own playbooks find the collection."""
    return {name for name in names if name == "__pycache__" or (Path(directory) / name).is_symlink()}


def build(out: Path) -> Path:
    """Build the file, in place of an earlier one; its path. Raises Problem."""
    with tempfile.TemporaryDirectory() as scratch:
        stage(Path(scratch))
        run(
            [_GALAXY, "collection", "build", "--force", "--output-path", out, scratch],
            what="the collection could not be built",
            remedy="see the lines above; `make setup` installs ansible-galaxy",
        )
    (file,) = out.glob("kaspa-private_peers-*.tar.gz")
    return file


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the collection kaspa.private_peers.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="directory of the file (dist)")
    arguments = parser.parse_args()
    try:
        print(build(arguments.out.resolve()))
    except Problem as problem:
        print(f"{problem.output}{problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
