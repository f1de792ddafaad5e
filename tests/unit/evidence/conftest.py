from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaspa_node.evidence.bundle import load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.report import examine
from tests.unit.evidence.builder import Evidence

Judge = Callable[..., dict[str, Any]]


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    """Writes evidence to files, loads and judges it, and gives the report before redaction."""

    def judge(evidence: Evidence, expect: str | None = None) -> dict[str, Any]:
        directory = evidence.write(tmp_path / "run")
        return examine(Case(load(directory / "raw")), expect)[1]

    return judge
