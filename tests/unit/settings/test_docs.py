"""docs/configuration.md says what the definition says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from kaspa_node.settings import definitions, docs, load_settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_table_is_current() -> None:
    text = DOCUMENT.read_text()
    assert docs.updated(text) == text, "run: python -m kaspa_node.settings.docs docs/configuration.md"


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="settings end"):
        docs.updated(f"{docs.BEGIN} and no end")


def test_every_setting_is_defined_and_every_default_is_good() -> None:
    peer = load_settings("peer", None, {})
    for definition in definitions():
        assert hasattr(peer, definition.key)
        if isinstance(definition.default, str | int) and definition.default != ():
            assert definition.kind.check(definition.default) == definition.default


@pytest.mark.parametrize(("role", "place"), [("relay", 0), ("peer", 1), ("peer", 2)])
def test_the_examples_load(role: str, place: int, tmp_path: Path) -> None:
    example = DOCUMENT.read_text().split("```toml\n")[1 + place].split("```")[0]
    assert tomllib.loads(example)
    file = tmp_path / "node.toml"
    file.write_text(example)
    assert load_settings(role, file, {}).allow.peer_ids


def test_the_example_of_an_error_is_what_is_printed() -> None:
    from kaspa_node.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        load_settings("peer", None, {"KASPA_NODE_LISTEN": "/ip4/0.0.0.0/tcp/99999"})
    assert f"kaspa-node: {caught.value}\n" in DOCUMENT.read_text()
