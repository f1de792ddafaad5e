"""Every page of docs/runbooks, line by line on freshly booted hosts (make test-runbooks)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import booted
from lab.lock import exclusive
from lab.paths import Paths
from tests.runbooks.follow import follow, shell
from tests.runbooks.page import pages, steps


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_what_its_commands_print_is_what_the_page_shows(page: Path) -> None:
    with exclusive():
        booted.up(Paths(), fresh=True)
    with shell() as at:
        for step in steps(page.read_text(encoding="utf-8")):
            follow(step, at)
