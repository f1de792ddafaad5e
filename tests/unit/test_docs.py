"""README.md and docs/deployment.md name commands, files, variables and messages; here each is looked up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/deployment.md")}
ROLES = sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))
SOURCES = [
    path
    for pattern in ("ansible/plugins/**/*.py", "roles/*/tasks/*.yml", "kaspa_node/**/*.py")
    for path in sorted(ROOT.glob(pattern))
]
# What a template fills in.
FILLED = "\0"
# A text that goes on in the next line is one text.
CODE = re.sub(r'"\s*\n?\s*\+?\s*f?"', "", "\n".join(path.read_text() for path in SOURCES))
CODE = re.sub(r"\{\{.*?\}\}|\{[^{}\n]*\}", FILLED, CODE)


def documented_variables() -> set[str]:
    """Every option of every role's entry points."""
    specs = [yaml.safe_load(path.read_text())["argument_specs"] for path in ROLES]
    return {option for spec in specs for entry in spec.values() for option in entry.get("options") or {}}


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", PAGES[page], re.MULTILINE))
    assert named
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_file_is_there(page: str) -> None:
    base = (ROOT / page).parent
    links = {target for target in re.findall(r"\]\(([^)#]+)", PAGES[page]) if "://" not in target}
    assert links
    assert [target for target in links if not (base / target).exists()] == []
    named = set(re.findall(r"\b(?:playbooks/\w+\.yml|inventory/[\w-]+|(?:deploy|verify)\.yml)", PAGES[page]))
    assert [name for name in named - {"inventory/mine"} if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_is_one_of_a_role(page: str) -> None:
    named = set(re.findall(r"\b(kaspa_(?:node|peer|relay|python|fleet|firewall|native|verify)_\w+)", PAGES[page]))
    assert named
    assert named - documented_variables() - {"kaspa_node_fact"} == set()


def messages() -> list[str]:
    """What the table quotes as printed; `…` leaves out what differs."""
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGES["docs/deployment.md"].partition("## When something fails")[2], re.M)
    return [quoted for row in rows for quoted in re.findall(r"`([^`]+)`", row)]


def printed(text: str) -> bool:
    """Whether a template in the sources gives this text. A word may be what the template fills in, but not every word.

    A path or a name with `-` is one word.
    """
    words = [rf"(?:{re.escape(word)}|{FILLED})" for word in text.split()]
    return any(found[0].strip(f"{FILLED} ") for found in re.finditer(r"\s+".join(words), CODE))


@pytest.mark.parametrize("message", messages())
def test_the_page_quotes_messages_as_they_are_printed(message: str) -> None:
    parts = [part.strip(" :") for part in re.split(r"…|: |held by process.*", message)]
    assert [part for part in parts if part and not printed(part)] == []
    assert len(messages()) > 10


def test_a_message_that_nothing_prints_is_found() -> None:
    assert printed("kaspa-peer is not reserved after 60 s")
    assert not printed("kaspa-peer was not reserved after 60 s")
