"""One command at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.lock import exclusive


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "run" / "lab.lock"
    with (
        exclusive(file),
        pytest.raises(LabError, match=f"another lab command holds {file}"),
        exclusive(file, timeout=0),
    ):
        raise AssertionError("two at once")


def test_it_is_free_again_after_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "lab.lock"
    with pytest.raises(ValueError, match="broken"), exclusive(file):
        raise ValueError("broken")
    with exclusive(file, timeout=0):
        pass
