"""Unix times that playbooks take from the controller's clock, whatever its time zone is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def variables(role: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("_zone")
def test_the_time_is_unix_time() -> None:
    text = variables("kaspa_node")["_kaspa_node_now"]
    before = time.time()
    now = float(Templar(DataLoader()).template(trust_as_template(text)))
    assert before - 0.001 <= now <= time.time() + 0.001
