"""What a role's defaults and its argument specs say is the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import role_readmes
import yaml

from kaspa_node.constants import PATH_POLICIES, PEER_PORT, RELAY_PORT
from kaspa_node.settings import definitions

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PARTS = {"defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "README.md"}


def read(role: str, file: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / file).read_text(encoding="utf-8")) or {}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_its_parts(role: str) -> None:
    assert {part for part in PARTS if not (ROOT / "roles" / role / part).is_file()} == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified_as_it_is(role: str) -> None:
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    specified = {name: option["default"] for name, option in options.items() if not option.get("required")}
    assert specified == read(role, "defaults/main.yml")


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_carries_the_name_of_its_role(role: str) -> None:
    names = {*read(role, "defaults/main.yml")}
    variables = ROOT / "roles" / role / "vars" / "main.yml"
    private = {*read(role, "vars/main.yml")} if variables.is_file() else set()
    assert {name for name in names if not name.startswith(f"{role}_")} == set()
    assert {name for name in private if not name.startswith(f"_{role}_")} == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_that_is_specified_is_there(role: str) -> None:
    entries = set(read(role, "meta/argument_specs.yml")["argument_specs"])
    files = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}
    assert entries - files - {"main"} == set()


def test_what_is_documented_of_an_option_is_a_sentence() -> None:
    for role in ROLES:
        for entry in read(role, "meta/argument_specs.yml")["argument_specs"].values():
            for name, option in entry.get("options", {}).items():
                assert re.match(r"[A-Z].*\.$", option["description"], re.DOTALL), f"{role}: {name}"


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_is_rendered(role: str) -> None:
    directory = ROOT / "roles" / role
    said = "run `python3 ansible/role_readmes.py`"
    assert (directory / "README.md").read_text(encoding="utf-8") == role_readmes.render(directory), said


def test_the_default_ports_are_those_of_the_node() -> None:
    assert read("kaspa_node", "vars/main.yml")["_kaspa_node_ports"] == {"relay": RELAY_PORT, "peer": PEER_PORT}


@pytest.mark.parametrize("role", ["kaspa_relay", "kaspa_peer"])
def test_a_setting_has_the_same_default_in_the_role_and_in_the_node(role: str) -> None:
    defaults, written = read(role, "defaults/main.yml"), read(role, "vars/main.yml")[f"_{role}_settings"]
    plain = {key: defaults[f"{role}_{key}"] for key, value in written.items() if value == f"{{{{ {role}_{key} }}}}"}
    expected = {definition.key: definition.default for definition in definitions() if definition.key in plain}
    assert len(plain) > 4
    assert {key: value or None for key, value in plain.items()} == {
        key: value or None for key, value in expected.items()
    }


@pytest.mark.parametrize(("role", "variable"), [("kaspa_peer", "path_policy"), ("kaspa_verify", "policy")])
def test_a_role_knows_the_path_policies(role: str, variable: str) -> None:
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert tuple(options[f"{role}_{variable}"]["choices"]) == PATH_POLICIES
