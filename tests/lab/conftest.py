"""What the tests of runs that must not pass share: one deploy for all of them."""

from __future__ import annotations

import pytest

from lab import booted
from lab.lock import exclusive
from lab.paths import Paths
from tests.playbooks import play


@pytest.fixture(scope="session")
def deployed() -> None:
    """Fresh hosts with a session between the peers; each test leaves them as it found them."""
    with exclusive():
        booted.up(Paths(), fresh=True)
    played = play("deploy.yml", "lab")
    assert played.exit_code == 0, played.output[-4000:]
