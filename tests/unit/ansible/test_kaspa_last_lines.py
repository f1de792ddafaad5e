"""What stands at the very end of a playbook that did not do all of its work."""

from __future__ import annotations

import pytest
from kaspa_last_lines import last_lines

LINE = "left out: client: connection refused; run deploy.yml again when it is back"
ADVICE = "To find out why: fab doctor -i inventory/mine"


@pytest.mark.parametrize(
    ("said", "failed", "lines"),
    [
        ({}, False, []),
        ({}, True, []),
        ({"kaspa_on_failure": ADVICE}, False, []),
        ({"kaspa_on_failure": ADVICE}, True, [ADVICE]),
        ({"kaspa_on_failure": ADVICE, "kaspa_left_out": [LINE]}, False, [LINE, ADVICE]),
        ({"kaspa_left_out": [LINE, LINE]}, True, [LINE, LINE]),
    ],
    ids=["nothing", "failed-early", "well", "failed", "left-out", "precheck"],
)
def test_last_lines(said: dict[str, object], failed: bool, lines: list[str]) -> None:
    assert last_lines(said, failed=failed) == lines
