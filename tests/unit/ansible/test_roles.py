"""What a role's defaults and its argument specs say is the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import role_readmes
import yaml

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
