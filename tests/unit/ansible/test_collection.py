"""The collection is complete, and everything of it is called by its full name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import kaspa_node

ROOT = Path(__file__).resolve().parents[3]
NAME = "kaspa.private_peers"
PLUGINS = ROOT / "ansible" / "plugins"


def roles() -> set[str]:
    return {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}


def modules() -> set[str]:
    return {path.stem for kind in ("modules", "action") for path in (PLUGINS / kind).glob("*.py")}


def filters() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (PLUGINS / "filter").glob("*.py")]
    return {name for text in texts for name in re.findall(r'"(\w+)":', text[text.index("def filters") :])}


def short_names(text: str) -> list[str]:
    """Uses of the collection's roles, modules and filters without its name."""
    either = "|".join(sorted(modules()))
    found = re.findall(rf"^ *(?:- )?({either}): *$", text, re.MULTILINE)
    found += re.findall(rf"(?:\| *|\b(?:map|select|reject)\(')({'|'.join(sorted(filters()))})\b", text)
    found += re.findall(rf"^ *(?:- )?name: .*'({'|'.join(sorted(roles()))})'", text, re.MULTILINE)
    return found + re.findall(rf"^ *(?:- )?(?:role|name): ({'|'.join(sorted(roles()))})$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("  kaspa_status:\n", ["kaspa_status"]),
        ("  kaspa.private_peers.kaspa_status:\n", []),
        ("{{ x | kaspa_toml }}", ["kaspa_toml"]),
        ("{{ x | map('kaspa_target') }}", ["kaspa_target"]),
        ("{{ x | map('kaspa.private_peers.kaspa_target') }}", []),
        ("  - role: kaspa_node\n", ["kaspa_node"]),
        ("    name: kaspa.private_peers.kaspa_node\n", []),
        ("    name: \"{{ 'kaspa_relay' if x else y }}\"\n", ["kaspa_relay"]),
    ],
)
def test_a_short_name_is_found(text: str, found: list[str]) -> None:
    assert short_names(text) == found


def test_everything_of_the_collection_is_called_by_its_full_name() -> None:
    files = [
        path for top in ("roles", "playbooks", "tests/lab/plays") for path in (ROOT / top).rglob("*") if path.is_file()
    ]
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in files if path.suffix != ".md"}
    assert {str(path): short for path, text in texts.items() if (short := short_names(text))} == {}


def test_every_place_names_the_same_versions_of_ansible() -> None:
    tried = re.search(r"^ANSIBLE_VERSIONS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert tried
    oldest = tried[1].split()[0]
    metas = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "roles").glob("*/meta/main.yml")]
    assert {meta["galaxy_info"]["min_ansible_version"] for meta in metas} == {oldest}
    runtime = yaml.safe_load((ROOT / "ansible" / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={oldest}.0"
    lock = (ROOT / "requirements" / "controller.txt").read_text(encoding="utf-8")
    assert f"\nansible-core=={tried[1].split()[-1]}." in lock


def test_the_collection_has_the_version_of_the_node() -> None:
    said = yaml.safe_load((ROOT / "ansible" / "galaxy.yml").read_text(encoding="utf-8"))
    assert (f"{said['namespace']}.{said['name']}", said["version"]) == (NAME, kaspa_node.__version__)


PLACES = {
    "kaspa_node": ["_kaspa_node_checkout", "_kaspa_node_cache"],
    "rust_build": ["_rust_build_checkout", "_rust_build_caches"],
}
HERE = ROOT / "collections" / "ansible_collections" / "kaspa" / "private_peers"


def places(role: str, collection: Path, directory: Path) -> list[Path]:
    """Where a role of the collection finds sources, and where it keeps what it builds, as Ansible says."""
    shown = json.dumps(PLACES[role])
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(collection / "roles" / role / "vars" / "main.yml")],
        "vars": {"role_path": str(collection / "roles" / role), "ansible_python_interpreter": sys.executable},
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "dest": str(directory / "said"),
                    "content": f"{{{{ {shown} | map('extract', vars) | to_json }}}}",
                }
            }
        ],
    }
    (directory / "play.json").write_text(json.dumps([play]))
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.json"],
        cwd=directory,
        env={**os.environ, "HOME": str(directory), "XDG_CACHE_HOME": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=True,
    )
    return [Path(place) for place in json.loads((directory / "said").read_text())]


@pytest.mark.parametrize("role", sorted(PLACES))
def test_a_role_finds_the_sources_of_the_checkout_and_builds_in_it(role: str, tmp_path: Path) -> None:
    assert places(role, HERE, tmp_path) == [ROOT, ROOT / ".cache"]


@pytest.mark.parametrize("role", sorted(PLACES))
def test_a_role_of_an_installed_collection_builds_in_the_cache_of_the_user(role: str, tmp_path: Path) -> None:
    collection = tmp_path / "private_peers"
    shutil.copytree(ROOT / "roles" / role, collection / "roles" / role)
    assert places(role, collection, tmp_path) == [collection, tmp_path / ".cache" / "kaspa-private-peers"]
