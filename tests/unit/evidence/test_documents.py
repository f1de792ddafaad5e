from __future__ import annotations

from pathlib import Path

import pytest

from kaspa_node import milestones as m
from kaspa_node.evidence.__main__ import main
from kaspa_node.evidence.causes import CAUSES
from kaspa_node.evidence.proof import PIECES
from kaspa_node.evidence.verdict import RULES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("command", "name"), [("verdicts-doc", "verdicts.md"), ("milestones-doc", "milestones.md")])
def test_the_document_is_current(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    assert capsys.readouterr().out == (DOCS / name).read_text(), (
        f"python -m kaspa_node.evidence {command} > docs/{name}"
    )


def test_each_row_of_the_tables_is_there() -> None:
    verdicts, milestones = (DOCS / "verdicts.md").read_text(), (DOCS / "milestones.md").read_text()
    assert all(f"| {rule.name} | {rule.word} |" in verdicts for rule in RULES)
    assert all(f"| `{piece.key}` |" in verdicts and piece.proves in verdicts for piece in PIECES)
    assert all(f"| {cause.name} | {cause.meaning} |" in verdicts for cause in CAUSES)
    assert all(f"| `{milestone}` |" in milestones for milestone in m.ALL)
