"""A short place for sockets: pytest's own directories are too deep for some systems' limit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kn") as directory:
        yield Path(directory) / "c.sock"
