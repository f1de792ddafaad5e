"""The limit of a circuit, in words."""

from __future__ import annotations

import pytest

from kaspa_node.p2p.channel.connection import CircuitLimit
from kaspa_node.p2p.path import in_words


@pytest.mark.parametrize(
    ("limit", "said"), [((3, 0), "3 s"), ((0, 4096), "4096 bytes each way"), ((3, 9), "3 s, 9 bytes each way")]
)
def test_a_limit_is_told_in_words(limit: tuple[int, int], said: str) -> None:
    assert in_words(CircuitLimit(*limit)) == said
